//! What several test binaries share. Each uses its own part of it.
#![allow(dead_code)]

pub mod default_model;
pub mod tiny;

use candle_core::Tensor;
use spindle::cache::{Cache, LayerCache, Prefix};
use spindle::model::decoder::{Model, Sequence};
use spindle::model::observe::Prefilled;

/// The whole cache of a prefill, ready to decode.
pub fn dense_cache(model: &Model, prefilled: &Prefilled) -> Cache {
    let layer = |kv| LayerCache::new(prefilled.geometry, Prefix::Dense(kv), prefilled.store);
    Cache {
        layers: prefilled
            .layers
            .iter()
            .map(|l| layer(l.kv.clone()))
            .collect(),
        rope: model.rope().clone(),
        seen: prefilled.len,
    }
}

/// Logits at each of `tokens`, fed to one cache, `[n, vocab]`.
pub fn extend(model: &Model, tokens: &[u32], cache: &mut Cache) -> candle_core::Result<Tensor> {
    model.extend(&mut [Sequence { tokens, cache }], tokens.len())
}

/// The largest absolute difference; NaN where either has one.
pub fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let larger = |worst: f32, d: f32| if d > worst || d.is_nan() { d } else { worst };
    a.iter()
        .zip(b)
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, larger)
}
