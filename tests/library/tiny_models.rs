//! The tiny models load in candle-transformers and in our readers, and are worth comparing on.

use crate::common::tiny::{self, Family, Tiny};
use candle_core::{DType, Device};
use spindle::attend::rope::RopeScaling;
use spindle::model::config::DecoderConfig;
use spindle::model::weights::Weights;

fn logits(tiny: Tiny, prompt: &[u32]) -> Vec<Vec<f32>> {
    let dir = tempfile::tempdir().unwrap();
    tiny.write(dir.path()).unwrap();
    tiny::oracle_logits(dir.path(), tiny.family, prompt, &tiny::tokens(8, 9)).unwrap()
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter()
        .zip(b)
        .map(|(x, y)| (x - y).abs())
        .fold(0.0, f32::max)
}

#[test]
fn every_tiny_model_runs_in_candle_transformers() {
    let prompt = tiny::tokens(24, 7);
    for tiny in Tiny::all() {
        let rows = logits(tiny, &prompt);
        assert_eq!(rows.len(), 9);
        for row in &rows {
            assert_eq!(row.len(), tiny::VOCAB);
            assert!(row.iter().all(|x| x.is_finite()));
            let (low, high) = row.iter().fold((f32::MAX, f32::MIN), |(low, high), x| {
                (low.min(*x), high.max(*x))
            });
            assert!(
                (1.0..100.0).contains(&(high - low)),
                "{tiny:?}: {low} to {high}"
            );
        }
    }
}

/// A decoder that ignored distant tokens, or order, would otherwise pass.
#[test]
fn early_tokens_and_their_order_move_the_logits() {
    let prompt = tiny::tokens(24, 7);
    let mut other = prompt.clone();
    other[1] = (other[1] + 1) % tiny::VOCAB as u32;
    let mut swapped = prompt.clone();
    swapped.swap(2, 11);
    for tiny in Tiny::all() {
        let base = logits(tiny, &prompt);
        for changed in [&other, &swapped] {
            let moved = distance(&base[0], &logits(tiny, changed)[0]);
            assert!(moved > 0.02, "{tiny:?}: {moved}");
        }
    }
}

#[test]
fn scaling_type_and_seed_matter() {
    let prompt = tiny::tokens(24, 7);
    let llama = Tiny::new(Family::Llama);
    let base = logits(llama, &prompt);
    let far = |tiny: Tiny| distance(&base[0], &logits(tiny, &prompt)[0]);
    assert_eq!(far(llama), 0.0);
    assert!(
        far(Tiny {
            llama3_rope: true,
            ..llama
        }) > 0.02
    );
    assert!(far(Tiny { seed: 2, ..llama }) > 0.5);
    let half = far(Tiny {
        dtype: DType::F16,
        ..llama
    });
    assert!(half > 0.0 && half < 0.05, "{half}");
}

#[test]
fn our_readers_agree_with_what_was_written() {
    for tiny in Tiny::all() {
        let dir = tempfile::tempdir().unwrap();
        tiny.write(dir.path()).unwrap();
        let text = std::fs::read_to_string(dir.path().join("config.json")).unwrap();
        let config = DecoderConfig::from_hf_json(&text, "config.json").unwrap();
        assert_eq!(config.head_dim, tiny.head_dim());
        assert_eq!(config.tie_embeddings, tiny.tied);
        assert_eq!(config.max_prompt(), tiny::MAX_POSITIONS);
        assert_eq!(config.qkv_bias, tiny.family == Family::Qwen2);
        assert_eq!(config.qk_norm, tiny.family == Family::Qwen3);
        let scaled = matches!(config.rope_scaling, Some(RopeScaling::Llama3 { .. }));
        assert_eq!(scaled, tiny.llama3_rope);

        let weights = Weights::open_safetensors(&[dir.path().join("model.safetensors")]).unwrap();
        for (name, shape) in tiny.tensors() {
            let tensor = weights
                .tensor(&name, &shape, DType::F32, &Device::Cpu)
                .unwrap();
            assert_eq!((tensor.dims(), tensor.dtype()), (&shape[..], DType::F32));
        }
        assert_eq!(weights.has("lm_head.weight"), !tiny.tied);
    }
}
