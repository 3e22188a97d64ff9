//! Arithmetic over plain `f32` slices, for the loops that everything else waits for: one matrix product whose every
//! element is summed in the same order whatever stands beside it, dot products and exponentials.
//!
//! Which instructions are used is decided when the program runs; on a given machine results do not depend on the
//! number of threads, on how rows are batched, or on where a block begins.

mod dots;
mod finite;
pub mod half;
mod panels;
pub mod simd;
mod tile;

pub use dots::dots;
pub use finite::first_beyond;
pub use panels::Panels;
pub use tile::{LANES, Left, Out, Right, product};
