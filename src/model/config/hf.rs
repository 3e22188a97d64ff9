//! [`DecoderConfig`] from a Hugging Face `config.json`.
//!
//! Defaults are those of the `transformers` configuration classes, and only for keys that real
//! files leave out; transformers 5 moved `rope_theta` and `rope_scaling` into `rope_parameters`,
//! and both spellings are read.

use anyhow::Result;
use serde_json::{Map, Value};

use super::{Architecture, DecoderConfig, RopeScaling, SUPPORTED};
use crate::bad_input;

impl DecoderConfig {
    /// Reads `text`, the content of the `config.json` called `file` in error texts.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) naming file, key, value found and value expected: not
    /// JSON, a key missing or of the wrong kind, or a model that the decoder does not cover.
    pub fn from_hf_json(text: &str, file: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)
            .map_err(|e| bad_input!("{file}: not JSON ({e}), expected a model's config.json"))?;
        let Value::Object(map) = &value else {
            return Err(bad_input!("{file}: expected a JSON object, found {value}"));
        };
        let keys = Keys {
            file,
            section: "",
            map,
        };
        let architecture = keys.architecture()?;
        keys.refuse_unsupported()?;

        let heads = keys.count("num_attention_heads")?;
        let hidden = keys.count("hidden_size")?;
        let layers = keys.count("num_hidden_layers")?;
        let kv_heads = match (keys.optional_count("num_key_value_heads")?, architecture) {
            (Some(kv_heads), _) => kv_heads,
            // Llama-1/2 files predate the key: one KV head per query head.
            (None, Architecture::Llama) => heads,
            (None, _) => return Err(keys.missing("num_key_value_heads")),
        };
        let head_dim = match (keys.optional_count("head_dim")?, architecture) {
            (Some(head_dim), _) => head_dim,
            (None, Architecture::Qwen3) => return Err(keys.missing("head_dim")),
            (None, _) if heads > 0 && hidden.is_multiple_of(heads) => hidden / heads,
            (None, _) => {
                return Err(bad_input!(
                    "{file}: hidden_size is {hidden}, expected a multiple of num_attention_heads \
                     = {heads}, or the key head_dim"
                ));
            }
        };
        let attention_bias = keys.flag("attention_bias")?;
        let rope = keys.rope()?;
        let theta = match rope {
            Some(rope) => rope.optional_number("rope_theta")?,
            None => None,
        };
        let theta = match theta {
            Some(theta) => theta,
            None => keys.optional_number("rope_theta")?.unwrap_or(10_000.0),
        };
        Self {
            architecture,
            hidden,
            intermediate: keys.count("intermediate_size")?,
            layers,
            heads,
            kv_heads,
            head_dim,
            vocab: keys.count("vocab_size")?,
            max_positions: keys.count("max_position_embeddings")?,
            norm_eps: keys.number("rms_norm_eps")?,
            rope_theta: theta,
            rope_scaling: rope.map(|rope| rope.scaling()).transpose()?.flatten(),
            tie_embeddings: keys.flag("tie_word_embeddings")?,
            qkv_bias: attention_bias || architecture == Architecture::Qwen2,
            o_bias: attention_bias,
            qk_norm: architecture == Architecture::Qwen3,
            sliding_window: keys.sliding_window(architecture, layers)?,
        }
        .validated(file, str::to_owned)
    }
}

/// The keys of one JSON object, with what an error needs to name them.
#[derive(Clone, Copy)]
struct Keys<'a> {
    file: &'a str,
    /// The enclosing key and a dot, or nothing.
    section: &'static str,
    map: &'a Map<String, Value>,
}

impl<'a> Keys<'a> {
    /// The value of a key; `null` counts as absent, as in Python.
    fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn missing(&self, key: &str) -> anyhow::Error {
        bad_input!(
            "{}: key {}{key} is missing, expected it in the config.json of a model",
            self.file,
            self.section
        )
    }

    fn wrong(&self, key: &str, expected: &str) -> anyhow::Error {
        let found = self.map.get(key).unwrap_or(&Value::Null);
        bad_input!(
            "{}: {}{key} is {found}, expected {expected}",
            self.file,
            self.section
        )
    }

