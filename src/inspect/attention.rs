//! How concentrated attention is (docs/PAPER.md 2, figure 3a): per layer, the attention of the window's queries to the
//! entries before them, added up from the least attended entry to the most.

use rayon::prelude::*;
use serde::Serialize;

use super::window::WINDOW;
use crate::compress::score::{Normalisation, WindowShape, window_attention};
use crate::compress::view::LayerView;
use crate::model::observe::Prefilled;
use crate::store::Fault;

/// Number of equal steps that ranks are divided into.
const STEPS: usize = 100;

/// Cumulative attention of every layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttentionMap {
    /// Numbers of entries at which sums are given, ascending from 0 to all `n` before the window: every percent, and
    /// within the last percent, where most of the attention is, `n - 1`, `n - 2`, `n - 4` and so on.
    pub ranks: Vec<usize>,
    /// One for each layer of the model.
    pub layers: Vec<LayerAttention>,
}

/// Cumulative attention of one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerAttention {
    /// For each rank, the share (0 to 1) of the attention to entries before the window that this number of least
    /// attended entries draws. Mean over query heads, each with its own order.
    pub cumulative: Vec<f32>,
    /// Share of the window's attention that goes to entries before it, mean over query heads. The rest goes to the
    /// window itself.
    pub before_window: f32,
}

impl AttentionMap {
    /// # Errors
    /// Attention that is not finite.
    pub(super) fn of(prefilled: &Prefilled) -> Result<Self, Fault> {
        let entries = prefilled.len - WINDOW;
        let ranks = ranks(entries);
        let view = |layer| LayerView {
            prefilled,
            layer,
            draws: 0,
        };
        let layers: Vec<Result<LayerAttention, Fault>> = (0..prefilled.layers.len())
            .into_par_iter()
            .map(|layer| of_layer(view(layer), &ranks))
            .collect();
        let layers = layers.into_iter().collect::<Result<_, _>>()?;
        Ok(Self { ranks, layers })
    }
}

fn ranks(entries: usize) -> Vec<usize> {
    let steps = (0..=STEPS).map(|step| step * entries / STEPS);
    let all_but = std::iter::successors(Some(1), |n| Some(2 * n));
    let last = all_but.take_while(|&n| n <= entries / STEPS);
    let mut ranks: Vec<usize> = steps.chain(last.map(|n| entries - n)).collect();
    ranks.sort_unstable();
    ranks.dedup();
    ranks
}

fn of_layer(layer: LayerView<'_>, ranks: &[usize]) -> Result<LayerAttention, Fault> {
    let geometry = layer.geometry();
    let shape = WindowShape {
        group: geometry.group(),
        window: WINDOW,
        head_dim: geometry.head_dim,
    };
    let mut shares = vec![0f64; ranks.len()];
    let mut before_window = 0f64;
    for kv_head in 0..geometry.kv_heads {
        let queries = layer.window_queries(kv_head, WINDOW);
        let keys = layer.kv().keys(kv_head).to_f32();
        let mut scores =
            window_attention(layer.rule(), &queries, &keys, shape, Normalisation::Mean);
        if let Some(fault) = Fault::of_scores(&scores, layer.len() - WINDOW) {
            return Err(fault.in_layer(layer.layer));
        }
        for head in scores.chunks_exact_mut(layer.len() - WINDOW) {
            head.sort_unstable_by(f32::total_cmp);
            let (sums, total) = sums_at(head, ranks);
            for (share, sum) in shares.iter_mut().zip(sums) {
                *share += sum / total;
            }
            before_window += total;
        }
    }
    let mean = |sum: f64| (sum / geometry.heads as f64) as f32;
    Ok(LayerAttention {
        cumulative: shares.into_iter().map(mean).collect(),
        before_window: mean(before_window),
    })
}

/// The sum of the first `rank` scores for each of `ranks`, which ascend, and the sum of all.
fn sums_at(scores: &[f32], ranks: &[usize]) -> (Vec<f64>, f64) {
    let (mut sum, mut at) = (0f64, 0);
    let mut advance = |to: usize| {
        sum += scores[at..to].iter().map(|&s| f64::from(s)).sum::<f64>();
        at = to;
        sum
    };
    let sums = ranks.iter().map(|&rank| advance(rank)).collect();
    (sums, advance(scores.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_finer_at_the_end() {
        assert_eq!(ranks(3), [0, 1, 2, 3]);
        let ranks = ranks(1000);
        assert_eq!(ranks[..3], [0, 10, 20]);
        assert_eq!(ranks[98..], [980, 990, 992, 996, 998, 999, 1000]);
    }

    #[test]
    fn sums_are_of_the_least_scores_up_to_each_rank() {
        let (sums, total) = sums_at(&[0.125, 0.25, 0.5, 1.0], &[0, 1, 3]);
        assert_eq!((sums, total), (vec![0.0, 0.125, 0.875], 1.875));
    }
}
