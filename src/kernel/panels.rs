//! The right factor of a matrix product, regrouped once so that the product streams through it.

use rayon::prelude::*;

use std::ops::Range;

use super::tile::{LANES, Left, Out, Right, product, rows_of_a_tile};

/// Most inner elements summed at once: a panel of so many stays in the first-level cache while rows pass by.
const DEPTH: usize = 640;
/// Left rows from which on tasks are made of rows and not of panels: enough to pay for reading the whole right factor.
const MANY: usize = 64;
/// Panels to a task of few rows.
const TASK: usize = 8;

/// A matrix `[rows, k]` that others are multiplied with from the left, `a b^T`: panels of [`LANES`] rows, each
/// `[k, LANES]`, the last one filled up with zeros.
#[derive(Debug, Clone)]
pub struct Panels {
    rows: usize,
    k: usize,
    data: Vec<f32>,
}

impl Panels {
    /// `matrix`: `[rows, k]`.
    ///
    /// # Panics
    /// When it is not whole rows.
    pub fn pack(matrix: &[f32], k: usize) -> Self {
        assert!(
            k > 0 && matrix.len().is_multiple_of(k),
            "rows of {k} elements, {} in all",
            matrix.len()
        );
        let mut data = vec![0.0; (matrix.len() / k).div_ceil(LANES) * LANES * k];
        data.par_chunks_mut(LANES * k)
            .zip(matrix.par_chunks(LANES * k))
            .for_each(|(panel, rows)| {
                for (lane, row) in rows.chunks_exact(k).enumerate() {
                    for (at, &x) in panel[lane..].iter_mut().step_by(LANES).zip(row) {
                        *at = x;
                    }
                }
            });
        Self {
            rows: matrix.len() / k,
            k,
            data,
        }
    }

    /// Rows of the matrix, without those that fill up the last panel.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Elements of a row.
    pub fn k(&self) -> usize {
        self.k
    }

    fn all(&self) -> PanelSpan<'_> {
        PanelSpan {
            rows: self.rows,
            k: self.k,
            data: &self.data,
        }
    }

    /// Those rows of the matrix that are in `range`, which begins with a panel.
    ///
    /// # Panics
    /// When it does not, or when there are no such rows.
    pub fn part(&self, range: Range<usize>) -> PanelSpan<'_> {
        assert!(
            range.start.is_multiple_of(LANES) && range.end <= self.rows,
            "rows {range:?} of {} in panels of {LANES}",
            self.rows
        );
        let panels = range.start / LANES..range.end.div_ceil(LANES);
        PanelSpan {
            rows: range.len(),
            k: self.k,
            data: &self.data[panels.start * LANES * self.k..panels.end * LANES * self.k],
        }
    }

    /// Row `i`, `[k]`.
    pub fn row(&self, i: usize) -> impl Iterator<Item = f32> + '_ {
        let panel = &self.data[i / LANES * LANES * self.k..][..LANES * self.k];
        panel[i % LANES..].iter().step_by(LANES).copied()
    }

    /// `out = a b^T`, or added to what is there where `add`: `a` is `[m, k]`, `out` `[m, rows]`. Runs on all threads.
    ///
    /// # Panics
    /// When the lengths do not agree.
    pub fn product(&self, a: &[f32], out: &mut [f32], add: bool) {
        let m = a.len() / self.k;
        assert!(
            a.len() == m * self.k && out.len() == m * self.rows,
            "{} of {} elements times {} of them, {} put out",
            m,
            self.k,
            self.rows,
            out.len()
        );
        if m == 0 {
            return;
        }
        let all = self.all();
        if m >= MANY {
            // Several tasks a thread, so that none waits long for another; whole tiles.
            let rows = m
                .div_ceil(4 * rayon::current_num_threads())
                .next_multiple_of(rows_of_a_tile());
            out.par_chunks_mut(rows * self.rows)
                .zip(a.par_chunks(rows * self.k))
                .for_each(|(out, a)| all.add_product(a, out, add));
        } else {
            all.by_panels(a, m, out, add);
        }
    }
}

/// Some rows of such a matrix.
#[derive(Clone, Copy)]
pub struct PanelSpan<'p> {
    rows: usize,
    k: usize,
    data: &'p [f32],
}

