//! Real configurations are read with the facts of their model cards; wrong ones say what is wrong.

mod keys;

use serde_json::{Value, json};

use super::{Architecture, DecoderConfig};
use crate::attend::rope::RopeScaling;
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
    assert_eq!(config.max_prompt(), 131_072);
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
