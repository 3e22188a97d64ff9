//! [`DecoderConfig`] from the metadata and tensor list of a GGUF file (llama.cpp's names).

use anyhow::Result;
use candle_core::quantized::gguf_file::Value;

use super::{Architecture, DecoderConfig, RopeScaling, SUPPORTED};
use crate::bad_input;
use crate::model::weights::GgufFile;

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

impl DecoderConfig {
    /// Reads the facts of an opened GGUF file. Ties, biases and norms are told from which tensors
    /// it holds, since GGUF has no keys for them.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) naming file, key, value found and value expected.
    pub fn from_gguf(gguf: &GgufFile) -> Result<Self> {
        let file = gguf.name();
        let architecture = match gguf.metadata("general.architecture") {
            Some(Value::String(name)) => Architecture::from_name(name).ok_or_else(|| {
                bad_input!("{file}: general.architecture is {name}, expected {SUPPORTED}")
            })?,
            _ => {
                return Err(bad_input!(
                    "{file}: key general.architecture is missing, expected {SUPPORTED}"
                ));
            }
        };
        let keys = Keys { gguf, architecture };
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
        keys.refuse_unsupported(head_dim)?;
        Self {
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
            qk_norm: gguf.holds("blk.0.attn_q_norm.weight"),
            sliding_window: keys.count("sliding_window")?.filter(|window| *window > 0),
        }
        .validated(file, |key| keys.name(key))
    }
}

struct Keys<'a> {
    gguf: &'a GgufFile,
    architecture: Architecture,
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
        self.gguf.metadata(&self.name(key))
    }

    fn missing(&self, key: &str) -> anyhow::Error {
        bad_input!(
            "{}: key {} is missing, expected it in the metadata of a model",
            self.gguf.name(),
            self.name(key)
        )
    }

    fn wrong(&self, key: &str, found: &Value, expected: &str) -> anyhow::Error {
        let found = match found {
            Value::Array(items) => format!("an array of {}", items.len()),
            Value::String(text) => format!("{text:?}"),
            // Debug gives `U32(8)`.
            scalar => format!("{scalar:?}")
                .split(['(', ')'])
                .nth(1)
                .unwrap_or_default()
                .to_owned(),
        };
        bad_input!(
            "{}: {} is {found}, expected {expected}",
            self.gguf.name(),
            self.name(key)
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

    fn refuse_unsupported(&self, head_dim: usize) -> Result<()> {
        for (key, expected) in [
            ("attention.value_length", head_dim),
            ("rope.dimension_count", head_dim),
            ("expert_count", 0),
        ] {
            match (self.count(key)?, self.get(key)) {
                (Some(found), Some(value)) if found != expected => {
                    return Err(self.wrong(key, value, &expected.to_string()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn scaling(&self) -> Result<Option<RopeScaling>> {
        if self.gguf.holds("rope_freqs.weight") {
            return Ok(Some(RopeScaling::Divisors(
                self.gguf.vector("rope_freqs.weight")?,
            )));
        }
        match self.get("rope.scaling.type") {
            None => Ok(None),
            Some(Value::String(kind)) if kind == "none" => Ok(None),
            Some(Value::String(kind)) if kind == "linear" => Ok(Some(RopeScaling::Linear {
                factor: self
                    .number("rope.scaling.factor")?
                    .ok_or_else(|| self.missing("rope.scaling.factor"))?,
            })),
            Some(other) => Err(self.wrong("rope.scaling.type", other, "none or linear")),
        }
    }
}
