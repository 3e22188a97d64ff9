//! Thread-local scratch for what forms compute on the way.

use std::cell::Cell;

#[derive(Default)]
pub struct Scratch {
    /// A block of vectors in f32, and a factor for each.
    pub rows: Vec<f32>,
    pub factors: Vec<f32>,
    /// Of entries in coded form.
    pub codes: Vec<u32>,
    /// Of codewords with a query.
    pub products: Vec<f32>,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

/// Lends this thread's scratch, whose contents are whatever they were. Where it is lent already, lends an empty one.
pub fn with_scratch<T>(use_it: impl FnOnce(&mut Scratch) -> T) -> T {
    let mut scratch = SCRATCH.take();
    let result = use_it(&mut scratch);
    SCRATCH.set(scratch);
    result
}

/// The first `len` elements of a scratch, whatever they are.
pub fn room(scratch: &mut Vec<f32>, len: usize) -> &mut [f32] {
    scratch.resize(len.max(scratch.len()), 0.0);
    &mut scratch[..len]
}
