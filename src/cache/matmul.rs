//! The two products of a single query with a block of entries: plain dot products and weighted sums, where packing
//! would cost more than it saves.

use multiversion::multiversion;

use crate::kernel::simd;

/// `out[j] = query . rows[j]`: `query` `[d]`, `rows` `[n, d]`, `out` `[n]`.
#[multiversion(targets("x86_64+avx2+fma"))]
pub fn dots(query: &[f32], rows: &[f32], out: &mut [f32]) {
    for (out, row) in out.iter_mut().zip(rows.chunks_exact(query.len())) {
        *out = simd::dot(query, row);
    }
}

/// `out += sum over j of weights[j] * rows[j]`: `rows` `[n, d]`, `out` `[d]`.
#[multiversion(targets("x86_64+avx2+fma"))]
pub fn add_weighted(weights: &[f32], rows: &[f32], d: usize, out: &mut [f32]) {
    for (weight, row) in weights.iter().zip(rows.chunks_exact(d)) {
        simd::add_scaled(out, *weight, row);
    }
}
