//! Runs of entries that were chosen from a whole one. Keys keep the rotation of their original position.

use spindle::store::{Indices, Run, places, union};

/// From a whole run and the positions kept (ascending) by each of `heads` query heads or, where those of a group
/// select together, by each KV head. Each entry is stored once per KV head. Where all query heads of a KV head keep the
/// same, it has no lists.
pub(crate) fn shared(full: &Run, selected: &[Vec<u32>]) -> Run {
    let selecting = selected.len() / full.heads();
    let unions: Vec<Vec<u32>> = selected.chunks(selecting).map(union).collect();
    let mut chosen = gather(full, &unions, |head| head);
    let rows = selected.chunks(selecting).zip(&unions);
    for (part, (rows, union)) in chosen.parts.iter_mut().zip(rows) {
        let list = |row: &Vec<u32>| Indices::from_slice(&places(row, union));
        let differ = rows.iter().any(|row| row != union);
        part.entries[0].lists = differ.then(|| rows.iter().map(list).collect());
    }
    chosen
}

/// From a whole run and, per query head, the positions it keeps, with a copy of each entry for every query head that
/// keeps it.
pub(crate) fn repeated(full: &Run, kept: &[Vec<u32>]) -> Run {
    let group = kept.len() / full.heads();
    gather(full, kept, |head| head / group)
}

/// One head for each of `kept`, whose entries are those of head `of(number)`.
fn gather(full: &Run, kept: &[Vec<u32>], of: impl Fn(usize) -> usize) -> Run {
    let numbered = || kept.iter().enumerate();
    let keys = numbered().map(|(number, kept)| full.keys(of(number)).gather(kept));
    let values = numbered().map(|(number, kept)| full.values(of(number)).gather(kept));
    Run::whole(keys.collect(), values.collect(), full.rotate)
}
