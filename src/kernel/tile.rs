//! The matrix product under every other: some rows against sixteen columns, held in registers.

/// Columns that are worked on side by side, a group: two AVX registers of f32.
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

/// The right factor, `[k, groups * LANES]`: lane `j` of group `g` in row `k` is `data[k * row + g * group + j]`.
#[derive(Clone, Copy)]
pub struct Right<'a> {
    pub data: &'a [f32],
    pub row: usize,
    pub group: usize,
}

/// The result, `[m, groups * LANES]`, laid out as [`Right`] is; added to what is there where `add`.
pub struct Out<'a> {
    pub data: &'a mut [f32],
    pub row: usize,
    pub group: usize,
    pub add: bool,
}

/// `out[i, j] = sum over k of left[i, k] * right[k, j]` for `m` rows and `groups` of [`LANES`] columns.
///
/// Every element is one chain of fused multiply-adds in the order of `k`, so it depends on its row and its column alone.
///
/// # Panics
/// When a slice is too short for its shape.
pub fn product(
    left: Left<'_>,
    m: usize,
    k: usize,
    right: Right<'_>,
    groups: usize,
    out: &mut Out<'_>,
) {
    if m == 0 || groups == 0 {
        return;
    }
    let (last, last_group) = (k.saturating_sub(1), groups - 1);
    assert!(
        left.data.len() > (m - 1) * left.row + last * left.step
            && right.data.len() >= last * right.row + last_group * right.group + LANES
            && out.data.len() >= (m - 1) * out.row + last_group * out.group + LANES,
        "a product of {m} x {k} x {groups} groups of shorter slices"
    );
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the features were just found, and the assertion above holds every access within its slice.
        return unsafe { avx2::product(left, m, k, right, groups, out) };
    }
    plain(left, m, k, right, groups, out);
}

