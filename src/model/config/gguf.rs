//! [`DecoderConfig`] from the metadata and tensor list of a GGUF file (llama.cpp's names).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use candle_core::quantized::gguf_file::Value;

use super::known::{gguf_rule, settle, short};
use super::{Architecture, DecoderConfig, RopeScaling};
use crate::bad_input;
use crate::model::weights::{GgufFile, ROPE_DIVISORS};

/// Hugging Face key and the GGUF key below the architecture's prefix.
const KEYS: [(&str, &str); 12] = [
    ("hidden_size", "embedding_length"),
    ("intermediate_size", "feed_forward_length"),
    ("num_hidden_layers", "block_count"),
    ("num_attention_heads", "attention.head_count"),
    ("num_key_value_heads", "attention.head_count_kv"),
    ("head_dim", "attention.key_length"),
    ("vocab_size", "vocab_size"),
    ("max_position_embeddings", "context_length"),
    ("sliding_window", "attention.sliding_window"),
    ("rms_norm_eps", "attention.layer_norm_rms_epsilon"),
    ("rope_theta", "rope.freq_base"),
    ("partial_rotary_factor", "rope.dimension_count"),
];

/// What [`Architecture`] GGUF files are read of: llama.cpp writes Mistral as `llama`.
const SUPPORTED: &str = "llama, qwen2 or qwen3";

impl DecoderConfig {
    /// Reads the facts of an opened GGUF file. Ties, biases and norms are told from which tensors
    /// it holds, since GGUF has no keys for them.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) naming file, key, value found and value expected.
    pub fn from_gguf(gguf: &GgufFile) -> Result<Self> {
        let file = gguf.name();
        let architecture = match gguf.metadata("general.architecture") {
            Some(Value::String(name)) => Architecture::from_name(name)
                .filter(|architecture| *architecture != Architecture::Mistral)
                .ok_or_else(|| {
                    let name = short(&serde_json::Value::from(name.as_str()));
                    bad_input!("{file}: general.architecture is {name}, expected {SUPPORTED}")
                })?,
            _ => {
                return Err(bad_input!(
                    "{file}: key general.architecture is missing, expected {SUPPORTED}"
                ));
            }
        };
        let keys = Keys {
            gguf,
            architecture,
            read: RefCell::new(BTreeSet::from(["general.architecture".to_owned()])),
        };
        let heads = keys.required_count("num_attention_heads")?;
        let hidden = keys.required_count("hidden_size")?;
        let head_dim = match keys.count("head_dim")? {
            Some(head_dim) => head_dim,
            None if heads > 0 && hidden.is_multiple_of(heads) => hidden / heads,
            None => {
                return Err(bad_input!(
                    "{file}: {} is {hidden}, expected a multiple of {} = {heads}",
                    keys.name("hidden_size"),
                    keys.name("num_attention_heads")
                ));
            }
        };
        keys.refuse_other_widths(head_dim)?;
        let mut config = Self {
            architecture,
            hidden,
            intermediate: keys.required_count("intermediate_size")?,
            layers: keys.required_count("num_hidden_layers")?,
            heads,
            kv_heads: keys.count("num_key_value_heads")?.unwrap_or(heads),
            head_dim,
            vocab: keys.vocab()?,
            max_positions: keys.required_count("max_position_embeddings")?,
            norm_eps: keys
                .number("rms_norm_eps")?
                .ok_or_else(|| keys.missing("rms_norm_eps"))?,
            rope_theta: keys.number("rope_theta")?.unwrap_or(10_000.0),
            rope_scaling: keys.scaling()?,
            tie_embeddings: !gguf.holds("output.weight"),
            qkv_bias: gguf.holds("blk.0.attn_q.bias"),
            o_bias: gguf.holds("blk.0.attn_output.bias"),
            mlp_bias: ["gate", "up", "down"]
                .iter()
                .any(|part| gguf.holds(&format!("blk.0.ffn_{part}.bias"))),
            qk_norm: architecture == Architecture::Qwen3,
            sliding_window: keys.count("sliding_window")?.filter(|window| *window > 0),
            window_note: None,
            notes: Vec::new(),
        }
        .validated(file, |key| keys.name(key))?;
        config.notes.extend(keys.settle()?);
        Ok(config)
    }
}

struct Keys<'a> {
    gguf: &'a GgufFile,
    architecture: Architecture,
    /// Full keys asked for.
    read: RefCell<BTreeSet<String>>,
}

