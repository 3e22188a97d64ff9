//! The matrix product under every other: some rows against sixteen columns, held in registers.

/// Columns that are worked on side by side, a group: two AVX registers of f32, or one of AVX-512.
pub const LANES: usize = 16;

/// The left factor, `[m, k]` with any strides: element `(i, k)` is `data[i * row + k * step]`.
#[derive(Clone, Copy)]
pub struct Left<'a> {
    /// The elements; others may lie between them.
    pub data: &'a [f32],
    /// Elements from one row to the next.
    pub row: usize,
    /// Elements from one column to the next.
    pub step: usize,
}

/// The right factor, `[k, groups * LANES]`: lane `j` of group `g` in row `k` is `data[k * row + g * group + j]`.
#[derive(Clone, Copy)]
pub struct Right<'a> {
    /// The elements; others may lie between them.
    pub data: &'a [f32],
    /// Elements from one row to the next.
    pub row: usize,
    /// Elements from one group of [`LANES`] columns to the next.
    pub group: usize,
}

/// The result, `[m, groups * LANES]`, laid out as [`Right`] is.
pub struct Out<'a> {
    /// The elements; others may lie between them and are not touched.
    pub data: &'a mut [f32],
    /// Elements from one row to the next.
    pub row: usize,
    /// Elements from one group of [`LANES`] columns to the next.
    pub group: usize,
    /// Whether the product is added to what is there; else it replaces it.
    pub add: bool,
}

/// Rows that are worked on together: those of whole tiles take the least time.
pub(super) fn rows_of_a_tile() -> usize {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        return avx512::ROWS;
    }
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        return avx2::ROWS;
    }
    1
}

/// `out[i, j] = sum over k of left[i, k] * right[k, j]` for `m` rows and `groups` of [`LANES`] columns.
///
/// Every element is one chain of fused multiply-adds in the order of `k`, so it depends on its row and its column
/// alone.
///
/// # Panics
/// When a slice is too short for its shape and strides, or elements of the result share a place.
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
    let columns = (groups, right.group);
    let (rows_out, columns_out) = ((m, out.row), (groups, out.group));
    assert!(
        holds(left.data, [(m, left.row), (k, left.step)], 1)
            && holds(right.data, [(k, right.row), columns], LANES)
            && holds(out.data, [rows_out, columns_out], LANES),
        "a product of {m} x {k} x {groups} groups of shorter slices"
    );
    assert!(
        lie_apart(rows_out, columns_out) || lie_apart(columns_out, rows_out),
        "a product of {m} rows, {} apart, and {groups} groups, {} apart, onto one another",
        out.row,
        out.group
    );
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the feature was just found, and the assertions above hold every access within its slice.
        return unsafe { avx512::product(left, m, k, right, groups, out) };
    }
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: the features were just found, and the assertions above hold every access within its slice.
        return unsafe { avx2::product(left, m, k, right, groups, out) };
    }
    plain(left, m, k, right, groups, out);
}

/// How often something is repeated, and how many elements lie from one to the next.
type Axis = (usize, usize);

/// One past the last of `run` elements side by side that are repeated along the axes; `None` if it cannot be counted.
fn end(axes: &[Axis], run: usize) -> Option<usize> {
    axes.iter().try_fold(run, |end, &(count, stride)| {
        count
            .saturating_sub(1)
            .checked_mul(stride)?
            .checked_add(end)
    })
}

/// Whether all of such elements are in `data`.
fn holds(data: &[f32], axes: [Axis; 2], run: usize) -> bool {
    end(&axes, run).is_some_and(|end| end <= data.len())
}

