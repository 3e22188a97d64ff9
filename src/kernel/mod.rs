//! Arithmetic over plain `f32` slices, for the loops that everything else waits for: one matrix product whose every
//! element is summed in the same order whatever stands beside it, dot products and exponentials.
//!
//! Which instructions are used is decided when the program runs; on a given machine results do not depend on the
//! number of threads, on how rows are batched, or on where a block begins.
//!
//! # Unsafe code
//! `Cargo.toml` denies it, but in the modules below; each says why at its declaration, and every block has its reason
//! beside it. A safe function that leads to unsafe code checks its arguments first. `.ci/sanitize` runs them all under
//! AddressSanitizer and Valgrind.
//!
//! - [`dots`], `half`, `tile`: instructions that not every processor has, over slices whose lengths are checked.
//! - `compress::codebook::similarity`: comparisons as bits, in SSE.

#[expect(unsafe_code, reason = "AVX2, where the processor has it")]
mod dots;
mod finite;
#[expect(unsafe_code, reason = "F16C, where the processor has it")]
pub(crate) mod half;
mod norm;
mod panels;
pub(crate) mod simd;
#[expect(
    unsafe_code,
    reason = "AVX2 or AVX-512, where the processor has them, and pointers in the innermost loop"
)]
mod tile;
mod weighted;

pub use dots::{dot, dots};
pub use finite::{first_beyond, first_outside};
pub use norm::norm;
pub use panels::Panels;
pub use tile::{LANES, Left, Out, Right, product};
pub use weighted::add_weighted;
