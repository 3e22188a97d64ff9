//! Windows, keys that are not read, and configurations that were damaged.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{merged, read, with};
use crate::attend::rope::RopeScaling;
use crate::error::exit_code;
use crate::model::config::DecoderConfig;

#[test]
fn mistral_windows() {
    for (window, expected) in [
        (json!(128), Some(128)),
        (json!(null), None),
        (json!("absent"), Some(4096)),
    ] {
        let config = read(&with("mistral", json!({ "sliding_window": window }))).unwrap();
        assert_eq!(config.sliding_window, expected, "{window}");
        assert_eq!(config.max_prompt(), expected.unwrap_or(256).min(256));
    }
}

#[test]
fn which_layers_slide() {
    let types = |second: &str| json!(["full_attention", second]);
    let on = json!({"sliding_window": 100, "use_sliding_window": true});
    for (family, changes, expected) in [
        (
            "qwen2",
            json!({"use_sliding_window": false, "max_window_layers": 0}),
            None,
        ),
        ("qwen2", json!({"max_window_layers": 1}), Some(100)),
        // Every layer lies before the first that slides.
        ("qwen2", json!({"max_window_layers": 2}), None),
        ("qwen2", json!({}), None), // 28
        ("qwen3", json!({"num_hidden_layers": 29}), Some(100)),
        (
            "qwen3",
            json!({"max_window_layers": 0, "sliding_window": "absent"}),
            Some(4096),
        ),
        (
            "qwen3",
            json!({"max_window_layers": 0, "sliding_window": null}),
            None,
        ),
        (
            "qwen3",
            json!({"layer_types": types("sliding_attention")}),
            Some(100),
        ),
        (
            "qwen3",
            json!({"max_window_layers": 0, "layer_types": types("full_attention")}),
            None,
        ),
        (
            "mistral",
            json!({"layer_types": types("full_attention")}),
            Some(100),
        ),
        (
            "mistral",
            json!({"layer_types": types("sliding_attention")}),
            Some(100),
        ),
        ("llama", json!({}), None),
    ] {
        let config = merged(&with(family, on.clone()), &changes);
        let read = read(&config).unwrap();
        assert_eq!(read.sliding_window, expected, "{family} {changes}");
        let note = read.window_note.unwrap_or_default();
        let short = expected.is_some_and(|window| window < 256);
        assert_eq!(note.contains("sliding_window is 100"), short, "{note}");
    }
}

/// The whole `config.json` of models as their authors publish them: each key is read, or known to be harmless.
#[test]
fn published_configurations_have_no_notes() {
    for text in [
        r#"{"architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
            "bos_token_id": 1, "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 576,
            "initializer_range": 0.041666666666666664, "intermediate_size": 1536, "is_llama_config": true,
            "max_position_embeddings": 8192, "mlp_bias": false, "model_type": "llama", "num_attention_heads": 9,
            "num_hidden_layers": 30, "num_key_value_heads": 3, "pad_token_id": 2, "pretraining_tp": 1,
            "rms_norm_eps": 1e-05, "rope_interleaved": false, "rope_scaling": null, "rope_theta": 100000,
            "tie_word_embeddings": true, "torch_dtype": "bfloat16",
            "transformers.js_config": {"kv_cache_dtype": {"q4f16": "float16", "fp16": "float16"}},
            "transformers_version": "4.42.3", "use_cache": true, "vocab_size": 49152}"#,
        r#"{"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
            "eos_token_id": 151645, "hidden_act": "silu", "hidden_size": 3584, "initializer_range": 0.02,
            "intermediate_size": 18944, "max_position_embeddings": 32768, "max_window_layers": 28,
            "model_type": "qwen2", "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4,
            "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 131072,
            "tie_word_embeddings": false, "torch_dtype": "bfloat16", "transformers_version": "4.43.1",
            "use_cache": true, "use_sliding_window": false, "vocab_size": 152064}"#,
        r#"{"architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
            "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu",
            "hidden_size": 1024, "initializer_range": 0.02, "intermediate_size": 3072,
            "max_position_embeddings": 40960, "max_window_layers": 28, "model_type": "qwen3",
            "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-06,
            "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null, "tie_word_embeddings": true,
            "torch_dtype": "bfloat16", "transformers_version": "4.51.0", "use_cache": true,
            "use_sliding_window": false, "vocab_size": 151936}"#,
        r#"{"architectures": ["MistralForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 1,
            "eos_token_id": 2, "hidden_act": "silu", "hidden_size": 4096, "initializer_range": 0.02,
            "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mistral",
            "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 8, "rms_norm_eps": 1e-05,
            "rope_theta": 1000000.0, "sliding_window": null, "tie_word_embeddings": false,
            "torch_dtype": "bfloat16", "transformers_version": "4.36.0", "use_cache": true, "vocab_size": 32000}"#,
    ] {
        let config = DecoderConfig::from_hf_json(text, "config.json").unwrap();
        assert_eq!((config.notes, config.window_note), (Vec::new(), None));
    }
}

