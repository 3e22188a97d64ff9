//! Attention in one pass: the running softmax of a block of query rows (Milakov and Gimelshein 2018;
//! FlashAttention, Dao et al. 2022). Representations feed it entries in any order and in any blocks.

use super::matmul::{times, times_transposed};
use super::simd;

/// Query rows `[rows, dim]` that share what they attend to up to a limit per row, with their running
/// maximum, sum of exponentials and weighted sum of values.
pub struct Attending {
    dim: usize,
    /// `[rows, dim]`, already scaled by `1 / sqrt(dim)`.
    queries: Vec<f32>,
    max: Vec<f32>,
    sum: Vec<f32>,
    /// `[rows, dim]`, not yet divided by `sum`.
    out: Vec<f32>,
    scores: Vec<f32>,
}

impl Attending {
    /// `queries`: `[rows, dim]`, rotated, not yet scaled.
    pub fn new(mut queries: Vec<f32>, dim: usize) -> Self {
        let factor = 1.0 / (dim as f32).sqrt();
        simd::vectorised(|| simd::scale(&mut queries, factor));
        let rows = queries.len() / dim;
        Self {
            dim,
            max: vec![f32::NEG_INFINITY; rows],
            sum: vec![0.0; rows],
            out: vec![0.0; queries.len()],
            queries,
            scores: Vec::new(),
        }
    }

    pub fn rows(&self) -> usize {
        self.max.len()
    }

    /// Scaled query of one row, `[dim]`.
    pub fn query(&self, row: usize) -> &[f32] {
        &self.queries[row * self.dim..(row + 1) * self.dim]
    }

    /// Attends rows `first..first + count` to a block of entries: `keys` (rotated) and `values`, `[n, dim]` each.
    /// Row `first + i` sees the leading `visible(i)` entries of the block.
    pub fn absorb(
        &mut self,
        first: usize,
        count: usize,
        keys: &[f32],
        values: &[f32],
        visible: impl Fn(usize) -> usize,
    ) {
        let (d, n) = (self.dim, keys.len() / self.dim);
        let mut scores = std::mem::take(&mut self.scores);
        scores.resize(count * n, 0.0);
        let span = first * d..(first + count) * d;
        times_transposed(&self.queries[span.clone()], keys, d, &mut scores);
        simd::vectorised(|| {
            for (i, row) in scores.chunks_exact_mut(n).enumerate() {
                let seen = visible(i).min(n);
                self.weigh(first + i, &mut row[..seen]);
                row[seen..].fill(0.0);
            }
        });
        times(&scores, values, n, &mut self.out[span]);
        self.scores = scores;
    }

    /// Turns one row's `scores` of further entries into weights against the running maximum, rescaling what
    /// was summed before. The caller adds the weighted values with [`Attending::add`].
    #[inline(always)]
    pub fn weigh(&mut self, row: usize, scores: &mut [f32]) {
        let block_max = simd::max(scores);
        if block_max == f32::NEG_INFINITY {
            scores.fill(0.0);
            return;
        }
        let max = self.max[row].max(block_max);
        if max > self.max[row] {
            let shrink = simd::exp(self.max[row] - max);
            simd::scale(&mut self.out[row * self.dim..(row + 1) * self.dim], shrink);
            self.sum[row] *= shrink;
            self.max[row] = max;
        }
        self.sum[row] += simd::exp_and_sum(scores, max);
    }

    /// Adds `weight * value` to one row's output.
    #[inline(always)]
    pub fn add(&mut self, row: usize, weight: f32, value: &[f32]) {
        simd::add_scaled(&mut self.out[row * self.dim..(row + 1) * self.dim], weight, value);
    }

    /// The attention output, `[rows, dim]`.
    pub fn finish(mut self) -> Vec<f32> {
        simd::vectorised(|| {
            for (row, sum) in self.out.chunks_exact_mut(self.dim).zip(&self.sum) {
                simd::scale(row, 1.0 / sum);
            }
        });
        self.out
    }
}
