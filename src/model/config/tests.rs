//! Real configurations are read with the facts of their model cards; wrong ones say what is wrong.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Architecture, DecoderConfig, RopeScaling};
use crate::error::exit_code;

fn read(config: &Value) -> anyhow::Result<DecoderConfig> {
    DecoderConfig::from_hf_json(&config.to_string(), "models/x/config.json")
}

/// A small valid configuration with some keys replaced, or removed where the value is the string
/// "absent".
fn with(model_type: &str, changes: Value) -> Value {
    let config = json!({
        "model_type": model_type, "hidden_act": "silu", "hidden_size": 64,
        "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 128,
        "max_position_embeddings": 256, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "tie_word_embeddings": false, "sliding_window": null,
    });
    merged(&config, &changes)
}

#[test]
fn llama_3_1_8b() {
    let config = read(&json!({
        "architectures": ["LlamaForCausalLM"], "attention_bias": false, "hidden_act": "silu",
        "hidden_size": 4096, "intermediate_size": 14336, "max_position_embeddings": 131072,
        "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32,
        "num_hidden_layers": 32, "num_key_value_heads": 8, "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": {
            "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192, "rope_type": "llama3"
        },
        "rope_theta": 500000.0, "tie_word_embeddings": false, "vocab_size": 128256
    }))
    .unwrap();
    assert_eq!(
        config,
        DecoderConfig {
            architecture: Architecture::Llama,
            hidden: 4096,
            intermediate: 14336,
            layers: 32,
            heads: 32,
            kv_heads: 8,
            head_dim: 128,
            vocab: 128_256,
            max_positions: 131_072,
            norm_eps: 1e-5,
            rope_theta: 500_000.0,
            rope_scaling: Some(RopeScaling::Llama3 {
                factor: 8.0,
                low_freq_factor: 1.0,
                high_freq_factor: 4.0,
                original_max_positions: 8192,
            }),
            tie_embeddings: false,
            qkv_bias: false,
            o_bias: false,
            mlp_bias: false,
            qk_norm: false,
            sliding_window: None,
            window_note: None,
            notes: Vec::new(),
        }
    );
    assert_eq!((config.group(), config.max_prompt()), (4, 131_072));
}

#[test]
fn llama_2_without_the_newer_keys() {
    let config = read(&with(
        "llama",
        json!({"num_key_value_heads": "absent", "head_dim": "absent", "rope_theta": "absent",
               "tie_word_embeddings": "absent", "hidden_act": "absent"}),
    ))
    .unwrap();
    assert_eq!((config.kv_heads, config.head_dim), (4, 16));
    assert_eq!(config.rope_theta, 10_000.0);
    assert!(!config.tie_embeddings && config.rope_scaling.is_none());
}

#[test]
fn rope_parameters_of_transformers_5() {
    let config = read(&with(
        "llama",
        json!({"rope_theta": "absent",
               "rope_parameters": {"rope_theta": 100000.0, "rope_type": "default"}}),
    ))
    .unwrap();
    assert_eq!((config.rope_theta, config.rope_scaling), (100_000.0, None));
    let null = read(&with("qwen2", json!({"num_key_value_heads": null})));
    assert_eq!(null.unwrap().kv_heads, 4);
    let linear = json!({"rope_scaling": {"type": "linear", "factor": 2.0}});
    assert_eq!(
        read(&with("llama", linear)).unwrap().rope_scaling,
        Some(RopeScaling::Linear { factor: 2.0 })
    );
}

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
            None,
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

