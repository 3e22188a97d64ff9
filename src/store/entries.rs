//! Which entries a KV head holds: their positions, and which query heads see them.

use super::indices::Indices;

/// The entries of one KV head of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entries {
    /// Position of each entry, ascending. None if positions are not needed or follow from `first`.
    pub positions: Option<Indices>,
    /// Position of the first entry, if positions are consecutive. None if they are not, or are not known.
    pub first: Option<usize>,
    /// Per query head of the group, the places of the entries it attends to among the first `chosen`, ascending. None:
    /// every query head attends to all.
    pub lists: Option<Vec<Indices>>,
    /// Number of entries chosen from the prompt. The entries after them were appended; every query head sees these.
    pub chosen: usize,
}

impl Entries {
    /// Writes to `out` the places of the entries that one query head sees, of `len` held.
    pub fn seen(&self, member: usize, len: usize, out: &mut Vec<u32>) {
        match &self.lists {
            Some(lists) => lists[member].read(0..lists[member].len(), out),
            None => {
                out.clear();
                out.extend(0..self.chosen as u32);
            }
        }
        out.extend(self.chosen as u32..len as u32);
    }

    /// Position of entry `i`. None if it is not known.
    pub fn position(&self, i: usize) -> Option<usize> {
        match (&self.positions, self.first) {
            (Some(positions), _) => Some(positions.get(i)),
            (None, Some(first)) => Some(first + i),
            (None, None) => None,
        }
    }

    /// Notes that an entry at `position` was appended after `len` others.
    pub fn append(&mut self, position: usize, len: usize) {
        match &mut self.positions {
            Some(positions) => positions.push(position as u32),
            None if len == 0 => self.first = Some(position),
            None => self.first = self.first.filter(|first| first + len == position),
        }
    }

    /// Keeps the last `count` of `len` entries.
    ///
    /// # Panics
    /// When query heads have lists of them.
    pub fn keep_last(&mut self, count: usize, len: usize) {
        assert!(self.lists.is_none(), "entries that query heads chose apart");
        let dropped = len - count;
        let places: Vec<u32> = (dropped as u32..len as u32).collect();
        self.positions = self.positions.as_ref().map(|all| all.gather(&places));
        self.first = self.first.map(|first| first + dropped);
        self.chosen = self.chosen.saturating_sub(dropped);
    }

    /// Bytes of the positions, and bytes of the lists.
    pub fn bytes(&self) -> [u64; 2] {
        let lists = self.lists.iter().flatten();
        [
            self.positions.as_ref().map_or(0, Indices::bytes),
            lists.map(Indices::bytes).sum(),
        ]
    }

    /// Entries of `len`, counted once for each query head that keeps them. None if the query heads did not choose
    /// apart.
    pub fn kept(&self, len: usize) -> Option<u64> {
        let lists = self.lists.as_ref()?;
        let appended = (len - self.chosen) as u64;
        Some(lists.iter().map(|list| list.len() as u64 + appended).sum())
    }
}

/// The positions that any of the lists has, ascending, each once.
pub fn union(kept: &[Vec<u32>]) -> Vec<u32> {
    let mut all: Vec<u32> = kept.concat();
    all.sort_unstable();
    all.dedup();
    all
}

/// The place of each of `kept` in `union`. Both ascend, and `union` has all of `kept`.
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
