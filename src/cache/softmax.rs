//! Attention in one pass: the running softmax of a block of query rows (Milakov and Gimelshein 2018;
//! FlashAttention, Dao et al. 2022). Representations feed it entries in any order and in any blocks.

use multiversion::multiversion;

use super::matmul::{times, times_transposed};
use super::simd;

/// Query rows `[rows, dim]` that share what they attend to up to a limit per row, with their running
/// maximum, sum of exponentials and weighted sum of values.
pub struct Attending {
    dim: usize,
    /// `[rows, dim]`, already scaled by `1 / sqrt(dim)`.
    queries: Vec<f32>,
    state: Softmax,
    scores: Vec<f32>,
}

/// The running state of each row.
struct Softmax {
    max: Vec<f32>,
    sum: Vec<f32>,
    /// `[rows, dim]`, not yet divided by `sum`.
    out: Vec<f32>,
}

impl Attending {
    /// `queries`: `[rows, dim]`, rotated, not yet scaled.
    pub fn new(mut queries: Vec<f32>, dim: usize) -> Self {
        let factor = 1.0 / (dim as f32).sqrt();
        queries.iter_mut().for_each(|q| *q *= factor);
        let rows = queries.len() / dim;
        let state = Softmax {
            max: vec![f32::NEG_INFINITY; rows],
            sum: vec![0.0; rows],
            out: vec![0.0; queries.len()],
        };
        Self {
            dim,
            queries,
            state,
            scores: Vec::new(),
        }
    }

    pub fn rows(&self) -> usize {
        self.state.max.len()
    }

    /// Scaled queries, `[rows, dim]`.
    pub fn queries(&self) -> &[f32] {
        &self.queries
    }

    /// Logarithm of the sum of exponentiated scores of one row so far.
    pub fn log_sum(&self, row: usize) -> f32 {
        self.state.max[row] + self.state.sum[row].ln()
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
        let span = first * d..(first + count) * d;
        self.scores.resize(count * n, 0.0);
        times_transposed(&self.queries[span.clone()], keys, d, &mut self.scores);
        let seen: Vec<usize> = (0..count).map(|i| visible(i).min(n)).collect();
        weigh(&mut self.scores, &seen, first, d, &mut self.state);
        times(&self.scores, values, n, &mut self.state.out[span]);
    }

    /// Turns one row's `scores` of further entries into weights against the running maximum, rescaling what
    /// was summed before. The caller adds the weighted values to [`Attending::out`].
    pub fn weigh(&mut self, row: usize, scores: &mut [f32]) {
        weigh(scores, &[scores.len()], row, self.dim, &mut self.state);
    }

    /// The weighted sum of values of one row so far, `[dim]`.
    pub fn out(&mut self, row: usize) -> &mut [f32] {
        &mut self.state.out[row * self.dim..(row + 1) * self.dim]
    }

    /// The attention output, `[rows, dim]`.
    pub fn finish(self) -> Vec<f32> {
        let Softmax { sum, mut out, .. } = self.state;
        for (row, sum) in out.chunks_exact_mut(self.dim).zip(&sum) {
            row.iter_mut().for_each(|x| *x /= sum);
        }
        out
    }
}

/// `scores`: one row for each of `seen`, of which it counts the leading `seen[i]`; row `first` of the state onwards.
#[multiversion(targets("x86_64+avx2+fma"))]
fn weigh(scores: &mut [f32], seen: &[usize], first: usize, dim: usize, state: &mut Softmax) {
    let n = scores.len() / seen.len();
    for (i, &seen) in seen.iter().enumerate() {
        let row = first + i;
        let (scores, hidden) = scores[i * n..(i + 1) * n].split_at_mut(seen);
        hidden.fill(0.0);
        if seen == 0 {
            continue;
        }
        let max = state.max[row].max(simd::max(scores));
        if max > state.max[row] {
            let shrink = simd::exp(state.max[row] - max);
            simd::scale(&mut state.out[row * dim..(row + 1) * dim], shrink);
            state.sum[row] *= shrink;
            state.max[row] = max;
        }
        state.sum[row] += simd::exp_and_sum(scores, max);
    }
}