/// `changes` laid over a configuration; the text "absent" removes a key.
fn merged(config: &Value, changes: &Value) -> Value {
    let mut config = config.clone();
    let map = config.as_object_mut().unwrap();
    for (key, value) in changes.as_object().unwrap() {
        if value == "absent" {
            map.remove(key);
        } else {
            map.insert(key.clone(), value.clone());
        }
    }
    config
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

#[test]
fn biases_and_norms_follow_the_family() {
    for (family, bias, expected) in [
        ("llama", false, (false, false, false)),
        ("llama", true, (true, true, false)),
        ("qwen2", false, (true, false, false)),
        ("qwen3", false, (false, false, true)),
    ] {
        let config = read(&with(family, json!({ "attention_bias": bias }))).unwrap();
        assert_eq!(
            (config.qkv_bias, config.o_bias, config.qk_norm),
            expected,
            "{family}"
        );
    }
}

#[test]
fn bad_input_names_key_found_and_expected() {
    let yarn = json!({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}});
    let no_low = json!({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}});
    for (family, change, parts) in [
        (
            "gpt2",
            json!({}),
            &["model_type", "\"gpt2\"", "llama, mistral, qwen2 or qwen3"][..],
        ),
        (
            "llama",
            json!({"hidden_size": "absent"}),
            &["hidden_size", "missing"],
        ),
        (
            "llama",
            json!({"hidden_size": "big"}),
            &["hidden_size is \"big\"", "whole number"],
        ),
        (
            "llama",
            json!({"vocab_size": -3}),
            &["vocab_size is -3", "whole number"],
        ),
        (
            "llama",
            json!({"num_hidden_layers": 0}),
            &["num_hidden_layers is 0"],
        ),
        (
            "llama",
            json!({"num_attention_heads": 0, "head_dim": "absent"}),
            &["num_attention_heads"],
        ),
        (
            "llama",
            json!({"num_key_value_heads": 3}),
            &["num_key_value_heads is 3", "divisor", "4"],
        ),
        (
            "llama",
            json!({"head_dim": 15}),
            &["head_dim is 15", "even"],
        ),
        (
            "llama",
            json!({"hidden_size": 66, "head_dim": "absent"}),
            &["66", "multiple of"],
        ),
        (
            "llama",
            json!({"hidden_act": "gelu"}),
            &["hidden_act is \"gelu\"", "silu"],
        ),
        (
            "llama",
            json!({"rms_norm_eps": 0.0}),
            &["rms_norm_eps is 0", "positive"],
        ),
        (
            "mistral",
            json!({"mlp_bias": true}),
            &["mlp_bias is true", "false"],
        ),
        (
            "llama",
            json!({"quantization_config": {"bits": 4}}),
            &["quantization_config"],
        ),
        (
            "llama",
            yarn,
            &["rope_scaling.rope_type is \"yarn\"", "linear or llama3"],
        ),
        (
            "llama",
            no_low,
            &["rope_scaling.low_freq_factor", "missing"],
        ),
        (
            "llama",
            json!({"rope_scaling": {"factor": 4.0}}),
            &["rope_scaling.factor is 4.0", "rope_type beside it"],
        ),
        (
            "llama",
            json!({"rope_scaling": {"type": "linear", "factor": 2.0, "attention_factor": 1.5}}),
            &["rope_scaling.attention_factor is 1.5", "expected 1"],
        ),
        (
            "llama",
            json!({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}, "rope_parameters": {"rope_type": "default"}}),
            &["rope_scaling.rope_type is \"yarn\""],
        ),
        (
            "llama",
            json!({"rope_scaling": {"type": "linear", "factor": 2.0},
                   "rope_parameters": {"rope_type": "default", "rope_theta": 5e5}}),
            &["rope_parameters.rope_theta is 500000.0", "expected 10000"],
        ),
        (
            "llama",
            json!({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}),
            &["rope_parameters.partial_rotary_factor is 0.5", "expected 1"],
        ),
        (
            "llama",
            json!({"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
                   "high_freq_factor": 4.0, "original_max_position_embeddings": 0}}),
            &[
                "rope scaling",
                "original_max_position_embeddings",
                "0",
                "positive length",
            ],
        ),
        (
            "llama",
            json!({"attn_logit_softcapping": 50.0}),
            &["attn_logit_softcapping is 50.0", "would change the result"],
        ),
        (
            "qwen2",
            json!({"num_experts": 8}),
            &["num_experts is 8", "would change the result"],
        ),
        (
            "qwen3",
            json!({"layer_types": ["full_attention"]}),
            &["layer_types has 1 entries", "num_hidden_layers = 2"],
        ),
        (
            "qwen3",
            json!({"layer_types": ["full_attention", "linear_attention"]}),
            &[
                "layer_types[1] is \"linear_attention\"",
                "\"sliding_attention\"",
            ],
        ),
        (
            "qwen3",
            json!({"layer_types": ["full_attention", "sliding_attention"]}),
            &[
                "layer_types[1] is \"sliding_attention\"",
                "sliding_window is null or switched off",
            ],
        ),
        (
            "mistral",
            json!({"num_key_value_heads": "absent"}),
            &["num_key_value_heads", "missing"],
        ),
        (
            "qwen3",
            json!({"head_dim": "absent"}),
            &["head_dim", "missing"],
        ),
    ] {
        let error = read(&with(family, change.clone())).unwrap_err();
        let text = error.to_string();
        assert_eq!(exit_code(&error), 2);
        assert!(text.starts_with("models/x/config.json: "), "{text}");
        for part in parts {
            assert!(text.contains(part), "{change}: {text:?} lacks {part:?}");
        }
    }
    for text in ["", "[1]", "{\"model_type\": "] {
        let error = DecoderConfig::from_hf_json(text, "config.json").unwrap_err();
        assert_eq!(exit_code(&error), 2);
    }
}
