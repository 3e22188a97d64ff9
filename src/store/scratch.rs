//! Thread-local scratch: buffers that each thread reuses for every layer, head and cell, because allocating them takes
//! longer than filling them.

use std::cell::Cell;
use std::thread::LocalKey;

/// Buffers for the intermediate results of forms.
#[derive(Default)]
pub(super) struct Scratch {
    /// A block of vectors in f32.
    pub rows: Vec<f32>,
    /// The factor of each vector of a block.
    pub factors: Vec<f32>,
    /// Codeword indices of entries.
    pub codes: Vec<u32>,
    /// Products of codewords with queries.
    pub products: Vec<f32>,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

/// Calls `use_it` with this thread's scratch of forms, see [`lend`].
pub(super) fn with_scratch<T>(use_it: impl FnOnce(&mut Scratch) -> T) -> T {
    lend(&SCRATCH, use_it)
}

/// Calls `use_it` with this thread's buffers, which still hold the values of their last use. A nested call gets empty
/// buffers of its own.
pub fn lend<S: Default, T>(
    kept: &'static LocalKey<Cell<S>>,
    use_it: impl FnOnce(&mut S) -> T,
) -> T {
    let mut scratch = kept.take();
    let result = use_it(&mut scratch);
    kept.set(scratch);
    result
}

/// The first `len` elements of a buffer, which grows if it is shorter. They hold the values of their last use.
pub fn room(scratch: &mut Vec<f32>, len: usize) -> &mut [f32] {
    scratch.resize(len.max(scratch.len()), 0.0);
    &mut scratch[..len]
}
