//! How much attention each entry draws from all queries (H2O's heavy hitters), block by block: a second pass over the
//! keys with the rows' final softmax sums, so that no matrix of `queries x entries` is ever held.

use super::dense::{BLOCK, DenseKv};
use super::softmax::Attending;

/// The attention weights of finished rows added up over the tokens of each query head: `[group, entries]`, where token
/// `t` of `attending` sees the first `visible(t)` entries of `head`.
///
/// `attending` must have absorbed those entries and no others. Weights are `exp(score - log sum)` in f32.
pub fn column_sums(
    dense: &DenseKv,
    head: usize,
    attending: &mut Attending,
    visible: impl Fn(usize) -> usize,
) -> Vec<f32> {
    let entries = (0..attending.tokens()).map(&visible).max().unwrap_or(0);
    let mut sums = vec![0.0; attending.members() * entries];
    let mut scratch = Vec::new();
    for start in (0..entries).step_by(BLOCK) {
        let n = BLOCK.min(entries - start);
        let keys = dense.keys[head].block(start..start + n, &mut scratch);
        for (member, sums) in sums.chunks_exact_mut(entries).enumerate() {
            let visible = |t: usize| visible(t).saturating_sub(start);
            attending.add_drawn(member, keys, visible, &mut sums[start..start + n]);
        }
    }
    sums
}
