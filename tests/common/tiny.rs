//! Tiny random models as a user would have them on disk (config.json, model.safetensors), one per
//! thing that the decoder must get right, and candle-transformers' answers for them.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::{llama, mistral, qwen2, qwen3};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use spindle::model::config::DecoderConfig;
use spindle::model::decoder::Model;
use spindle::model::weights::Weights;

pub(crate) const HIDDEN: usize = 64;
pub(crate) const INTERMEDIATE: usize = 96;
pub(crate) const HEADS: usize = 4;
pub(crate) const KV_HEADS: usize = 2;
pub(crate) const VOCAB: usize = 128;
/// More than the decoder's chunk of a prefill.
pub(crate) const MAX_POSITIONS: usize = 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
}

/// One tiny model. Equal values give equal files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tiny {
    pub family: Family,
    pub tied: bool,
    /// Llama-3 frequency scaling, with an original context short enough that most frequencies
    /// change.
    pub llama3_rope: bool,
    /// Element type of the file.
    pub dtype: DType,
    pub layers: usize,
    pub vocab: usize,
    pub seed: u64,
}

impl Tiny {
    pub(crate) const fn new(family: Family) -> Self {
        Self {
            family,
            tied: false,
            llama3_rope: false,
            dtype: DType::F32,
            layers: 3,
            vocab: VOCAB,
            seed: 1,
        }
    }

    /// One of each kind that the oracle tests must cover.
    pub(crate) fn all() -> Vec<Self> {
        let llama = Self::new(Family::Llama);
        let qwen2 = Self::new(Family::Qwen2);
        let qwen3 = Self::new(Family::Qwen3);
        vec![
            llama,
            Self {
                tied: true,
                ..llama
            },
            Self {
                llama3_rope: true,
                ..llama
            },
            Self {
                dtype: DType::F16,
                ..llama
            },
            Self {
                dtype: DType::BF16,
                ..llama
            },
            Self::new(Family::Mistral),
            qwen2,
            Self {
                tied: true,
                ..qwen2
            },
            qwen3,
            Self {
                tied: true,
                ..qwen3
            },
        ]
    }

    /// Qwen3's is not `HIDDEN / HEADS`, as in the real ones.
    pub(crate) fn head_dim(&self) -> usize {
        if self.family == Family::Qwen3 { 32 } else { 16 }
    }

    /// Writes config.json and model.safetensors into `dir`.
    pub(crate) fn write(&self, dir: &Path) -> Result<()> {
        std::fs::write(dir.join("config.json"), self.config().to_string())?;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut tensors = HashMap::new();
        for (name, shape) in self.tensors() {
            let (middle, spread) = distribution(&name);
            let values: Vec<f32> = (0..shape.iter().product())
                .map(|_| middle + rng.random_range(-spread..spread))
                .collect();
            let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(self.dtype)?;
            tensors.insert(name, tensor);
        }
        candle_core::safetensors::save(&tensors, dir.join("model.safetensors"))?;
        Ok(())
    }

    /// Our decoder with this model, through the files on disk.
    pub(crate) fn load(&self) -> Result<Model> {
        let dir = tempfile::tempdir()?;
        self.write(dir.path())?;
        load(dir.path())
    }

    fn config(&self) -> Value {
        let (model_type, class) = match self.family {
            Family::Llama => ("llama", "LlamaForCausalLM"),
            Family::Mistral => ("mistral", "MistralForCausalLM"),
            Family::Qwen2 => ("qwen2", "Qwen2ForCausalLM"),
            Family::Qwen3 => ("qwen3", "Qwen3ForCausalLM"),
        };
        let scaling = json!({
            "rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
            "original_max_position_embeddings": 32,
        });
        json!({
            "architectures": [class],
            "model_type": model_type,
            "hidden_act": "silu",
            "hidden_size": HIDDEN,
            "intermediate_size": INTERMEDIATE,
            "num_hidden_layers": self.layers,
            "num_attention_heads": HEADS,
            "num_key_value_heads": KV_HEADS,
            "head_dim": self.head_dim(),
            "vocab_size": self.vocab,
            "max_position_embeddings": MAX_POSITIONS,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "rope_scaling": if self.llama3_rope { scaling } else { Value::Null },
            "tie_word_embeddings": self.tied,
            "attention_bias": false,
            // candle-transformers wants a number for Qwen2 and applies it even when switched off.
            "sliding_window": match self.family {
                Family::Llama | Family::Mistral => Value::Null,
                Family::Qwen2 | Family::Qwen3 => json!(MAX_POSITIONS),
            },
            "use_sliding_window": false,
            "max_window_layers": self.layers,
            "bos_token_id": 1,
            "eos_token_id": 2,
        })
    }

