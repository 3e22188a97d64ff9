//! Blocks of entries: how many are converted to f32 and worked on at once.
//!
//! One size for both does not do (`results/performance/2026-11-27-blocks`): with the larger, decoding after 8,000 tokens
//! takes a sixth longer; with the smaller, their prefill a thirtieth.

use std::ops::Range;

/// Entries of a block for a decoded token: they stay in the level-1 cache.
pub const STEP_BLOCK: usize = 64;
/// Entries of a block for a sequence of tokens: they stay in the level-2 cache, the scores of a panel of queries in the
/// level-1 cache.
pub const SEQUENCE_BLOCK: usize = 192;

/// A span in blocks of `size` entries.
pub fn blocks(span: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = span.end;
    span.step_by(size)
        .map(move |start| start..(start + size).min(end))
}