    fn optional<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        self.get(key)
            .map(|value| read(value).ok_or_else(|| self.wrong(key, expected)))
            .transpose()
    }

    fn optional_count(&self, key: &str) -> Result<Option<usize>> {
        self.optional(key, "a whole number", |value| {
            value.as_u64().and_then(|n| usize::try_from(n).ok())
        })
    }

    fn count(&self, key: &str) -> Result<usize> {
        self.optional_count(key)?.ok_or_else(|| self.missing(key))
    }

    fn optional_number(&self, key: &str) -> Result<Option<f64>> {
        self.optional(key, "a number", Value::as_f64)
    }

    fn number(&self, key: &str) -> Result<f64> {
        self.optional_number(key)?.ok_or_else(|| self.missing(key))
    }

    fn flag(&self, key: &str) -> Result<bool> {
        Ok(self
            .optional(key, "true or false", Value::as_bool)?
            .unwrap_or(false))
    }

    fn text(&self, key: &str) -> Result<Option<&'a str>> {
        self.optional(key, "a string", Value::as_str)
    }

    fn architecture(&self) -> Result<Architecture> {
        let name = self
            .text("model_type")?
            .ok_or_else(|| self.missing("model_type"))?;
        Architecture::from_name(name).ok_or_else(|| self.wrong("model_type", SUPPORTED))
    }

    /// Settings that would change the arithmetic in a way the decoder does not do.
    fn refuse_unsupported(&self) -> Result<()> {
        if !matches!(self.text("hidden_act")?, None | Some("silu" | "swish")) {
            return Err(self.wrong("hidden_act", "silu"));
        }
        if self.flag("mlp_bias")? {
            return Err(self.wrong("mlp_bias", "false"));
        }
        if !matches!(
            self.optional_number("partial_rotary_factor")?,
            None | Some(1.0)
        ) {
            return Err(self.wrong("partial_rotary_factor", "1"));
        }
        if self.get("quantization_config").is_some() {
            return Err(self.wrong(
                "quantization_config",
                "none: safetensors are read in f32, f16 or bf16 (use a GGUF for quantised weights)",
            ));
        }
        Ok(())
    }

    /// The object with the RoPE settings, under the name of transformers 5 or the older one.
    fn rope(&self) -> Result<Option<Keys<'a>>> {
        for (key, section) in [
            ("rope_parameters", "rope_parameters."),
            ("rope_scaling", "rope_scaling."),
        ] {
            if let Some(map) = self.optional(key, "an object or null", Value::as_object)? {
                return Ok(Some(Keys {
                    file: self.file,
                    section,
                    map,
                }));
            }
        }
        Ok(None)
    }

    fn scaling(&self) -> Result<Option<RopeScaling>> {
        let key = if self.get("rope_type").is_some() {
            "rope_type"
        } else {
            "type"
        };
        match self.text(key)? {
            None | Some("default") => Ok(None),
            Some("linear") => Ok(Some(RopeScaling::Linear {
                factor: self.number("factor")?,
            })),
            Some("llama3") => Ok(Some(RopeScaling::Llama3 {
                factor: self.number("factor")?,
                low_freq_factor: self.number("low_freq_factor")?,
                high_freq_factor: self.number("high_freq_factor")?,
                original_max_positions: self.count("original_max_position_embeddings")?,
            })),
            Some(_) => Err(self.wrong(key, "default, linear or llama3")),
        }
    }

    /// The window that is active, by the rules of the transformers classes.
    fn sliding_window(&self, architecture: Architecture, layers: usize) -> Result<Option<usize>> {
        let window = self.optional_count("sliding_window")?;
        match architecture {
            Architecture::Llama => Ok(None),
            // `MistralConfig` takes 4096 when the key is absent; from v0.2 on it is null.
            Architecture::Mistral if !self.map.contains_key("sliding_window") => Ok(Some(4096)),
            Architecture::Mistral => Ok(window),
            Architecture::Qwen2 | Architecture::Qwen3 => {
                let first_windowed = self.optional_count("max_window_layers")?.unwrap_or(0);
                let active = self.flag("use_sliding_window")? && first_windowed < layers;
                Ok(window.filter(|_| active))
            }
        }
    }
}
