//! What several test binaries share. Each uses its own part of it.
#![allow(dead_code)]

pub(crate) mod chosen;
pub(crate) mod default_model;
pub(crate) mod layer;
// The fuzz targets' library exports the items of these two.
#[allow(unreachable_pub)]
pub(crate) mod rule;
#[allow(unreachable_pub)]
pub(crate) mod small;
pub(crate) mod tiny;

use candle_core::Tensor;
use spindle::model::decoder::{Model, Sequence};
use spindle::store::Cache;

/// Logits at each of `tokens`, fed to one cache, `[n, vocab]`.
pub(crate) fn extend(
    model: &Model,
    tokens: &[u32],
    cache: &mut Cache,
) -> candle_core::Result<Tensor> {
    model.extend(&mut [Sequence { tokens, cache }], tokens.len())
}

/// The largest absolute difference; NaN where either has one.
pub(crate) fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let larger = |worst: f32, d: f32| if d > worst || d.is_nan() { d } else { worst };
    a.iter()
        .zip(b)
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, larger)
}

/// Softmax attention of one query, `[d]`, to `keys` and `values`, `[n, d]` each, in f64.
pub(crate) fn plain(query: &[f32], keys: &[f32], values: &[f32]) -> Vec<f32> {
    let d = query.len();
    let dot = |key: &[f32]| -> f64 {
        let products = query
            .iter()
            .zip(key)
            .map(|(q, k)| f64::from(*q) * f64::from(*k));
        products.sum::<f64>() / (d as f64).sqrt()
    };
    let scores: Vec<f64> = keys.chunks_exact(d).map(dot).collect();
    let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut out = vec![0f64; d];
    let mut sum = 0f64;
    for (score, value) in scores.iter().zip(values.chunks_exact(d)) {
        let weight = (score - max).exp();
        sum += weight;
        for (o, v) in out.iter_mut().zip(value) {
            *o += weight * f64::from(*v);
        }
    }
    out.iter().map(|o| (o / sum) as f32).collect()
}
