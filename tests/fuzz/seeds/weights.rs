//! Models: GGUF files, and configurations with the header of a safetensors file.

use candle_core::quantized::gguf_file::Value as Gguf;
use serde_json::{Value, json};
use spindle_fuzz::model;

pub fn gguf() -> Vec<Vec<u8>> {
    let text = |text: &str| Gguf::String(text.to_owned());
    let mut seeds = vec![
        model::gguf("gpt2", &[]),
        model::gguf("llama", &[]),
        model::gguf(
            "llama",
            &[("tokenizer.ggml.add_space_prefix", Gguf::Bool(false))],
        ),
        model::gguf(
            "gpt2",
            &[
                ("llama.rope.scaling.type", text("linear")),
                ("llama.rope.scaling.factor", Gguf::F32(2.0)),
                ("llama.rope.scale_linear", Gguf::F32(2.0)),
            ],
        ),
        model::gguf(
            "gpt2",
            &[("split.count", Gguf::U16(2)), ("split.no", Gguf::U16(0))],
        ),
    ];
    for pre in [
        "llama-bpe",
        "qwen2",
        "gpt-2",
        "tekken",
        "smaug-bpe",
        "default",
    ] {
        seeds.push(model::gguf("gpt2", &[("tokenizer.ggml.pre", text(pre))]));
    }
    seeds
}

pub fn safetensors() -> Vec<Vec<u8>> {
    let (header, _) = model::safetensors_header();
    let mut seeds: Vec<_> = configurations()
        .iter()
        .map(|config| join(config, &header))
        .collect();
    let config = model::config();
    let mut narrow = header.clone();
    narrow["model.norm.weight"]["dtype"] = json!("BF16");
    seeds.push(join(&config, &narrow));
    let mut described = header.clone();
    described["__metadata__"] = json!({"format": "pt"});
    seeds.push(join(&config, &described));
    let whole = model::safetensors(header.to_string().as_bytes(), 2048);
    seeds.push([config.to_string().as_bytes(), &[0], &whole].concat());
    seeds
}

fn join(config: &Value, header: &Value) -> Vec<u8> {
    format!("{config}\0{header}").into_bytes()
}

/// What a configuration may say.
fn configurations() -> Vec<Value> {
    let changes = [
        json!({}),
        json!({"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"], "use_sliding_window": true,
               "sliding_window": 64, "max_window_layers": 1, "layer_types": ["full_attention"]}),
        json!({"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}),
        json!({"model_type": "mistral", "architectures": ["MistralForCausalLM"], "sliding_window": 128}),
        json!({"rope_scaling": {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 32}}),
        json!({"rope_scaling": {"type": "linear", "factor": 2.0}}),
        json!({"rope_scaling": {"type": "yarn", "factor": 2.0, "original_max_position_embeddings": 128,
               "attention_factor": 1.0, "beta_fast": 32, "beta_slow": 1}}),
        json!({"rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "partial_rotary_factor": 1.0}}),
        json!({"tie_word_embeddings": false, "attention_bias": true, "mlp_bias": false, "attention_dropout": 0.0,
               "torch_dtype": "bfloat16", "quantization_config": null, "hidden_act": "gelu",
               "head_dim": null, "num_key_value_heads": null, "max_position_embeddings": 1048576}),
    ];
    let with = |changes: &Value| {
        let mut config = model::config();
        for (key, value) in changes.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        config
    };
    changes.iter().map(with).collect()
}
