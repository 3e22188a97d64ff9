//! A model of a few hundred weights, as files: what the inputs of the fuzz targets and of the tests of readers start
//! from.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value as Gguf};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use serde_json::{Value, json};

const HIDDEN: usize = 8;
const HEADS: usize = 2;
const KV_HEADS: usize = 1;
const HEAD_DIM: usize = 4;
/// The special tokens, the unknown one and the letters.
const TOKENS: [&str; 12] = [
    "<unk>", "<s>", "</s>", "a", "b", "Ġ", "Ċ", "t", "h", "e", "th", "the",
];

/// `config.json` of a Llama.
pub fn config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": HIDDEN,
        "intermediate_size": HIDDEN,
        "num_hidden_layers": 1,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "vocab_size": TOKENS.len(),
        "max_position_embeddings": 256,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "rope_scaling": null,
        "tie_word_embeddings": true,
        "attention_bias": false,
        "bos_token_id": 1,
        "eos_token_id": [2],
    })
}

/// Hugging Face name, llama.cpp's name and shape of each tensor.
fn tensors() -> Vec<(&'static str, &'static str, Vec<usize>)> {
    let (query, key) = (HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM);
    let layer = [
        ("self_attn.q_proj", "attn_q", vec![query, HIDDEN]),
        ("self_attn.k_proj", "attn_k", vec![key, HIDDEN]),
        ("self_attn.v_proj", "attn_v", vec![key, HIDDEN]),
        ("self_attn.o_proj", "attn_output", vec![HIDDEN, query]),
        ("mlp.gate_proj", "ffn_gate", vec![HIDDEN, HIDDEN]),
        ("mlp.up_proj", "ffn_up", vec![HIDDEN, HIDDEN]),
        ("mlp.down_proj", "ffn_down", vec![HIDDEN, HIDDEN]),
        ("input_layernorm", "attn_norm", vec![HIDDEN]),
        ("post_attention_layernorm", "ffn_norm", vec![HIDDEN]),
    ];
    let mut all = vec![
        (
            "model.embed_tokens",
            "token_embd",
            vec![TOKENS.len(), HIDDEN],
        ),
        ("model.norm", "output_norm", vec![HIDDEN]),
    ];
    all.extend(layer);
    all
}

/// The header of a safetensors file with the model's weights, in f32, and how many bytes of them follow.
pub fn safetensors_header() -> (Value, usize) {
    let mut header = serde_json::Map::new();
    let mut start = 0;
    for (name, _, shape) in tensors() {
        let place = match name.starts_with("model.") {
            true => format!("{name}.weight"),
            false => format!("model.layers.0.{name}.weight"),
        };
        let end = start + 4 * shape.iter().product::<usize>();
        let entry = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]});
        header.insert(place, entry);
        start = end;
    }
    (Value::Object(header), start)
}

/// A safetensors file: its header, and `bytes` of weights that are all zero.
pub fn safetensors(header: &[u8], bytes: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header);
    file.resize(file.len() + bytes, 0);
    file
}

/// `tokenizer.json`: byte-level BPE.
pub fn tokenizer() -> Value {
    let added = |id: usize| {
        json!({"id": id, "content": TOKENS[id], "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    };
    let vocab: serde_json::Map<_, _> = TOKENS
        .iter()
        .zip(0..)
        .map(|(token, id)| ((*token).to_owned(), json!(id)))
        .collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [added(0), added(1), added(2)],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
                  "vocab": vocab, "merges": [["t", "h"], ["th", "e"]]},
    })
}

/// `tokenizer_config.json`.
pub fn tokenizer_config() -> Value {
    json!({"bos_token": "<s>", "eos_token": {"content": "</s>"}, "chat_template": TEMPLATE})
}

pub const TEMPLATE: &str = "{{ bos_token }}{% for message in messages %}{{ message.role + ': ' + \
                            message['content'] | trim }}{{ eos_token }}{% endfor %}{% if \
                            add_generation_prompt %}assistant: {% endif %}";

