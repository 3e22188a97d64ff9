//! Stored keys, rotated for attention.

use std::ops::Range;

use super::rule::Rule;
use crate::store::{Part, Rotate};

/// One head of a part, and the rule of its layer.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub part: &'a Part,
    pub head: usize,
    pub rotate: Rotate,
    pub rule: &'a Rule,
    /// Entries attended to before this run, which is the rank of its first entry.
    pub rank: usize,
}

impl Stored<'_> {
    pub(super) fn len(&self) -> usize {
        self.part.len(self.head)
    }

    /// Rotates the decoded `keys` of `entries`. `first`: the number of the first of them among the entries attended to.
    pub(super) fn rotate(&self, keys: &mut [f32], entries: &[u32], first: usize) {
        let Some(rope) = &self.rule.rope else { return };
        let positions: Vec<u32> = match self.rotate {
            Rotate::AtWrite => return,
            Rotate::ByPosition => {
                let positions = entries.iter().map(|&i| self.position(i as usize));
                positions.map(|position| position as u32).collect()
            }
            Rotate::ByRank => (first..first + entries.len())
                .map(|number| (self.rank + number) as u32)
                .collect(),
        };
        rope.rotate_all(keys, &positions);
    }

    /// Replaces the contents of `out` by the positions that entries `span` are rotated to.
    pub(super) fn positions(&self, span: Range<usize>, out: &mut Vec<u32>) {
        let entries = &self.part.entries[self.head];
        if self.rotate == Rotate::ByRank {
            out.clear();
            out.extend(span.map(|i| (self.rank + i) as u32));
        } else if let Some(positions) = &entries.positions {
            positions.read(span, out);
        } else {
            out.clear();
            out.extend(span.map(|i| self.position(i) as u32));
        }
    }

    /// The position of entry `i`.
    ///
    /// # Panics
    /// If the run has no positions, which this rule needs.
    fn position(&self, i: usize) -> usize {
        let entries = &self.part.entries[self.head];
        entries.position(i).expect("entries with positions")
    }

    /// Returns which of `count` entries, ascending by position, is the first within the rule's window of a token at
    /// `position`. `entry` gives the number of each in the head.
    pub(super) fn first_in_window(
        &self,
        count: usize,
        entry: impl Fn(usize) -> usize,
        position: usize,
    ) -> usize {
        if self.rule.window.is_none() {
            return 0;
        }
        let first = self.rule.first_seen(position);
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.position(entry(middle)) < first {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }
}
