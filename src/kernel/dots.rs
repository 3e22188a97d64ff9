//! Dot products of a few vectors with many.

use super::simd;

/// Elements summed side by side: one AVX register.
const WIDTH: usize = 8;
/// Rows worked on together, whose sums are then added up together.
const ROWS: usize = 4;

/// `out[j] = query . rows[j]`: `query` `[d]`, `rows` `[n, d]`, `out` `[n]`. A product depends on its two vectors alone.
///
/// # Panics
/// When the lengths do not agree, or `d` is 0.
pub fn dots(query: &[f32], rows: &[f32], out: &mut [f32]) {
    let d = query.len();
    assert!(
        d > 0 && out.len().checked_mul(d) == Some(rows.len()),
        "{} rows of {d}, {} elements in all",
        out.len(),
        rows.len()
    );
    if !d.is_multiple_of(WIDTH) {
        for (out, row) in out.iter_mut().zip(rows.chunks_exact(d)) {
            *out = simd::dot(query, row);
        }
        return;
    }
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the features were just found, and the lengths agree.
        return unsafe { avx2::dots(query, rows, out) };
    }
    plain(query, rows, out);
}

/// The dot product of two vectors of one length, as [`dots`] has it.
///
/// # Panics
/// When the lengths do not agree, or are 0.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut product = [0.0];
    dots(a, b, &mut product);
    product[0]
}

/// The definition, and what runs where there is no AVX2: the same sums in the same order.
fn plain(query: &[f32], rows: &[f32], out: &mut [f32]) {
    for (out, row) in out.iter_mut().zip(rows.chunks_exact(query.len())) {
        let mut s = [0f32; WIDTH];
        for (row, query) in row.chunks_exact(WIDTH).zip(query.chunks_exact(WIDTH)) {
            for i in 0..WIDTH {
                s[i] = row[i].mul_add(query[i], s[i]);
            }
        }
        *out = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256, _mm_add_ps, _mm_storeu_ps, _mm256_castps256_ps128, _mm256_extractf128_ps,
        _mm256_fmadd_ps, _mm256_hadd_ps, _mm256_loadu_ps, _mm256_setzero_ps,
    };

    use super::{ROWS, WIDTH};

    /// # Safety
    /// Needs AVX2 and FMA; `query` of a multiple of 8 elements, a row of as many for each element of `out`.
    #[target_feature(enable = "avx2,fma")]
    pub(super) unsafe fn dots(query: &[f32], rows: &[f32], out: &mut [f32]) {
        let d = query.len();
        let last = (out.len() - out.len() % ROWS) * d;
        let blocks = rows[..last].chunks_exact(ROWS * d);
        for (rows, out) in blocks.zip(out.chunks_exact_mut(ROWS)) {
            // SAFETY: four rows and room for four products.
            unsafe { four(query, rows, d, out) };
        }
        let rest = out.chunks_exact_mut(ROWS).into_remainder();
        for (row, out) in rows[last..].chunks_exact(d).zip(rest) {
            let mut products = [0f32; ROWS];
            // SAFETY: as above.
            unsafe { four(query, row, 0, &mut products) };
            *out = products[0];
        }
    }

    /// Four rows that lie `stride` apart.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn four(query: &[f32], rows: &[f32], stride: usize, out: &mut [f32]) {
        let mut sums: [__m256; ROWS] = [_mm256_setzero_ps(); ROWS];
        for at in (0..query.len()).step_by(WIDTH) {
            // SAFETY: rows and query have a multiple of eight elements, of which these are eight.
            unsafe {
                let query = _mm256_loadu_ps(query.as_ptr().add(at));
                for (i, sum) in sums.iter_mut().enumerate() {
                    let row = _mm256_loadu_ps(rows.as_ptr().add(i * stride + at));
                    *sum = _mm256_fmadd_ps(row, query, *sum);
                }
            }
        }
        // Neighbours added up for two rows at a time, then pairs, then the two halves.
        let pairs = [
            _mm256_hadd_ps(sums[0], sums[1]),
            _mm256_hadd_ps(sums[2], sums[3]),
        ];
        let fours = _mm256_hadd_ps(pairs[0], pairs[1]);
        let sums = _mm_add_ps(
            _mm256_castps256_ps128(fours),
            _mm256_extractf128_ps::<1>(fours),
        );
        // SAFETY: `out` has four elements.
        unsafe { _mm_storeu_ps(out.as_mut_ptr(), sums) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_that_do_not_agree_are_refused() {
        for (d, elements, n) in [(8, 16, 1), (8, 16, 3), (8, 15, 2), (0, 0, 1), (0, 0, 0)] {
            let made = std::panic::catch_unwind(|| {
                dots(&vec![1.0; d], &vec![1.0; elements], &mut vec![0.0; n]);
            });
            assert!(made.is_err(), "{n} rows of {d} in {elements} elements");
        }
    }

    #[test]
    fn equals_the_definition_in_every_shape() {
        let values = |n: usize, seed: f32| -> Vec<f32> {
            (0..n).map(|i| (i as f32 * 0.7 + seed).sin()).collect()
        };
        for (n, d) in [(0, 8), (1, 8), (3, 64), (4, 80), (9, 128), (5, 12)] {
            let (query, rows) = (values(d, 0.2), values(n * d, 0.5));
            let (mut got, mut want) = (vec![f32::NAN; n], vec![f32::NAN; n]);
            dots(&query, &rows, &mut got);
            plain(&query[..d / 8 * 8], &rows, &mut want);
            if d.is_multiple_of(WIDTH) {
                assert_eq!(got, want, "{n} x {d}");
            }
            for (got, row) in got.iter().zip(rows.chunks_exact(d)) {
                let pairs = row.iter().zip(&query);
                let want: f64 = pairs.map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
                assert!((f64::from(*got) - want).abs() < 1e-5, "{got} {want}");
            }
        }
    }
}
