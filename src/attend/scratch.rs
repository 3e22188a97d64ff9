//! Thread-local scratch of attention.

use std::cell::Cell;

use crate::store::lend;

#[derive(Default)]
pub(super) struct AttentionScratch {
    /// A block of keys in f32.
    pub keys: Vec<f32>,
    /// A block of values in f32.
    pub values: Vec<f32>,
    /// The factor of each key of a block.
    pub factors: Vec<f32>,
    /// Positions of the entries of a block.
    pub positions: Vec<u32>,
    /// For each query head, scores and then weights of all entries of its KV head.
    pub scores: Vec<f32>,
    /// Entries that one query head sees.
    pub seen: Vec<u32>,
    /// Scores of these entries.
    pub seen_scores: Vec<f32>,
    /// For each query head, the accumulator of a form.
    pub sums: Vec<f32>,
    /// For each query head, the weighted sum of values.
    pub out: Vec<f32>,
}

thread_local! {
    static SCRATCH: Cell<AttentionScratch> = Cell::default();
}

/// Calls `use_it` with this thread's scratch of attention, see [`lend`].
pub(super) fn with_scratch<T>(use_it: impl FnOnce(&mut AttentionScratch) -> T) -> T {
    lend(&SCRATCH, use_it)
}
