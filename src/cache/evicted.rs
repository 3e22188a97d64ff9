//! Entries that survived eviction, stored whole, with a list per query head of which it attends to.

use super::dense::{BLOCK, DenseKv};
use super::footprint::Footprint;
use super::indices::Indices;
use super::layer::Pass;
use super::scratch::{Scratch, with_scratch};
use super::softmax::Attending;

/// What eviction left of a prompt. Keys keep the rotation of their original position.
///
/// `entries` holds one store per KV head, each entry once whichever query heads keep it; or, as SnapKV and
/// PyramidKV are published (`repeat_kv` before compression), one store per query head.
#[derive(Debug, Clone, PartialEq)]
pub struct EvictedKv {
    entries: DenseKv,
    /// Per query head, the rows of its KV head's store it attends to, ascending. None: all of its store.
    lists: Option<Vec<Indices>>,
    heads: usize,
    /// Heads of one group that selected for themselves: each query head, or 1 where they selected together.
    selecting: usize,
}

impl EvictedKv {
    /// From a full cache and the positions kept (ascending) by each of `heads` query heads or, where those of a group
    /// select together, by each KV head. Each entry is stored once per KV head. If all query heads of every KV head
    /// keep the same, no lists are needed and none are held.
    pub fn shared(full: &DenseKv, selected: &[Vec<u32>], heads: usize) -> Self {
        let selecting = selected.len() / full.heads();
        let unions: Vec<Vec<u32>> = selected.chunks(selecting).map(union).collect();
        let agreed = selected
            .chunks(selecting)
            .zip(&unions)
            .all(|(rows, union)| rows.iter().all(|row| row == union));
        let lists = (!agreed).then(|| {
            let rows = selected.iter().enumerate();
            rows.map(|(head, row)| Indices::from_slice(&places(row, &unions[head / selecting])))
                .collect()
        });
        let gather =
            |rows: &[super::Rows]| rows.iter().zip(&unions).map(|(r, u)| r.gather(u)).collect();
        let entries = DenseKv {
            keys: gather(&full.keys),
            values: gather(&full.values),
        };
        Self {
            entries,
            lists,
            heads,
            selecting,
        }
    }

    /// From a full cache and, per query head, the positions it keeps, with a copy of each entry for every query
    /// head that keeps it.
    pub fn repeated(full: &DenseKv, kept: &[Vec<u32>]) -> Self {
        let group = kept.len() / full.heads();
        let gather = |rows: &[super::Rows]| {
            kept.iter()
                .enumerate()
                .map(|(head, k)| rows[head / group].gather(k))
                .collect()
        };
        let entries = DenseKv {
            keys: gather(&full.keys),
            values: gather(&full.values),
        };
        Self {
            entries,
            lists: None,
            heads: kept.len(),
            selecting: group,
        }
    }

    /// Heads of one group that selected for themselves, 1 where they selected together.
    pub(super) fn selecting(&self) -> usize {
        self.selecting
    }

    fn is_repeated(&self) -> bool {
        self.entries.heads() == self.heads
    }

    /// Attends the rows of one KV head's group.
    pub fn absorb(&self, kv_head: usize, attending: &mut Attending) {
        let group = attending.members();
        if self.lists.is_none() && !self.is_repeated() {
            let len = self.entries.len(kv_head);
            return self.entries.absorb(kv_head, attending, 0..group, |_| len);
        }
        if let (Some(lists), Pass::Step) = (&self.lists, attending.pass()) {
            let lists = &lists[kv_head * group..(kv_head + 1) * group];
            let len = self.entries.len(kv_head);
            return self
                .entries
                .absorb_step(kv_head, attending, 0..group, len, Some(lists), len);
        }
        for member in 0..group {
            let head = kv_head * group + member;
            match &self.lists {
                Some(lists) => self.absorb_list(kv_head, &lists[head], attending, member),
                None => {
                    let len = self.entries.len(head);
                    self.entries
                        .absorb(head, attending, member..member + 1, |_| len);
                }
            }
        }
    }

    fn absorb_list(
        &self,
        kv_head: usize,
        list: &Indices,
        attending: &mut Attending,
        member: usize,
    ) {
        let (stored_keys, stored_values) =
            (&self.entries.keys[kv_head], &self.entries.values[kv_head]);
        let d = stored_keys.dim();
        with_scratch(|Scratch { keys, values, .. }| {
            keys.resize((BLOCK * d).max(keys.len()), 0.0);
            values.resize((BLOCK * d).max(values.len()), 0.0);
            for start in (0..list.len()).step_by(BLOCK) {
                let n = BLOCK.min(list.len() - start);
                for i in 0..n {
                    let row = list.get(start + i);
                    stored_keys.read(row, &mut keys[i * d..(i + 1) * d]);
                    stored_values.read(row, &mut values[i * d..(i + 1) * d]);
                }
                attending.absorb(member..member + 1, &keys[..n * d], &values[..n * d], |_| n);
            }
        });
    }

    /// Keys (rotated) and values one query head attends to, `[n, head_dim]` each.
    pub fn materialize(&self, head: usize) -> (Vec<f32>, Vec<f32>) {
        let store = head * self.entries.heads() / self.heads;
        let (keys, values) = (&self.entries.keys[store], &self.entries.values[store]);
        match &self.lists {
            Some(lists) => {
                let list: Vec<u32> = lists[head].iter().map(|i| i as u32).collect();
                (keys.gather(&list).to_f32(), values.gather(&list).to_f32())
            }
            None => (keys.to_f32(), values.to_f32()),
        }
    }

    pub fn footprint(&self) -> Footprint {
        let stored = self.entries.footprint();
        let lists = self.lists.as_deref().unwrap_or_default();
        Footprint {
            kept: match lists {
                [] if self.is_repeated() => stored.entries,
                [] => stored.entries * self.selecting as u64,
                lists => lists.iter().map(|list| list.len() as u64).sum(),
            },
            bytes_lists: lists.iter().map(Indices::bytes).sum(),
            ..stored
        }
    }
}

/// All positions that any of the lists holds, ascending.
pub fn union(kept: &[Vec<u32>]) -> Vec<u32> {
    let mut all: Vec<u32> = kept.concat();
    all.sort_unstable();
    all.dedup();
    all
}

/// Where each of `kept` stands in `union`; both ascending, `kept` within `union`.
pub fn places(kept: &[u32], union: &[u32]) -> Vec<u32> {
    let mut at = 0;
    kept.iter()
        .map(|position| {
            while union[at] != *position {
                at += 1;
            }
            at as u32
        })
        .collect()
}