    /// Hugging Face name and shape of every tensor, in a fixed order.
    pub(crate) fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (q, kv) = (HEADS * self.head_dim(), KV_HEADS * self.head_dim());
        let mut tensors = vec![
            (
                "model.embed_tokens.weight".to_owned(),
                vec![self.vocab, HIDDEN],
            ),
            ("model.norm.weight".to_owned(), vec![HIDDEN]),
        ];
        if !self.tied {
            tensors.push(("lm_head.weight".to_owned(), vec![self.vocab, HIDDEN]));
        }
        for layer in 0..self.layers {
            let mut push = |name: &str, shape: Vec<usize>| {
                tensors.push((format!("model.layers.{layer}.{name}"), shape));
            };
            push("self_attn.q_proj.weight", vec![q, HIDDEN]);
            push("self_attn.k_proj.weight", vec![kv, HIDDEN]);
            push("self_attn.v_proj.weight", vec![kv, HIDDEN]);
            push("self_attn.o_proj.weight", vec![HIDDEN, q]);
            push("mlp.gate_proj.weight", vec![INTERMEDIATE, HIDDEN]);
            push("mlp.up_proj.weight", vec![INTERMEDIATE, HIDDEN]);
            push("mlp.down_proj.weight", vec![HIDDEN, INTERMEDIATE]);
            push("input_layernorm.weight", vec![HIDDEN]);
            push("post_attention_layernorm.weight", vec![HIDDEN]);
            if self.family == Family::Qwen2 {
                push("self_attn.q_proj.bias", vec![q]);
                push("self_attn.k_proj.bias", vec![kv]);
                push("self_attn.v_proj.bias", vec![kv]);
            }
            if self.family == Family::Qwen3 {
                push("self_attn.q_norm.weight", vec![self.head_dim()]);
                push("self_attn.k_norm.weight", vec![self.head_dim()]);
            }
        }
        tensors
    }
}

/// Middle and half-width of a tensor's uniform distribution: wide enough that attention is far from
/// uniform and every part moves the logits.
fn distribution(name: &str) -> (f32, f32) {
    if name.contains("norm") {
        (1.0, 0.3)
    } else if name.ends_with("bias") {
        (0.0, 0.5)
    } else if name.contains("q_proj") || name.contains("k_proj") {
        (0.0, 0.3)
    } else if name.contains("embed_tokens") {
        (0.0, 1.0)
    } else {
        (0.0, 0.2)
    }
}

/// Our decoder with the model in `dir`.
pub(crate) fn load(dir: &Path) -> Result<Model> {
    let text = std::fs::read_to_string(dir.join("config.json"))?;
    let config = DecoderConfig::from_hf_json(&text, "config.json")?;
    let weights = Weights::open_safetensors(&[dir.join("model.safetensors")])?;
    Model::load(config, &weights, &Device::Cpu)
}

/// A deterministic list of token ids.
pub(crate) fn tokens(count: usize, seed: u64) -> Vec<u32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| rng.random_range(0..VOCAB as u32))
        .collect()
}

/// candle-transformers' logits, in f32 on the CPU, for the model in `dir`: at the last position of
/// `prompt`, then after each of `steps`, one token at a time. `1 + steps.len()` rows of `VOCAB`.
pub(crate) fn oracle_logits(
    dir: &Path,
    family: Family,
    prompt: &[u32],
    steps: &[u32],
) -> Result<Vec<Vec<f32>>> {
    let mut forward = oracle(dir, family)?;
    let mut rows = vec![row(forward(prompt, 0)?)?];
    for (i, token) in steps.iter().enumerate() {
        rows.push(row(forward(&[*token], prompt.len() + i)?)?);
    }
    Ok(rows)
}

fn row(logits: Tensor) -> Result<Vec<f32>> {
    Ok(logits.flatten_all()?.to_vec1()?)
}

/// Tokens and their first position, to logits of the last.
type Forward = Box<dyn FnMut(&[u32], usize) -> candle_core::Result<Tensor>>;

fn oracle(dir: &Path, family: Family) -> Result<Forward> {
    let config = std::fs::read_to_string(dir.join("config.json"))?;
    let device = Device::Cpu;
    let file = dir.join("model.safetensors");
    #[expect(
        unsafe_code,
        reason = "candle's own models are read from a mapped file"
    )]
    // SAFETY: nothing rewrites the fixture while it is mapped.
    let vb = unsafe { VarBuilder::from_mmaped_safetensors(&[file], DType::F32, &device)? };
    let batch = |tokens: &[u32]| Tensor::new(tokens, &Device::Cpu)?.unsqueeze(0);
    Ok(match family {
        Family::Llama => {
            let config: llama::LlamaConfig = serde_json::from_str(&config)?;
            let config = config.into_config(false);
            let mut cache = llama::Cache::new(true, DType::F32, &config, &device)?;
            let model = llama::Llama::load(vb, &config)?;
            Box::new(move |tokens, start| model.forward(&batch(tokens)?, start, &mut cache))
        }
        Family::Mistral => {
            let config: mistral::Config = serde_json::from_str(&config)?;
            let mut model = mistral::Model::new(&config, vb)?;
            Box::new(move |tokens, start| model.forward(&batch(tokens)?, start))
        }
        Family::Qwen2 => {
            let config: qwen2::Config = serde_json::from_str(&config)?;
            let mut model = qwen2::ModelForCausalLM::new(&config, vb)?;
            Box::new(move |tokens, start| model.forward(&batch(tokens)?, start))
        }
        Family::Qwen3 => {
            let config: qwen3::Config = serde_json::from_str(&config)?;
            let mut model = qwen3::ModelForCausalLM::new(&config, vb)?;
            Box::new(move |tokens, start| model.forward(&batch(tokens)?, start))
        }
    })
}