/// Writes the model in Hugging Face layout into `folder`.
pub fn write(folder: &Path) -> std::io::Result<()> {
    let (header, bytes) = safetensors_header();
    fs::create_dir_all(folder)?;
    for (name, content) in [
        ("config.json", config()),
        ("tokenizer.json", tokenizer()),
        ("tokenizer_config.json", tokenizer_config()),
    ] {
        fs::write(folder.join(name), content.to_string())?;
    }
    let weights = safetensors(header.to_string().as_bytes(), bytes);
    fs::write(folder.join("model.safetensors"), weights)
}

/// The model as a GGUF file, with a tokenizer of the kind `gpt2` or `llama` and these keys besides.
pub fn gguf(tokenizer: &str, extra: &[(&str, Gguf)]) -> Vec<u8> {
    let string = |text: &str| Gguf::String(text.to_owned());
    let strings = |texts: &[&str]| Gguf::Array(texts.iter().map(|text| string(text)).collect());
    let spaced: Vec<String> = TOKENS.iter().map(|t| t.replace('Ġ', "▁")).collect();
    let spaced: Vec<&str> = spaced.iter().map(String::as_str).collect();
    let tokens: &[&str] = match tokenizer {
        "llama" => &spaced,
        _ => &TOKENS,
    };
    let kinds = [2, 3, 3].into_iter().chain(std::iter::repeat(1));
    let mut metadata = vec![
        ("general.architecture", string("llama")),
        ("llama.embedding_length", Gguf::U32(HIDDEN as u32)),
        ("llama.feed_forward_length", Gguf::U32(HIDDEN as u32)),
        ("llama.block_count", Gguf::U32(1)),
        ("llama.attention.head_count", Gguf::U32(HEADS as u32)),
        ("llama.attention.head_count_kv", Gguf::U32(KV_HEADS as u32)),
        ("llama.attention.layer_norm_rms_epsilon", Gguf::F32(1e-5)),
        ("llama.context_length", Gguf::U32(256)),
        ("llama.rope.dimension_count", Gguf::U32(HEAD_DIM as u32)),
        ("llama.rope.freq_base", Gguf::F32(10_000.0)),
        ("tokenizer.ggml.model", string(tokenizer)),
        ("tokenizer.ggml.pre", string("smollm")),
        ("tokenizer.ggml.tokens", strings(tokens)),
        ("tokenizer.ggml.merges", strings(&["t h", "th e"])),
        (
            "tokenizer.ggml.scores",
            Gguf::Array((0..tokens.len()).map(|i| Gguf::F32(-(i as f32))).collect()),
        ),
        (
            "tokenizer.ggml.token_type",
            Gguf::Array(kinds.take(tokens.len()).map(Gguf::I32).collect()),
        ),
        ("tokenizer.ggml.bos_token_id", Gguf::U32(1)),
        ("tokenizer.ggml.eos_token_id", Gguf::U32(2)),
        ("tokenizer.ggml.unknown_token_id", Gguf::U32(0)),
        ("tokenizer.ggml.add_bos_token", Gguf::Bool(true)),
        ("tokenizer.chat_template", string(TEMPLATE)),
    ];
    for (key, value) in extra {
        metadata.retain(|(other, _)| other != key);
        metadata.push((key, value.clone()));
    }
    let weights: Vec<(String, QTensor)> = tensors()
        .into_iter()
        .map(|(_, name, shape)| {
            let values = Tensor::ones(shape, candle_core::DType::F32, &Device::Cpu);
            let tensor = QTensor::quantize(&values.expect("ones"), GgmlDType::F32);
            let place = match name.starts_with("token") || name.starts_with("output_norm") {
                true => format!("{name}.weight"),
                false => format!("blk.0.{name}.weight"),
            };
            (place, tensor.expect("f32 weights"))
        })
        .collect();
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let weights: Vec<_> = weights.iter().map(|(name, t)| (name.as_str(), t)).collect();
    let mut file = Cursor::new(Vec::new());
    gguf_file::write(&mut file, &metadata, &weights).expect("a GGUF file");
    file.into_inner()
}
