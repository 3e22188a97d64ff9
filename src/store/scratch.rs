//! Thread-local scratch: what is needed again for every layer, head and cell would take longer to make than to fill.

use std::cell::Cell;
use std::thread::LocalKey;

/// Of what forms compute on the way.
#[derive(Default)]
pub(super) struct Scratch {
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

/// Lends this thread's scratch of forms, see [`lend`].
pub(super) fn with_scratch<T>(use_it: impl FnOnce(&mut Scratch) -> T) -> T {
    lend(&SCRATCH, use_it)
}

/// Lends what this thread keeps, whose contents are whatever they were. Where it is lent already, lends an empty one.
pub fn lend<S: Default, T>(
    kept: &'static LocalKey<Cell<S>>,
    use_it: impl FnOnce(&mut S) -> T,
) -> T {
    let mut scratch = kept.take();
    let result = use_it(&mut scratch);
    kept.set(scratch);
    result
}

/// The first `len` elements of a scratch, whatever they are.
pub fn room(scratch: &mut Vec<f32>, len: usize) -> &mut [f32] {
    scratch.resize(len.max(scratch.len()), 0.0);
    &mut scratch[..len]
}
