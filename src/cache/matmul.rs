//! The two products of attention over a block, small enough to stay in cache: `gemm` for many rows (prefill),
//! plain dot products for few (decoding), where packing would cost more than it saves.

use multiversion::multiversion;

use super::simd;

/// From this many query rows on, `gemm` is faster than dot products.
const GEMM_ROWS: usize = 16;

/// `out = a b^T`: `a` `[m, d]`, `b` `[n, d]`, `out` `[m, n]`.
pub fn times_transposed(a: &[f32], b: &[f32], d: usize, out: &mut [f32]) {
    let (m, n) = (a.len() / d, b.len() / d);
    assert!(out.len() == m * n && a.len() == m * d && b.len() == n * d);
    if m >= GEMM_ROWS {
        // SAFETY: the assertion above holds every pointer and stride within its slice.
        unsafe {
            let (dst, lhs, rhs) = (out.as_mut_ptr(), a.as_ptr(), b.as_ptr());
            gemm::gemm(
                m,
                n,
                d,
                dst,
                1,
                n as isize,
                false,
                lhs,
                1,
                d as isize,
                rhs,
                d as isize,
                1,
                0.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
        return;
    }
    dots(a, b, d, out);
}

/// `out += a b`: `a` `[m, n]`, `b` `[n, d]`, `out` `[m, d]`.
pub fn times(a: &[f32], b: &[f32], n: usize, out: &mut [f32]) {
    let (m, d) = (a.len() / n, b.len() / n);
    assert!(out.len() == m * d && a.len() == m * n && b.len() == n * d);
    if m >= GEMM_ROWS {
        // SAFETY: the assertion above holds every pointer and stride within its slice.
        unsafe {
            let (dst, lhs, rhs) = (out.as_mut_ptr(), a.as_ptr(), b.as_ptr());
            gemm::gemm(
                m,
                d,
                n,
                dst,
                1,
                d as isize,
                true,
                lhs,
                1,
                n as isize,
                rhs,
                1,
                d as isize,
                1.0,
                1.0,
                false,
                false,
                false,
                gemm::Parallelism::None,
            );
        }
        return;
    }
    add_weighted(a, b, d, out);
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn dots(a: &[f32], b: &[f32], d: usize, out: &mut [f32]) {
    let n = b.len() / d;
    for (j, row) in b.chunks_exact(d).enumerate() {
        for (i, query) in a.chunks_exact(d).enumerate() {
            out[i * n + j] = simd::dot(query, row);
        }
    }
}

/// `out += a b` for few rows of `a`.
#[multiversion(targets("x86_64+avx2+fma"))]
pub fn add_weighted(a: &[f32], b: &[f32], d: usize, out: &mut [f32]) {
    let n = b.len() / d;
    for (weights, out) in a.chunks_exact(n).zip(out.chunks_exact_mut(d)) {
        for (weight, row) in weights.iter().zip(b.chunks_exact(d)) {
            simd::add_scaled(out, *weight, row);
        }
    }
}
