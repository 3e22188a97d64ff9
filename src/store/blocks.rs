//! Block sizes: how many entries are decoded to f32 and processed at once.
//!
//! Decoding and prefill need different sizes (`results/performance/2026-11-27-blocks`). With the larger size, decoding
//! after 8,000 tokens takes a sixth longer; with the smaller, the prefill of these tokens takes a thirtieth longer.

use std::ops::Range;

/// Entries per block for a decoded token, which fit into the level-1 cache.
pub const STEP_BLOCK: usize = 64;
/// Entries per block for a sequence of tokens. They fit into the level-2 cache, and the scores of a panel of queries
/// into the level-1 cache.
pub const SEQUENCE_BLOCK: usize = 192;

/// Splits a span into blocks of `size` entries.
pub fn blocks(span: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = span.end;
    span.step_by(size)
        .map(move |start| start..(start + size).min(end))
}
