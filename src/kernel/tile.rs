//! The matrix product under every other: some rows against sixteen columns, held in registers.

/// Columns of one product: two AVX registers of f32.
pub const LANES: usize = 16;
/// Rows held in registers at once: 6 x 16 sums leave room for two registers of columns and one of rows.
const ROWS: usize = 6;

/// The left factor, `[m, k]` with any strides: element `(i, k)` is `data[i * row + k * step]`.
#[derive(Clone, Copy)]
pub struct Left<'a> {
    pub data: &'a [f32],
    pub row: usize,
    pub step: usize,
}

/// `out[i, j] = sum over k of left[i, k] * right[k, j]` for `m` rows and [`LANES`] columns, added to what is there
/// where `add`. Rows of `right` and `out` lie `right_stride` and `out_stride` apart.
///
/// Every element is one chain of fused multiply-adds in the order of `k`, so it depends on its row and its column alone.
///
/// # Panics
/// When a slice is too short for its shape.
#[allow(clippy::too_many_arguments)]
pub fn product(
    left: Left<'_>,
    m: usize,
    k: usize,
    right: &[f32],
    right_stride: usize,
    out: &mut [f32],
    out_stride: usize,
    add: bool,
) {
    if m == 0 {
        return;
    }
    let last = k.saturating_sub(1);
    assert!(
        left.data.len() > (m - 1) * left.row + last * left.step
            && right.len() >= last * right_stride + LANES
            && out.len() >= (m - 1) * out_stride + LANES,
        "a product of {m} x {k} x {LANES} of shorter slices"
    );
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the features were just found, and the assertion above holds every access within its slice.
        return unsafe { avx2::product(left, m, k, right, right_stride, out, out_stride, add) };
    }
    plain(left, m, k, right, right_stride, out, out_stride, add);
}

/// The definition, and what runs where there is no AVX2: the same sums in the same order.
#[allow(clippy::too_many_arguments)]
fn plain(
    left: Left<'_>,
    m: usize,
    k: usize,
    right: &[f32],
    right_stride: usize,
    out: &mut [f32],
    out_stride: usize,
    add: bool,
) {
    for i in 0..m {
        let mut sums = [0f32; LANES];
        for k in 0..k {
            let x = left.data[i * left.row + k * left.step];
            for (sum, y) in sums.iter_mut().zip(&right[k * right_stride..]) {
                *sum = x.mul_add(*y, *sum);
            }
        }
        for (out, sum) in out[i * out_stride..].iter_mut().zip(sums) {
            *out = if add { *out + sum } else { sum };
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256, _mm256_add_ps, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps,
        _mm256_setzero_ps, _mm256_storeu_ps,
    };

    use super::{Left, ROWS};

    /// # Safety
    /// Needs AVX2 and FMA, and slices as long as [`super::product`] asserts.
    #[allow(clippy::too_many_arguments)]
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn product(
        left: Left<'_>,
        m: usize,
        k: usize,
        right: &[f32],
        right_stride: usize,
        out: &mut [f32],
        out_stride: usize,
        add: bool,
    ) {
        let (mut a, mut c) = (left.data.as_ptr(), out.as_mut_ptr());
        let (row, step, b) = (left.row, left.step, right.as_ptr());
        let mut rest = m;
        // SAFETY: as the caller promises; `a` and `c` move on by the rows that were done.
        unsafe {
            while rest >= ROWS {
                rows::<ROWS>(a, row, step, b, right_stride, k, c, out_stride, add);
                rest -= ROWS;
                a = a.wrapping_add(ROWS * row);
                c = c.wrapping_add(ROWS * out_stride);
            }
            match rest {
                5 => rows::<5>(a, row, step, b, right_stride, k, c, out_stride, add),
                4 => rows::<4>(a, row, step, b, right_stride, k, c, out_stride, add),
                3 => rows::<3>(a, row, step, b, right_stride, k, c, out_stride, add),
                2 => rows::<2>(a, row, step, b, right_stride, k, c, out_stride, add),
                1 => rows::<1>(a, row, step, b, right_stride, k, c, out_stride, add),
                _ => {}
            }
        }
    }

    /// `M` rows; see [`product`].
    #[allow(clippy::too_many_arguments)]
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn rows<const M: usize>(
        a: *const f32,
        row: usize,
        step: usize,
        b: *const f32,
        right_stride: usize,
        k: usize,
        c: *mut f32,
        out_stride: usize,
        add: bool,
    ) {
        let mut sums: [[__m256; 2]; M] = [[_mm256_setzero_ps(); 2]; M];
        let (mut a, mut b) = (a, b);
        for _ in 0..k {
            // SAFETY: row `i` and this step of `a`, and this row of `b`, are within their slices.
            unsafe {
                let columns = [_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8))];
                for (i, sums) in sums.iter_mut().enumerate() {
                    let x = _mm256_broadcast_ss(&*a.add(i * row));
                    sums[0] = _mm256_fmadd_ps(x, columns[0], sums[0]);
                    sums[1] = _mm256_fmadd_ps(x, columns[1], sums[1]);
                }
            }
            a = a.wrapping_add(step);
            b = b.wrapping_add(right_stride);
        }
        for (i, sums) in sums.iter().enumerate() {
            // SAFETY: row `i` of `c` is within its slice.
            unsafe {
                let c = c.add(i * out_stride);
                for (half, &sum) in sums.iter().enumerate() {
                    let c = c.add(8 * half);
                    let sum = if add { _mm256_add_ps(_mm256_loadu_ps(c), sum) } else { sum };
                    _mm256_storeu_ps(c, sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(n: usize, seed: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * 0.7 + seed).sin()).collect()
    }

    /// Bit for bit, whatever the rows, the strides and whether they are added to.
    #[test]
    fn equals_the_definition_in_every_shape() {
        for m in 1..=20 {
            for k in [1, 2, 7, 64] {
                for (row, step) in [(k, 1), (1, 20), (k + 3, 1)] {
                    let a = values((m - 1) * row + (k - 1) * step + 1, 0.1);
                    let left = Left { data: &a, row, step };
                    for (right_stride, out_stride, add) in [(16, 16, false), (19, 40, true)] {
                        let b = values((k - 1) * right_stride + LANES, 0.5);
                        let before = values((m - 1) * out_stride + LANES, 0.9);
                        let (mut got, mut want) = (before.clone(), before);
                        product(left, m, k, &b, right_stride, &mut got, out_stride, add);
                        plain(left, m, k, &b, right_stride, &mut want, out_stride, add);
                        assert_eq!(got, want, "{m} x {k}, strides {row} {step} {right_stride}");
                    }
                }
            }
        }
    }
}