impl Keys<'_> {
    /// The full GGUF key for a Hugging Face key, or for a GGUF key without its prefix.
    fn name(&self, key: &str) -> String {
        let below = KEYS
            .iter()
            .find(|(hf, _)| *hf == key)
            .map_or(key, |(_, gguf)| gguf);
        format!("{}.{below}", self.architecture)
    }

    fn get(&self, key: &str) -> Option<&Value> {
        let name = self.name(key);
        let value = self.gguf.metadata(&name);
        self.read.borrow_mut().insert(name);
        value
    }

    /// Judges the keys that nobody has asked for, in the order of their names.
    fn settle(&self) -> Result<Vec<String>> {
        let read = self.read.borrow();
        let metadata = &self.gguf.content().metadata;
        let unread: BTreeMap<&String, serde_json::Value> = metadata
            .iter()
            .filter(|(key, _)| !read.contains(*key))
            .map(|(key, value)| (key, plain(value)))
            .collect();
        let judged = unread
            .iter()
            .map(|(key, value)| ((*key).clone(), gguf_rule(self.architecture, key), value));
        settle(self.gguf.name(), judged)
    }

    fn missing(&self, key: &str) -> anyhow::Error {
        bad_input!(
            "{}: key {} is missing, expected it in the metadata of a model",
            self.gguf.name(),
            self.name(key)
        )
    }

    fn wrong(&self, key: &str, found: &Value, expected: &str) -> anyhow::Error {
        bad_input!(
            "{}: {} is {}, expected {expected}",
            self.gguf.name(),
            self.name(key),
            short(&plain(found))
        )
    }

    fn count(&self, key: &str) -> Result<Option<usize>> {
        let Some(value) = self.get(key) else {
            return Ok(None);
        };
        let count = match value {
            Value::I32(n) => usize::try_from(*n).ok(),
            Value::I64(n) => usize::try_from(*n).ok(),
            other => other.to_u64().ok().and_then(|n| usize::try_from(n).ok()),
        };
        match count {
            Some(count) => Ok(Some(count)),
            None => Err(self.wrong(key, value, "a whole number")),
        }
    }

    fn required_count(&self, key: &str) -> Result<usize> {
        self.count(key)?.ok_or_else(|| self.missing(key))
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::F32(x)) => Ok(Some(f64::from(*x))),
            Some(Value::F64(x)) => Ok(Some(*x)),
            Some(other) => Err(self.wrong(key, other, "a number")),
        }
    }

    /// Rows of the embedding table: present in every file, where `vocab_size` is not.
    fn vocab(&self) -> Result<usize> {
        match self.gguf.shape("token_embd.weight") {
            Some([rows, _]) => Ok(*rows),
            Some(other) => Err(bad_input!(
                "{}: tensor token_embd.weight has shape {other:?}, expected two dimensions",
                self.gguf.name()
            )),
            None => Err(bad_input!(
                "{}: tensor token_embd.weight is missing, expected it in a language model",
                self.gguf.name()
            )),
        }
    }

    /// Values are as wide as keys, and all of a head is rotated.
    fn refuse_other_widths(&self, head_dim: usize) -> Result<()> {
        for key in ["attention.value_length", "rope.dimension_count"] {
            match (self.count(key)?, self.get(key)) {
                (Some(found), Some(value)) if found != head_dim => {
                    return Err(self.wrong(key, value, &head_dim.to_string()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The scaling, as llama.cpp reads it: linear where no type is given, a factor of zero for none, and the divisors
    /// of `rope_freqs.weight` on top of either.
    fn scaling(&self) -> Result<Option<RopeScaling>> {
        let factor = match self.number("rope.scaling.factor")? {
            Some(factor) => Some(factor),
            // The name that older files give it.
            None => self.number("rope.scale_linear")?,
        };
        let factor = match self.get("rope.scaling.type") {
            Some(Value::String(kind)) if kind == "none" => None,
            Some(Value::String(kind)) if kind == "linear" && factor.is_none() => {
                return Err(self.missing("rope.scaling.factor"));
            }
            None => factor,
            Some(Value::String(kind)) if kind == "linear" => factor,
            Some(other) => return Err(self.wrong("rope.scaling.type", other, "none or linear")),
        };
        let factor = factor.filter(|factor| *factor != 0.0);
        if !self.gguf.holds(ROPE_DIVISORS) {
            return Ok(factor.map(|factor| RopeScaling::Linear { factor }));
        }
        if self.architecture != Architecture::Llama {
            return Err(bad_input!(
                "{}: tensor {ROPE_DIVISORS} in a file of {}, expected it in one of llama alone",
                self.gguf.name(),
                self.architecture
            ));
        }
        let mut divisors = self.gguf.vector(ROPE_DIVISORS)?;
        let is_wrong = |divisor: &f32| !(divisor.is_finite() && *divisor > 0.0);
        if let Some(at) = divisors.iter().position(is_wrong) {
            return Err(bad_input!(
                "{}: tensor {ROPE_DIVISORS}: element {at} is {}, expected a positive number",
                self.gguf.name(),
                divisors[at]
            ));
        }
        let factor = factor.unwrap_or(1.0) as f32;
        divisors.iter_mut().for_each(|divisor| *divisor *= factor);
        Ok(Some(RopeScaling::Divisors(divisors)))
    }
}

/// A metadata value as rules and messages take it.
fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::U8(n) => (*n).into(),
        Value::I8(n) => (*n).into(),
        Value::U16(n) => (*n).into(),
        Value::I16(n) => (*n).into(),
        Value::U32(n) => (*n).into(),
        Value::I32(n) => (*n).into(),
        Value::U64(n) => (*n).into(),
        Value::I64(n) => (*n).into(),
        // As a text where JSON has no such number.
        Value::F32(x) if x.is_finite() => f64::from(*x).into(),
        Value::F64(x) if x.is_finite() => (*x).into(),
        Value::F32(x) => x.to_string().into(),
        Value::F64(x) => x.to_string().into(),
        Value::Bool(on) => (*on).into(),
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().take(SHOWN).map(plain).collect(),
    }
}

/// Items of an array that are looked at: enough to tell an empty one, and for a message.
const SHOWN: usize = 20;
