//! Runs of entries that were chosen from a whole one. Keys keep the rotation of their original position.

use super::entries::{places, union};
use super::indices::Indices;
use super::run::Run;

impl Run {
    /// From a whole run and the positions kept (ascending) by each of `heads` query heads or, where those of a group
    /// select together, by each KV head. Each entry is stored once per KV head. If all query heads of every KV head
    /// keep the same, no lists are needed and none are held.
    pub fn shared(&self, selected: &[Vec<u32>]) -> Run {
        let selecting = selected.len() / self.heads();
        let unions: Vec<Vec<u32>> = selected.chunks(selecting).map(union).collect();
        let agreed = selected
            .chunks(selecting)
            .zip(&unions)
            .all(|(rows, union)| rows.iter().all(|row| row == union));
        let mut chosen = self.gather(&unions, |store| store);
        if !agreed {
            for ((part, rows), union) in chosen
                .parts
                .iter_mut()
                .zip(selected.chunks(selecting))
                .zip(&unions)
            {
                let lists = rows
                    .iter()
                    .map(|row| Indices::from_slice(&places(row, union)));
                part.entries[0].lists = Some(lists.collect());
            }
        }
        chosen
    }

    /// From a whole run and, per query head, the positions it keeps, with a copy of each entry for every query head that
    /// keeps it, as SnapKV and PyramidKV are published (`repeat_kv` before compression).
    pub fn repeated(&self, kept: &[Vec<u32>]) -> Run {
        let group = kept.len() / self.heads();
        self.gather(kept, |head| head / group)
    }

    /// One head for each of `kept`, whose entries are those of head `of(number)`.
    fn gather(&self, kept: &[Vec<u32>], of: impl Fn(usize) -> usize) -> Run {
        let numbered = || kept.iter().enumerate();
        let keys = numbered().map(|(number, kept)| self.keys(of(number)).gather(kept));
        let values = numbered().map(|(number, kept)| self.values(of(number)).gather(kept));
        Run::whole(keys.collect(), values.collect(), self.rotate)
    }
}
