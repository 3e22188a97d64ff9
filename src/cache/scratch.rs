//! Room that each thread keeps: a decoded token needs it for every layer, head and cell, and making it anew each time
//! would take longer than filling it.

use std::cell::RefCell;

#[derive(Default)]
pub struct Scratch {
    /// A block of keys in f32.
    pub keys: Vec<f32>,
    /// A block of values in f32.
    pub values: Vec<f32>,
    /// Of the entries of one KV head in coded form.
    pub codes: Vec<u32>,
    pub positions: Vec<u32>,
    pub factors: Vec<f32>,
    /// Per query head of the group.
    pub scores: Vec<Vec<f32>>,
    /// Entries that one query head sees, and their scores.
    pub seen: Vec<u32>,
    pub seen_scores: Vec<f32>,
    /// Of codewords.
    pub weights: Vec<f32>,
    /// The weighted sum of values, per query head of the group.
    pub sums: Vec<f32>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Lends this thread's scratch, whose contents are whatever they were.
///
/// # Panics
/// When it is lent already.
pub fn with_scratch<T>(use_it: impl FnOnce(&mut Scratch) -> T) -> T {
    SCRATCH.with_borrow_mut(use_it)
}

/// The first `len` elements of a scratch, whatever they are.
pub fn room(scratch: &mut Vec<f32>, len: usize) -> &mut [f32] {
    scratch.resize(len.max(scratch.len()), 0.0);
    &mut scratch[..len]
}
