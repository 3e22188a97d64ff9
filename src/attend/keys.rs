//! Stored keys as queries meet them: rotated.

use std::ops::Range;

use super::rule::Rule;
use crate::store::{Part, Rotate};

/// One head of a part, and the rule it is attended to by.
#[derive(Clone, Copy)]
pub(super) struct Stored<'a> {
    pub part: &'a Part,
    pub head: usize,
    pub rotate: Rotate,
    pub rule: &'a Rule,
    /// Entries that are attended to before these: the rank of the first.
    pub rank: usize,
}

impl Stored<'_> {
    pub(super) fn len(&self) -> usize {
        self.part.len(self.head)
    }

    /// Rotates `keys` that were read: of `entries`, the first of which is number `first` of those that are attended to.
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

    /// Puts where the entries `span` are rotated to into `out`, in place of what it holds.
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
    /// When the run does not hold positions: a rule that needs them is not to be used with it.
    fn position(&self, i: usize) -> usize {
        let entries = &self.part.entries[self.head];
        entries.position(i).expect("entries with positions")
    }

    /// Which of `count` entries, ascending, is the first that a token at `position` sees through the rule's window;
    /// `entry` gives the number of each.
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
