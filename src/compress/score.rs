//! Scores of entries: how much the observation window attends to each (SnapKV, PyramidKV, SpindleKV;
//! TOVA with a window of one), and the norm of each key (Knorm).
//!
//! First step of every eviction method: score, then `pool`, `group`, and `select`.

use serde::Deserialize;
use strum::{IntoStaticStr, VariantNames};

use super::matmul::{dot, dot_products};

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
/// with scale `1 / sqrt(head_dim)`, causal inside the window (SpindleKV eq. 1-2; SnapKV `snapkv_utils.py`).
///
/// # Panics
/// When the lengths do not agree with `shape`, or there are fewer keys than window tokens.
pub fn window_attention(
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
    for (head, sums) in queries
        .chunks_exact(window * head_dim)
        .zip(scores.chunks_exact_mut(before))
    {
        add_attention(head, keys, head_dim, |_| 1.0, sums);
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
/// Softmax as in [`window_attention`].
pub fn add_attention(
    queries: &[f32],
    keys: &[f32],
    head_dim: usize,
    weight: impl Fn(usize) -> f32,
    sums: &mut [f32],
) {
    let (len, before) = (keys.len() / head_dim, sums.len());
    let scale = 1.0 / (head_dim as f32).sqrt();
    let mut logits = Vec::new();
    for (block, queries) in queries.chunks(QUERIES * head_dim).enumerate() {
        logits.resize(queries.len() / head_dim * len, 0.0);
        dot_products(queries, keys, head_dim, scale, &mut logits);
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

/// Replaces each `x` by `exp(x - max)` and returns their sum, in [`LANES`] interleaved partial sums.
fn exponentiate(row: &mut [f32]) -> f32 {
    let mut largest = [f32::NEG_INFINITY; LANES];
    for chunk in row.chunks(LANES) {
        for (m, &x) in largest.iter_mut().zip(chunk) {
            *m = if x > *m { x } else { *m };
        }
    }
    let max = largest.iter().fold(f32::NEG_INFINITY, |m, &x| m.max(x));
    let mut sums = [0f32; LANES];
    let (chunks, rest) = row.as_chunks_mut::<LANES>();
    for chunk in chunks {
        for (sum, x) in sums.iter_mut().zip(chunk) {
            *x = exp(*x - max);
            *sum += *x;
        }
    }
    for (sum, x) in sums.iter_mut().zip(rest) {
        *x = exp(*x - max);
        *sum += *x;
    }
    sums.iter().sum()
}

/// Elements handled side by side: two AVX registers of f32.
const LANES: usize = 16;

/// `e^x` for `x <= 0` without branches or calls, so that a loop over it is vectorised; relative error below 2e-7.
/// Arguments under -87 give about 1e-38, as good as the zero they stand for.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // 1.5 * 2^23: adding it leaves the nearest integer in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, the first exact in few bits, so that x - k ln 2 keeps its low bits (Cephes expf).
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let k = shifted - ROUND;
    let r = x - k * LN2_HIGH - k * LN2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 5e-1;
    let mantissa = p * r * r + r + 1.0;
    let exponent = f32::from_bits((shifted.to_bits().wrapping_add(127)) << 23);
    mantissa * exponent
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exp_agrees_with_std() {
        for i in 0..87_000 {
            let x = -i as f32 * 1e-3;
            let want = x.exp();
            assert!(
                (exp(x) - want).abs() <= 3e-7 * want,
                "exp({x}) = {} not {want}",
                exp(x)
            );
        }
        assert!(exp(f32::NEG_INFINITY) < 1e-37);
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
                let got = window_attention(&queries, &keys, shape, normalisation);
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
        assert!(window_attention(&[1.0; 4], &[1.0; 2], shape, Normalisation::Sum).is_empty());
    }
}
