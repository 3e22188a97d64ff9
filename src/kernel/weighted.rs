//! Weighted sums of rows.

use super::simd;
use super::tile::{LANES, Left, Out, Right, product};

/// Adds `weights`, `[count, n]`, times `values`, `[n, dim]`, to `count` rows of `out` that lie `row` elements apart.
pub fn add_weighted(
    weights: Left<'_>,
    [count, n, dim]: [usize; 3],
    values: &[f32],
    out: &mut [f32],
    row: usize,
) {
    if !dim.is_multiple_of(LANES) {
        for i in 0..count {
            let out = &mut out[i * row..][..dim];
            for (k, value) in values.chunks_exact(dim).take(n).enumerate() {
                let weight = weights.data[i * weights.row + k * weights.step];
                simd::add_scaled(out, weight, value);
            }
        }
        return;
    }
    let values = Right {
        data: values,
        row: dim,
        group: LANES,
    };
    let mut out = Out {
        data: out,
        row,
        group: LANES,
        add: true,
    };
    product(weights, count, n, values, dim / LANES, &mut out);
}