impl PanelSpan<'_> {
    /// `out = a b^T` on the calling thread: `a` is `[m, k]`, `out` `[m, rows]`.
    ///
    /// # Panics
    /// When the lengths do not agree.
    pub fn product(self, a: &[f32], out: &mut [f32]) {
        let m = a.len() / self.k;
        assert!(
            a.len() == m * self.k && out.len() == m * self.rows,
            "{m} of {} elements times {} of them, {} put out",
            self.k,
            self.rows,
            out.len()
        );
        self.add_product(a, out, false);
    }

    /// Parts of the inner dimension: as equal as they can be.
    fn depths(self) -> impl Iterator<Item = (usize, usize)> {
        let depth = self.k.div_ceil(self.k.div_ceil(DEPTH));
        let k = self.k;
        (0..k)
            .step_by(depth)
            .map(move |start| (start, depth.min(k - start)))
    }

    fn add_product(self, a: &[f32], out: &mut [f32], add: bool) {
        let m = a.len() / self.k;
        let whole = self.rows / LANES;
        let (wholes, edges) = self.data.split_at(whole * LANES * self.k);
        let mut edge = vec![0.0; if edges.is_empty() { 0 } else { m * LANES }];
        if add {
            lift(out, whole * LANES, self.rows, &mut edge);
        }
        for (start, depth) in self.depths() {
            let (left, add) = (self.left(a, start), add || start > 0);
            let mut out = Out {
                data: &mut *out,
                row: self.rows,
                group: LANES,
                add,
            };
            if whole > 0 {
                product(left, m, depth, self.right(wholes, start), whole, &mut out);
            }
            let mut edge = Out {
                data: &mut edge,
                row: LANES,
                group: 0,
                add,
            };
            if !edges.is_empty() {
                product(left, m, depth, self.right(edges, start), 1, &mut edge);
            }
        }
        place(&edge, whole * LANES, self.rows, out);
    }

    /// Few rows: every thread reads its own part of the panels, which are what takes the time.
    fn by_panels(self, a: &[f32], m: usize, out: &mut [f32], add: bool) {
        let mut columns = vec![0.0; self.rows.div_ceil(LANES) * m * LANES];
        if add {
            for (number, columns) in columns.chunks_exact_mut(m * LANES).enumerate() {
                lift(out, number * LANES, self.rows, columns);
            }
        }
        columns
            .par_chunks_mut(TASK * m * LANES)
            .zip(self.data.par_chunks(TASK * LANES * self.k))
            .for_each(|(columns, panels)| {
                for (start, depth) in self.depths() {
                    let groups = columns.len() / (m * LANES);
                    let mut out = Out {
                        data: columns,
                        row: LANES,
                        group: m * LANES,
                        add: add || start > 0,
                    };
                    let (left, right) = (self.left(a, start), self.right(panels, start));
                    product(left, m, depth, right, groups, &mut out);
                }
            });
        for (number, columns) in columns.chunks_exact(m * LANES).enumerate() {
            place(columns, number * LANES, self.rows, out);
        }
    }

    /// Rows `[m, k]` from inner element `start` on.
    fn left<'a>(self, a: &'a [f32], start: usize) -> Left<'a> {
        Left {
            data: &a[start..],
            row: self.k,
            step: 1,
        }
    }

    /// Panels from inner element `start` on.
    fn right<'a>(self, panels: &'a [f32], start: usize) -> Right<'a> {
        Right {
            data: &panels[start * LANES..],
            row: LANES,
            group: self.k * LANES,
        }
    }
}

/// Puts `columns`, `[m, LANES]`, into `out`, `[m, width]`, from column `start` on, as many as there are.
fn place(columns: &[f32], start: usize, width: usize, out: &mut [f32]) {
    let n = LANES.min(width - start.min(width));
    for (row, columns) in columns.chunks_exact(LANES).enumerate() {
        out[row * width + start..][..n].copy_from_slice(&columns[..n]);
    }
}

/// Copies columns `start..` of `out`, `[m, width]`, into `columns`, `[m, LANES]`: the inverse of [`place`]. Products
/// are then added to them, not the other way round, so that the order of additions is the same for any number of rows.
fn lift(out: &[f32], start: usize, width: usize, columns: &mut [f32]) {
    let n = LANES.min(width - start.min(width));
    for (row, columns) in columns.chunks_exact_mut(LANES).enumerate() {
        columns[..n].copy_from_slice(&out[row * width + start..][..n]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(n: usize, seed: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * 0.37 + seed).sin()).collect()
    }

    #[test]
    fn agrees_with_plain_dots_and_rows_do_not_influence_each_other() {
        for (m, n, k) in [
            (1, 64, 96),
            (5, 67, 700),
            (70, 40, 33),
            (200, 17, 576),
            (90, 40, 1500),
        ] {
            let (a, b) = (values(m * k, 0.2), values(n * k, 0.8));
            let panels = Panels::pack(&b, k);
            let mut out = vec![f32::NAN; m * n];
            panels.product(&a, &mut out, false);
            for (i, out) in out.chunks_exact(n).enumerate() {
                let row = &a[i * k..(i + 1) * k];
                for (j, got) in out.iter().enumerate() {
                    let pairs = row.iter().zip(&b[j * k..]);
                    let want: f64 = pairs.map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
                    let bound = 1e-6 * k as f64;
                    assert!(
                        (f64::from(*got) - want).abs() < bound,
                        "{m}x{n}x{k}: {got} {want}"
                    );
                }
                let mut alone = vec![0.0; n];
                panels.product(row, &mut alone, false);
                assert_eq!(alone, out, "row {i} of {m}x{n}x{k}");
            }
            let mut here = vec![f32::NAN; m * (n - n / LANES / 2 * LANES)];
            let part = n / LANES / 2 * LANES..n;
            panels.part(part.clone()).product(&a, &mut here);
            for (out, here) in out.chunks_exact(n).zip(here.chunks_exact(part.len())) {
                assert_eq!(&out[part.clone()], here, "a part of {m}x{n}x{k}");
            }
            let mut twice = out.clone();
            panels.product(&a, &mut twice, true);
            let rows = a.chunks_exact(k).zip(out.chunks_exact(n));
            for ((row, out), twice) in rows.zip(twice.chunks_exact(n)) {
                let mut alone = out.to_vec();
                panels.product(row, &mut alone, true);
                assert_eq!(alone, twice, "added, {m}x{n}x{k}");
            }
            let off = twice
                .iter()
                .zip(&out)
                .map(|(twice, once)| (twice - 2.0 * once).abs());
            assert!(off.fold(0.0, f32::max) < 1e-5 * k as f32);
            for i in [0, n - 1] {
                assert!(panels.row(i).eq(b[i * k..(i + 1) * k].iter().copied()));
            }
        }
    }
}
