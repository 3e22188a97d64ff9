//! The running softmax of a panel of 16 queries, one per lane, entry after entry.

use std::ops::Range;

use multiversion::multiversion;

use super::state::Softmax;
use crate::kernel::{LANES, simd};

/// The entries of a block that the query of each lane sees: `from[lane]..seen[lane]`. A lane without a token sees from
/// 0 up to the last entry that any other lane sees.
pub(super) struct Lanes {
    from: [usize; LANES],
    /// The largest of `from`.
    last_start: usize,
    pub seen: [usize; LANES],
    /// The smallest of `seen`.
    least: usize,
    /// The largest of `seen`.
    pub most: usize,
}

impl Lanes {
    pub(super) fn new(count: usize, visible: impl Fn(usize) -> Range<usize>) -> Self {
        let (mut from, mut seen) = ([0; LANES], [0; LANES]);
        for lane in 0..count {
            let visible = visible(lane);
            (from[lane], seen[lane]) = (visible.start, visible.end);
        }
        let most = seen[..count].iter().copied().max().unwrap_or(0);
        seen[count..].fill(most);
        let least = seen.iter().copied().min().unwrap_or(0);
        Self {
            last_start: from.iter().copied().max().unwrap_or(0),
            from,
            seen,
            least,
            most,
        }
    }
}

/// Turns `scores`, `[n, LANES]`, of the state rows from `first` on into weights. Weights of hidden entries are 0.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
pub fn weigh_lanes(
    scores: &mut [f32],
    lanes: &Lanes,
    first: usize,
    dim: usize,
    state: &mut Softmax,
) {
    let (rows, _) = scores.as_chunks_mut::<LANES>();
    for (entry, row) in rows.iter_mut().enumerate().skip(lanes.least) {
        for (score, &seen) in row.iter_mut().zip(&lanes.seen) {
            *score = if entry < seen {
                *score
            } else {
                f32::NEG_INFINITY
            };
        }
    }
    for (entry, row) in rows.iter_mut().enumerate().take(lanes.last_start) {
        for (score, &from) in row.iter_mut().zip(&lanes.from) {
            *score = if entry >= from {
                *score
            } else {
                f32::NEG_INFINITY
            };
        }
    }
    let mut max = [f32::NEG_INFINITY; LANES];
    for row in rows.iter() {
        for i in 0..LANES {
            max[i] = if row[i] > max[i] { row[i] } else { max[i] };
        }
    }
    let span = first..first + LANES;
    let (maxima, sums) = (&mut state.max[span.clone()], &mut state.sum[span]);
    let mut total = [0f32; LANES];
    for i in 0..LANES {
        let (before, now) = (
            maxima[i],
            if max[i] > maxima[i] {
                max[i]
            } else {
                maxima[i]
            },
        );
        maxima[i] = now;
        // A row that has seen nothing yet has no maximum to subtract.
        max[i] = if now == f32::NEG_INFINITY { 0.0 } else { now };
        let shrink = simd::exp2(before - max[i]);
        if shrink != 1.0 {
            simd::scale(&mut state.out[(first + i) * dim..][..dim], shrink);
        }
        total[i] = sums[i] * shrink;
    }
    for row in rows {
        for i in 0..LANES {
            row[i] = simd::exp2(row[i] - max[i]);
            total[i] += row[i];
        }
    }
    sums.copy_from_slice(&total);
}

/// Adds to `sums`, `[n]`, each entry's softmax weights summed over the lanes. `scores`: `[n, LANES]`; `log_sums`:
/// base-2 logarithm of each lane's softmax denominator.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
pub fn add_lane_weights(scores: &[f32], lanes: &Lanes, log_sums: &[f32; LANES], sums: &mut [f32]) {
    let (rows, _) = scores.as_chunks::<LANES>();
    for (entry, (row, sum)) in rows.iter().zip(sums).enumerate() {
        let mut weights = [0f32; LANES];
        for i in 0..LANES {
            let weight = simd::exp2(row[i] - log_sums[i]);
            let seen = entry < lanes.seen[i] && entry >= lanes.from[i];
            weights[i] = if seen { weight } else { 0.0 };
        }
        *sum += weights.iter().sum::<f32>();
    }
}
