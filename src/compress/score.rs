//! Scores of entries: how much the observation window attends to each (SnapKV, PyramidKV, SpindleKV;
//! TOVA with a window of one), and the norm of each key (Knorm).
//!
//! First step of every eviction method: score, then `pool`, `group`, and `select`.

use std::f32::consts::LOG2_E;

use multiversion::multiversion;
use serde::Deserialize;
use strum::{IntoStaticStr, VariantNames};

use crate::attend::Rule;
use crate::kernel::{Panels, dot, simd};

/// How the attention of the window's queries is reduced to one score per entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum Normalisation {
    /// The sum over the window's queries (SnapKV, PyramidKV in KVCache-Factory).
    Sum,
    /// The mean over the window's queries (kvpress). Ranks as [`Normalisation::Sum`] does.
    Mean,
    /// SpindleKV's eq. 2 as printed: the sum divided by `len - a` for entry `a`, the number of queries that can see it,
    /// though only the window's are summed. Favours late entries.
    Literal,
}

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

/// Attention that the observation window pays to each entry before it, per query head: `[group, len - window]`, row-major.
///
/// `queries: [group, window, head_dim]` and `keys: [len, head_dim]` are rotated. The softmax runs in f32 over all `len` keys
/// as the layer's rule has it, causal inside the window (SpindleKV eq. 1-2; SnapKV `snapkv_utils.py`).
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
        add_attention(rule, head, &keys, |_| 1.0, sums);
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

/// Queries whose products with all keys are held at once, which bounds the memory for them.
const QUERIES: usize = 64;

/// Adds to `sums`, one for each entry before the window, the attention of the window's queries times the weight of each
/// query: `queries: [window, head_dim]` are those of the last tokens of `keys: [len, head_dim]`, both rotated.
/// Softmax as in [`window_attention`], in powers of two.
pub fn add_attention(
    rule: &Rule,
    queries: &[f32],
    keys: &Panels,
    weight: impl Fn(usize) -> f32,
    sums: &mut [f32],
) {
    let (len, head_dim, before) = (keys.rows(), keys.k(), sums.len());
    let scale = LOG2_E * rule.scale;
    let scaled: Vec<f32> = queries.iter().map(|q| q * scale).collect();
    let mut logits = Vec::new();
    for (block, queries) in scaled.chunks(QUERIES * head_dim).enumerate() {
        logits.resize(queries.len() / head_dim * len, 0.0);
        keys.part(0..len).product(queries, &mut logits);
        for (i, row) in logits.chunks_exact_mut(len).enumerate() {
            let query = block * QUERIES + i;
            let visible = &mut row[..=before + query];
            let factor = weight(query) / exponentiate(visible);
            for (sum, e) in sums.iter_mut().zip(visible.iter()) {
                *sum += e * factor;
            }
        }
    }
}

/// The Euclidean norm of each key of `keys: [len, head_dim]`. Knorm (kvpress) scores an entry `-norm`: it keeps low norms.
///
/// # Panics
/// When `keys` is not a whole number of vectors.
pub fn key_norms(keys: &[f32], head_dim: usize) -> Vec<f32> {
    assert!(
        keys.len().is_multiple_of(head_dim),
        "keys are [len, {head_dim}]"
    );
    keys.chunks_exact(head_dim)
        .map(|key| dot(key, key).sqrt())
        .collect()
}

/// Replaces each `x` by `2^(x - max)` and returns their sum.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
fn exponentiate(row: &mut [f32]) -> f32 {
    let max = simd::max(row);
    simd::exp2_and_sum(row, max)
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
                    query
                        .iter()
                        .zip(key)
                        .map(|(x, y)| *x as f64 * *y as f64)
                        .sum::<f64>()
                        / (s.head_dim as f64).sqrt()
                };
                let total: f64 = (0..=before + q).map(|a| logit(a).exp()).sum();
                (0..before).for_each(|a| out[g * before + a] += logit(a).exp() / total);
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
                let got = window_attention(&rule(head_dim), &queries, &keys, shape, normalisation);
                for (g, w) in got.iter().zip(plain(&queries, &keys, shape, normalisation)) {
                    prop_assert!((*g as f64 - w).abs() < 1e-5 * w.max(1e-3), "{g} {w}");
                }
            }
        }
    }

    #[test]
    fn norms_are_euclidean() {
        assert_eq!(key_norms(&[3.0, 4.0, 0.0, 0.0], 2), [5.0, 0.0]);
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
