//! Blocks of entries.

use std::ops::Range;

/// Entries worked on at once by a decoded token: in f32 they stay in the level-1 cache.
const BLOCK: usize = 64;

/// A span in parts of [`BLOCK`] entries.
pub fn blocks(span: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = span.end;
    span.step_by(BLOCK)
        .map(move |start| start..(start + BLOCK).min(end))
}