/// Whether groups along `inner` lie side by side, and all of them between two steps along `outer`.
fn lie_apart(inner: Axis, outer: Axis) -> bool {
    let step = |(count, stride): Axis| if count == 1 { usize::MAX } else { stride };
    step(inner) >= LANES && end(&[inner], LANES).is_some_and(|end| end <= step(outer))
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

/// The product in the instructions of one width of register. Every sum is the same chain whatever the width.
#[cfg(target_arch = "x86_64")]
macro_rules! registers {
    (
        $name:ident, $features:tt, $register:ident, $per_group:literal registers to a group,
        tiles of $rows:literal rows [$($fewer:literal)*] and $wide:literal groups,
        $zero:ident, $load:ident, $all:ident, $multiply_add:ident, $plus:ident, $store:ident
    ) => {
        mod $name {
            use std::arch::x86_64::{
                _MM_HINT_T1, _mm_prefetch, $all, $load, $multiply_add, $plus, $register, $store, $zero,
            };

            use super::{LANES, Left, Out, Right};

            /// Registers that the columns of a group take.
            const PARTS: usize = $per_group;
            /// Rows and groups of a tile: their sums leave room for registers of columns and one of rows.
            pub(super) const ROWS: usize = $rows;
            const GROUPS: usize = $wide;

            /// # Safety
            /// Needs the features, and slices as long as [`super::product`] asserts.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn product(
                left: Left<'_>,
                m: usize,
                k: usize,
                right: Right<'_>,
                groups: usize,
                out: &mut Out<'_>,
            ) {
                // Few rows take more groups at once, so that there are sums enough to hide what a multiply-add takes.
                let together = match m {
                    1 => 8 / PARTS,
                    2 | 3 => 4 / PARTS,
                    _ => GROUPS,
                };
                let mut group = 0;
                while group < groups {
                    let at = (group * right.group, group * out.group);
                    // SAFETY: as the caller promises.
                    unsafe {
                        if groups - group >= together {
                            match m {
                                1 => tile::<1, { 8 / PARTS }, 0>(left, 0, k, right, out, at, NOTHING),
                                2 => tile::<2, { 4 / PARTS }, 0>(left, 0, k, right, out, at, NOTHING),
                                3 => tile::<3, { 4 / PARTS }, 0>(left, 0, k, right, out, at, NOTHING),
                                _ => column::<GROUPS>(left, m, k, right, out, at),
                            }
                            group += together;
                        } else {
                            column::<1>(left, m, k, right, out, at);
                            group += 1;
                        }
                    }
                }
            }

            /// All rows of `G` groups. Meanwhile the next ones are fetched, each tile of rows a part of them: computing
            /// and waiting for memory take about as long where rows are few, and would else take turns.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn column<const G: usize>(
                left: Left<'_>,
                m: usize,
                k: usize,
                right: Right<'_>,
                out: &mut Out<'_>,
                at: (usize, usize),
            ) {
                let tiles = m.div_ceil(ROWS);
                // Wrapping: the stride of a factor of one row is not used, and may be anything.
                let line = right.row.wrapping_mul(G);
                let next = right.data.as_ptr().wrapping_add(at.0.wrapping_add(right.group.wrapping_mul(G)));
                for number in 0..tiles {
                    let row = number * ROWS;
                    let fetch = Fetch {
                        from: next.wrapping_add((number * k).wrapping_mul(line) / tiles),
                        step: line.div_ceil(tiles),
                    };
                    // SAFETY: as the caller promises.
                    unsafe {
                        match (m - row).min(ROWS) {
                            $($fewer if tiles == 1 => {
                                tile::<$fewer, G, G>(left, row, k, right, out, at, fetch);
                            })*
                            $($fewer => tile::<$fewer, G, 1>(left, row, k, right, out, at, fetch),)*
                            _ => unreachable!("a tile has at least one row"),
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

            /// `M` rows from `first` on, `G` groups from those on that begin at `at` in the right factor and in the
            /// result; meanwhile `FETCH` lines of the cache are fetched at each step of `k`.
            #[inline]
            #[target_feature(enable = $features)]
            unsafe fn tile<const M: usize, const G: usize, const FETCH: usize>(
                left: Left<'_>,
                first: usize,
                k: usize,
                right: Right<'_>,
                out: &mut Out<'_>,
                at: (usize, usize),
                fetch: Fetch,
            ) {
                let mut sums: [[[$register; PARTS]; G]; M] = [[[$zero(); PARTS]; G]; M];
                let a = left.data.as_ptr().wrapping_add(first * left.row);
                // One offset for all rows, not a pointer stepped for each.
                let rows: [*const f32; M] = std::array::from_fn(|i| a.wrapping_add(i * left.row));
                let mut at_k = 0;
                let mut b = right.data.as_ptr().wrapping_add(at.0);
                let mut fetched = fetch.from;
                for _ in 0..k {
                    for line in 0..FETCH {
                        _mm_prefetch::<_MM_HINT_T1>(fetched.wrapping_add(line * LANES).cast());
                    }
                    fetched = fetched.wrapping_add(fetch.step);
                    for g in 0..G {
                        // SAFETY: these rows of this step of `a`, and this group of this row of `b`, are within their
                        // slices.
                        unsafe {
                            let b = b.add(g * right.group);
                            let columns: [$register; PARTS] =
                                std::array::from_fn(|part| $load(b.add(part * (LANES / PARTS))));
                            for (i, sums) in sums.iter_mut().enumerate() {
                                let x = $all(*rows[i].add(at_k));
                                for (sum, columns) in sums[g].iter_mut().zip(columns) {
                                    *sum = $multiply_add(x, columns, *sum);
                                }
                            }
                        }
                    }
                    at_k += left.step;
                    b = b.wrapping_add(right.row);
                }
                let c = out.data.as_mut_ptr().wrapping_add(first * out.row + at.1);
                for (i, sums) in sums.iter().enumerate() {
                    for (g, sums) in sums.iter().enumerate() {
                        for (part, &sum) in sums.iter().enumerate() {
                            // SAFETY: this group of this row of `out` is within its slice.
                            unsafe {
                                let c = c.add(i * out.row + g * out.group + part * (LANES / PARTS));
                                let sum = match out.add {
                                    true => $plus($load(c), sum),
                                    false => sum,
                                };
                                $store(c, sum);
                            }
                        }
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
registers!(
    avx2, "avx2,fma", __m256, 2 registers to a group,
    tiles of 6 rows [6 5 4 3 2 1] and 1 groups,
    _mm256_setzero_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_add_ps, _mm256_storeu_ps
);
#[cfg(target_arch = "x86_64")]
registers!(
    avx512, "avx512f", __m512, 1 registers to a group,
    tiles of 8 rows [8 7 6 5 4 3 2 1] and 2 groups,
    _mm512_setzero_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_add_ps, _mm512_storeu_ps
);

#[cfg(test)]
mod tests;
