//! Thread-local scratch of attention.

use std::cell::Cell;

use crate::store::lend;

#[derive(Default)]
pub(super) struct Scratch {
    /// A block of keys and one of values in f32.
    pub keys: Vec<f32>,
    pub values: Vec<f32>,
    /// The factor of each key of a block.
    pub factors: Vec<f32>,
    pub positions: Vec<u32>,
    /// Of all entries of a KV head for each query head: scores, and then weights.
    pub scores: Vec<f32>,
    /// Entries that one query head sees, and their scores.
    pub seen: Vec<u32>,
    pub seen_scores: Vec<f32>,
    /// The accumulator of a form, and the weighted sum of values, for each query head.
    pub sums: Vec<f32>,
    pub out: Vec<f32>,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

/// Lends this thread's scratch of attention, see [`lend`].
pub(super) fn with_scratch<T>(use_it: impl FnOnce(&mut Scratch) -> T) -> T {
    lend(&SCRATCH, use_it)
}
