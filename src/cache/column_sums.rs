//! How much attention each entry draws from all queries (H2O's heavy hitters), block by block: a second pass over the
//! keys with the rows' final softmax sums, so that no matrix of `queries x entries` is ever held.

use multiversion::multiversion;

use super::dense::DenseKv;
use super::matmul::times_transposed;
use super::simd;
use super::softmax::Attending;

/// Entries scored at once.
const BLOCK: usize = 256;

/// The attention weights of finished rows added up over the rows of each query head: `[group, entries]`, where
/// `attending` has `tokens` rows for each query head in turn and row `i` sees the first `visible(i)` entries of `head`.
///
/// `attending` must have absorbed those entries and no others. Weights are `exp(score - log sum)` in f32.
pub fn column_sums(
    dense: &DenseKv,
    head: usize,
    attending: &Attending,
    tokens: usize,
    visible: impl Fn(usize) -> usize,
) -> Vec<f32> {
    let (rows, d) = (attending.rows(), dense.keys[head].dim());
    let entries = (0..rows).map(&visible).max().unwrap_or(0);
    let mut sums = vec![0.0; rows / tokens * entries];
    let log_sums: Vec<f32> = (0..rows).map(|row| attending.log_sum(row)).collect();
    let (mut scratch, mut scores) = (Vec::new(), Vec::new());
    for start in (0..entries).step_by(BLOCK) {
        let n = BLOCK.min(entries - start);
        let keys = dense.keys[head].block(start..start + n, &mut scratch);
        scores.resize(rows * n, 0.0);
        times_transposed(attending.queries(), keys, d, &mut scores);
        for (row, scores) in scores.chunks_exact(n).enumerate() {
            let seen = visible(row).saturating_sub(start).min(n);
            let first = row / tokens * entries + start;
            add_weights(
                &scores[..seen],
                log_sums[row],
                &mut sums[first..first + seen],
            );
        }
    }
    sums
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn add_weights(scores: &[f32], log_sum: f32, sums: &mut [f32]) {
    for (sum, score) in sums.iter_mut().zip(scores) {
        *sum += simd::exp(score - log_sum);
    }
}