#[test]
fn keys_that_are_not_read() {
    for (family, changes, parts) in [
        (
            "llama",
            json!({"frobnicate": 1, "b": {}, "c": null}),
            &["not used: 2 keys (frobnicate, b)"][..],
        ),
        (
            "llama",
            json!({"sliding_window": 64}),
            &["sliding_window is 64", "not apply"],
        ),
        (
            "llama",
            json!({"auto_map": {"AutoModel": "x.Y"}}),
            &["auto_map is"],
        ),
        (
            "mistral",
            json!({"rope_scaling": {"type": "linear", "factor": 2.0, "new": 3}}),
            &["rope_scaling.new"],
        ),
        (
            "llama",
            json!({"rope_scaling": {"type": "linear", "factor": 2.0}, "rope_parameters": {"rope_type": "default"}}),
            &["rope_scaling is used"],
        ),
    ] {
        let notes = read(&with(family, changes.clone())).unwrap().notes;
        assert_eq!(notes.len(), 1, "{notes:?}");
        for part in parts {
            assert!(
                notes[0].contains(part),
                "{changes}: {notes:?} lacks {part:?}"
            );
        }
    }
}

/// Tables for each type of layer that say the same are one.
#[test]
fn equal_tables_of_layers_are_one() {
    let table = json!({"rope_type": "linear", "factor": 2.0, "rope_theta": 5e5});
    let changes = json!({"rope_parameters": {"full_attention": table, "sliding_attention": table}});
    let config = read(&with("qwen3", changes)).unwrap();
    assert_eq!(config.rope_theta, 5e5);
    assert_eq!(
        config.rope_scaling,
        Some(RopeScaling::Linear { factor: 2.0 })
    );
    assert!(config.notes.is_empty(), "{:?}", config.notes);
}

#[test]
fn the_length_before_scaling_is_looked_for_as_by_transformers() {
    let scaling = |own: Value| {
        json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
               "original_max_position_embeddings": own})
    };
    for (top, own, expected) in [
        (json!(16), json!(32), 16),
        (json!(null), json!(32), 32),
        (json!(null), json!(null), 256),
    ] {
        let changes =
            json!({"original_max_position_embeddings": top, "rope_scaling": scaling(own)});
        let Some(RopeScaling::Llama3 {
            original_max_positions,
            ..
        }) = read(&with("llama", changes)).unwrap().rope_scaling
        else {
            panic!("another scaling")
        };
        assert_eq!(original_max_positions, expected);
    }
}

proptest! {
    /// Any damage ends in a configuration or in one line.
    #[test]
    fn damaged_configurations_are_one_line(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)
    ) {
        let scaling = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0});
        let types = ["full_attention", "sliding_attention"];
        let text = with("qwen3", json!({"rope_scaling": scaling, "layer_types": types}));
        let mut bytes = text.to_string().into_bytes();
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Err(error) = DecoderConfig::from_hf_json(&text, "config.json") {
            prop_assert_eq!(exit_code(&error), 2);
            let line = error.to_string();
            prop_assert!(line.starts_with("config.json: ") && line.len() < 400 && !line.contains('\n'), "{}", line);
        }
    }
}
