//! How much the observation window attends to each entry before it (SnapKV, PyramidKV, SpindleKV; TOVA with a window of
//! one).

use super::{Normalisation, Score, add_attention};
use crate::attend::Rule;
use crate::compress::group::Grouping;
use crate::compress::pool::{Pooling, pool};
use crate::compress::view::LayerView;
use crate::kernel::Panels;
use crate::model::observe::Observe;

/// The shape of one KV head's window: `queries` is `[group, window, head_dim]`, `keys` is `[len, head_dim]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowShape {
    /// Query heads that share the KV head.
    pub group: usize,
    /// Queries in the observation window, those of the last `window` tokens.
    pub window: usize,
    /// Elements of a query or key.
    pub head_dim: usize,
}

/// Attention of the observation window's queries to each entry before it, per query head: `[group, len - window]`,
/// row-major.
///
/// `queries: [group, window, head_dim]` and `keys: [len, head_dim]` are rotated. The softmax runs in f32 over all `len`
/// keys by the layer's rule, causal inside the window (SpindleKV eq. 1-2; SnapKV `snapkv_utils.py`).
///
/// # Panics
/// When the lengths do not agree with `shape`, or there are fewer keys than window tokens.
pub fn window_attention(
    rule: &Rule,
    queries: &[f32],
    keys: &[f32],
    shape: WindowShape,
    normalisation: Normalisation,
) -> Vec<f32> {
    let WindowShape {
        group,
        window,
        head_dim,
    } = shape;
    let len = keys.len() / head_dim;
    assert_eq!(keys.len(), len * head_dim, "keys are [len, {head_dim}]");
    assert_eq!(
        queries.len(),
        group * window * head_dim,
        "queries are [{group}, {window}, {head_dim}]"
    );
    assert!(
        window <= len,
        "a window of {window} tokens needs as many keys, there are {len}"
    );
    let before = len - window;
    let mut scores = vec![0f32; group * before];
    if before == 0 || window == 0 {
        return scores;
    }
    let keys = Panels::pack(keys, head_dim);
    for (head, sums) in queries
        .chunks_exact(window * head_dim)
        .zip(scores.chunks_exact_mut(before))
    {
        add_attention(rule, head, &keys, |key| key, |_| 1.0, sums);
        match normalisation {
            Normalisation::Sum => {}
            Normalisation::Mean => sums.iter_mut().for_each(|s| *s /= window as f32),
            Normalisation::Literal => sums
                .iter_mut()
                .enumerate()
                .for_each(|(a, s)| *s /= (len - a) as f32),
        }
    }
    scores
}

/// Attention of the queries of the last `window` tokens to each entry before them, per query head, pooled along the
/// sequence.
#[derive(Debug)]
pub struct WindowAttention {
    /// Tokens of the observation window; all of the prompt where it has fewer.
    pub window: usize,
    /// How the attention of the window's queries becomes one score per entry.
    pub normalisation: Normalisation,
    /// How the scores of the query heads that share a KV head become one ranking, or stay apart.
    pub grouping: Grouping,
    /// How scores are smoothed along the sequence, after those of the query heads were reduced.
    pub pooling: Pooling,
}

impl Score for WindowAttention {
    fn observes(&self) -> Observe {
        Observe {
            window: self.window,
            ..Observe::default()
        }
    }

    fn grouping(&self) -> Option<Grouping> {
        Some(self.grouping)
    }

    /// # Panics
    /// If the entries after the first `n` are not its window: the method then has another recent window.
    fn scores(&self, kv_head: usize, n: usize, layer: LayerView<'_>) -> Vec<f32> {
        let window = self.window.min(layer.len());
        assert_eq!(n, layer.len() - window, "the entries before the window");
        let geometry = layer.geometry();
        let shape = WindowShape {
            group: geometry.group(),
            window,
            head_dim: geometry.head_dim,
        };
        let queries = layer.window_queries(kv_head, shape.window);
        let keys = layer.kv().keys(kv_head).to_f32();
        window_attention(layer.rule(), &queries, &keys, shape, self.normalisation)
    }

    fn smooth(&self, row: &[f32]) -> Vec<f32> {
        pool(row, self.pooling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(head_dim: usize) -> Rule {
        Rule::new(head_dim, None)
    }

    /// The definition, in f64, one element at a time.
    fn plain(
        rule: &Rule,
        queries: &[f32],
        keys: &[f32],
        s: WindowShape,
        normalisation: Normalisation,
    ) -> Vec<f64> {
        let len = keys.len() / s.head_dim;
        let before = len - s.window;
        let mut out = vec![0f64; s.group * before];
        for g in 0..s.group {
            for q in 0..s.window {
                let query = &queries[(g * s.window + q) * s.head_dim..][..s.head_dim];
                let logit = |a: usize| -> f64 {
                    let key = &keys[a * s.head_dim..][..s.head_dim];
                    let products = query.iter().zip(key).map(|(x, y)| *x as f64 * *y as f64);
                    let score = products.sum::<f64>() / (s.head_dim as f64).sqrt();
                    rule.softcap.map_or(score, |cap| {
                        f64::from(cap) * (score / f64::from(cap)).tanh()
                    })
                };
                let position = before + q;
                let first = rule
                    .window
                    .map_or(0, |window| (position + 1).saturating_sub(window));
                let total: f64 = (first..=position).map(|a| logit(a).exp()).sum();
                (first..before).for_each(|a| out[g * before + a] += logit(a).exp() / total);
            }
        }
        for (i, value) in out.iter_mut().enumerate() {
            *value /= match normalisation {
                Normalisation::Sum => 1.0,
                Normalisation::Mean => s.window as f64,
                Normalisation::Literal => (len - i % before) as f64,
            };
        }
        out
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(group in 1usize..4, window in 1usize..10, before in 1usize..70, head_dim in 1usize..20, seed in any::<u32>()) {
            let mut state = seed;
            let mut draw = |n: usize| -> Vec<f32> {
                (0..n).map(|_| { state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223); (state >> 8) as f32 / (1 << 22) as f32 - 2.0 }).collect()
            };
            let shape = WindowShape { group, window, head_dim };
            let queries = draw(group * window * head_dim);
            let keys = draw((before + window) * head_dim);
            for normalisation in [Normalisation::Sum, Normalisation::Mean, Normalisation::Literal] {
                for (softcap, sliding) in [(None, None), (Some(1.5), None), (None, Some(12)), (Some(0.7), Some(30))] {
                    let rule = Rule { softcap, window: sliding, ..rule(head_dim) };
                    let got = window_attention(&rule, &queries, &keys, shape, normalisation);
                    for (g, w) in got.iter().zip(plain(&rule, &queries, &keys, shape, normalisation)) {
                        prop_assert!((*g as f64 - w).abs() < 1e-5 * w.max(1e-3), "{g} {w}");
                    }
                }
            }
        }
    }

    #[test]
    fn nothing_before_the_window_has_no_scores() {
        let shape = WindowShape {
            group: 2,
            window: 1,
            head_dim: 2,
        };
        let found = window_attention(&rule(2), &[1.0; 4], &[1.0; 2], shape, Normalisation::Sum);
        assert!(found.is_empty());
    }
}