/// The definition, and what runs where there is no AVX2: the same sums in the same order.
fn plain(left: Left<'_>, m: usize, k: usize, right: Right<'_>, groups: usize, out: &mut Out<'_>) {
    for i in 0..m {
        for group in 0..groups {
            let mut sums = [0f32; LANES];
            for k in 0..k {
                let x = left.data[i * left.row + k * left.step];
                let columns = &right.data[k * right.row + group * right.group..];
                for (sum, y) in sums.iter_mut().zip(columns) {
                    *sum = x.mul_add(*y, *sum);
                }
            }
            let at = i * out.row + group * out.group;
            for (at, sum) in out.data[at..].iter_mut().zip(sums) {
                *at = if out.add { *at + sum } else { sum };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256, _MM_HINT_T1, _mm_prefetch, _mm256_add_ps, _mm256_broadcast_ss, _mm256_fmadd_ps,
        _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };

    use super::{Left, Out, ROWS, Right};

    /// # Safety
    /// Needs AVX2 and FMA, and slices as long as [`super::product`] asserts.
    #[target_feature(enable = "avx2,fma")]
    pub unsafe fn product(
        left: Left<'_>,
        m: usize,
        k: usize,
        right: Right<'_>,
        groups: usize,
        out: &mut Out<'_>,
    ) {
        // Few rows take several groups at once, so that there are sums enough to hide what a multiply-add takes.
        let together = match m {
            1 => 4,
            2 | 3 => 2,
            _ => 1,
        };
        let mut group = 0;
        while group < groups {
            let at = (group * right.group, group * out.group);
            // SAFETY: as the caller promises.
            unsafe {
                if groups - group >= together {
                    match m {
                        1 => tile::<1, 4, false>(left, 0, k, right, out, at, NOTHING),
                        2 => tile::<2, 2, false>(left, 0, k, right, out, at, NOTHING),
                        3 => tile::<3, 2, false>(left, 0, k, right, out, at, NOTHING),
                        _ => column(left, m, k, right, out, at),
                    }
                    group += together;
                } else {
                    column(left, m, k, right, out, at);
                    group += 1;
                }
            }
        }
    }

    /// All rows of one group. Meanwhile the next group is fetched, each tile of rows a part of it: computing and waiting
    /// for memory take about as long where rows are few, and would else take turns.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn column(
        left: Left<'_>,
        m: usize,
        k: usize,
        right: Right<'_>,
        out: &mut Out<'_>,
        at: (usize, usize),
    ) {
        let tiles = m.div_ceil(ROWS);
        let next = right.data.as_ptr().wrapping_add(at.0 + right.group);
        for number in 0..tiles {
            let row = number * ROWS;
            let fetch = Fetch {
                from: next.wrapping_add(number * k * right.row / tiles),
                step: right.row.div_ceil(tiles),
            };
            // SAFETY: as the caller promises.
            unsafe {
                match (m - row).min(ROWS) {
                    6 => tile::<6, 1, true>(left, row, k, right, out, at, fetch),
                    5 => tile::<5, 1, true>(left, row, k, right, out, at, fetch),
                    4 => tile::<4, 1, true>(left, row, k, right, out, at, fetch),
                    3 => tile::<3, 1, true>(left, row, k, right, out, at, fetch),
                    2 => tile::<2, 1, true>(left, row, k, right, out, at, fetch),
                    _ => tile::<1, 1, true>(left, row, k, right, out, at, fetch),
                }
            }
        }
    }

    /// What is fetched into the cache, `step` elements further at each step of `k`. Need not be there.
    #[derive(Clone, Copy)]
    struct Fetch {
        from: *const f32,
        step: usize,
    }

    const NOTHING: Fetch = Fetch {
        from: std::ptr::null(),
        step: 0,
    };

    /// `M` rows from `first` on, `G` groups from those on that begin at `at` in the right factor and in the result;
    /// `FETCH` something meanwhile.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn tile<const M: usize, const G: usize, const FETCH: bool>(
        left: Left<'_>,
        first: usize,
        k: usize,
        right: Right<'_>,
        out: &mut Out<'_>,
        at: (usize, usize),
        fetch: Fetch,
    ) {
        let mut sums: [[[__m256; 2]; G]; M] = [[[_mm256_setzero_ps(); 2]; G]; M];
        let mut a = left.data.as_ptr().wrapping_add(first * left.row);
        let mut b = right.data.as_ptr().wrapping_add(at.0);
        let mut fetched = fetch.from;
        for _ in 0..k {
            if FETCH {
                _mm_prefetch::<_MM_HINT_T1>(fetched.cast());
                fetched = fetched.wrapping_add(fetch.step);
            }
            for g in 0..G {
                // SAFETY: these rows of this step of `a`, and this group of this row of `b`, are within their slices.
                unsafe {
                    let b = b.add(g * right.group);
                    let columns = [_mm256_loadu_ps(b), _mm256_loadu_ps(b.add(8))];
                    for (i, sums) in sums.iter_mut().enumerate() {
                        let x = _mm256_broadcast_ss(&*a.add(i * left.row));
                        sums[g][0] = _mm256_fmadd_ps(x, columns[0], sums[g][0]);
                        sums[g][1] = _mm256_fmadd_ps(x, columns[1], sums[g][1]);
                    }
                }
            }
            a = a.wrapping_add(left.step);
            b = b.wrapping_add(right.row);
        }
        let c = out.data.as_mut_ptr().wrapping_add(first * out.row + at.1);
        for (i, sums) in sums.iter().enumerate() {
            for (g, sums) in sums.iter().enumerate() {
                for (half, &sum) in sums.iter().enumerate() {
                    // SAFETY: this group of this row of `out` is within its slice.
                    unsafe {
                        let c = c.add(i * out.row + g * out.group + 8 * half);
                        let sum = match out.add {
                            true => _mm256_add_ps(_mm256_loadu_ps(c), sum),
                            false => sum,
                        };
                        _mm256_storeu_ps(c, sum);
                    }
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

    /// Bit for bit, whatever the rows, the groups, the strides and whether they are added to.
    #[test]
    fn equals_the_definition_in_every_shape() {
        for (m, groups) in (1..=20).flat_map(|m| (1..=6).map(move |g| (m, g))) {
            for k in [1, 2, 7, 64] {
                for (row, step) in [(k, 1), (1, 20), (k + 3, 1)] {
                    let a = values((m - 1) * row + (k - 1) * step + 1, 0.1);
                    let left = Left {
                        data: &a,
                        row,
                        step,
                    };
                    // Groups side by side, as in a matrix; and one after the other, as in panels.
                    let wide = groups * LANES + 3;
                    for (rows, group, out_group, add) in [
                        (wide, LANES, LANES, true),
                        (LANES, k * LANES, m * LANES, false),
                    ] {
                        let b = values(k * groups * (LANES + 3), 0.5);
                        let right = Right {
                            data: &b,
                            row: rows,
                            group,
                        };
                        let (mut got, mut want) = (values(m * wide, 0.9), values(m * wide, 0.9));
                        let out = |data| Out {
                            data,
                            row: rows,
                            group: out_group,
                            add,
                        };
                        product(left, m, k, right, groups, &mut out(&mut got));
                        plain(left, m, k, right, groups, &mut out(&mut want));
                        assert_eq!(got, want, "{m} x {k} x {groups}, strides {row} {step}");
                    }
                }
            }
        }
    }
}
