//! Room for a block of keys and one of values in f32, kept by each thread: a decoded token needs it for every layer,
//! head and cell, and making it anew each time would take longer than filling it.

use std::cell::RefCell;

/// A block of keys and one of values.
#[derive(Default)]
pub struct Scratch {
    pub keys: Vec<f32>,
    pub values: Vec<f32>,
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
