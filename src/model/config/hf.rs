//! [`DecoderConfig`] from a Hugging Face `config.json`.
//!
//! Defaults are those of the `transformers` configuration classes, and only for keys that real
//! files leave out; transformers 5 moved `rope_theta` and `rope_scaling` into `rope_parameters`,
//! and both spellings are read. Keys that are not read are judged by the lists of `known`.

use std::cell::RefCell;
use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::Value;

use super::generation::samples;
use super::json::Keys;
use super::known::{hf_rope_rule, hf_rule, settle};
use super::{Architecture, DecoderConfig, SUPPORTED};
use crate::attend::rope::RopeScaling;
use crate::bad_input;

/// The window, where `sliding_window` is absent.
const SLIDING_WINDOW: usize = 4096;
/// The layer from which on Qwen's windows slide, where `max_window_layers` is absent.
const MAX_WINDOW_LAYERS: usize = 28;

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
            return Err(bad_input!("{file}: expected a JSON object"));
        };
        let read = RefCell::new(BTreeSet::new());
        let keys = Keys {
            file,
            section: "",
            map,
            read: &read,
        };
        let architecture = keys.architecture()?;
        keys.refuse_unsupported()?;

        let heads = keys.count("num_attention_heads")?;
        let hidden = keys.count("hidden_size")?;
        let layers = keys.count("num_hidden_layers")?;
        let kv_heads = match (keys.optional_count("num_key_value_heads")?, architecture) {
            (Some(kv_heads), _) => kv_heads,
            // Llama-1/2 files predate the key: one KV head per query head, which null means for all.
            (None, Architecture::Llama) => heads,
            (None, _) if map.contains_key("num_key_value_heads") => heads,
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
        let attention_bias = match architecture {
            Architecture::Llama | Architecture::Qwen3 => keys.flag("attention_bias")?,
            Architecture::Mistral | Architecture::Qwen2 => false,
        };
        let mlp_bias = architecture == Architecture::Llama && keys.flag("mlp_bias")?;
        let RopeSettings {
            theta,
            scaling,
            mut notes,
        } = keys.rope()?;
        let max_positions = keys.count("max_position_embeddings")?;
        let sliding_window = keys.sliding_window(architecture, layers)?;
        let mut config = Self {
            architecture,
            hidden,
            intermediate: keys.count("intermediate_size")?,
            layers,
            heads,
            kv_heads,
            head_dim,
            vocab: keys.count("vocab_size")?,
            max_positions,
            norm_eps: keys.number("rms_norm_eps")?,
            rope_theta: theta,
            rope_scaling: scaling,
            tie_embeddings: keys.flag("tie_word_embeddings")?,
            qkv_bias: attention_bias || architecture == Architecture::Qwen2,
            o_bias: attention_bias,
            mlp_bias,
            qk_norm: architecture == Architecture::Qwen3,
            sliding_window,
            window_note: None,
            notes: Vec::new(),
        }
        .validated(file, str::to_owned)?;
        let sampled = samples(map);
        notes.extend(settle(
            file,
            keys.unread()
                .map(|(key, value)| (key.to_owned(), hf_rule(architecture, key, sampled), value)),
        )?);
        config.notes.extend(notes);
        Ok(config)
    }
}

/// What the RoPE settings come to.
struct RopeSettings {
    theta: f64,
    scaling: Option<RopeScaling>,
    notes: Vec<String>,
}

impl<'a> Keys<'a> {
    fn architecture(&self) -> Result<Architecture> {
        let name = self
            .text("model_type")?
            .ok_or_else(|| self.missing("model_type"))?;
        Architecture::from_name(name).ok_or_else(|| self.wrong("model_type", SUPPORTED))
    }

    /// Settings that every family has, and that would change the arithmetic in a way the decoder does not do.
    fn refuse_unsupported(&self) -> Result<()> {
        if !matches!(self.text("hidden_act")?, None | Some("silu" | "swish")) {
            return Err(self.wrong("hidden_act", "silu"));
        }
        if self.get("quantization_config").is_some() {
            return Err(self.wrong(
                "quantization_config",
                "none: safetensors are read in f32, f16 or bf16 (use a GGUF for quantised weights)",
            ));
        }
        self.refuse_partial_rotation()
    }

    fn refuse_partial_rotation(&self) -> Result<()> {
        match self.optional_number("partial_rotary_factor")? {
            None | Some(1.0) => Ok(()),
            Some(_) => Err(self.wrong("partial_rotary_factor", "1")),
        }
    }

    /// The RoPE settings. Where both spellings stand, transformers takes `rope_scaling`, the older one.
    fn rope(&self) -> Result<RopeSettings> {
        let filled = |rope: &Keys<'_>| !rope.map.is_empty();
        let section = |key, section| -> Result<_> {
            let rope = self.inner(key, section)?.filter(filled);
            rope.map(|rope| rope.one_for_all_layers()).transpose()
        };
        let newer = section("rope_parameters", "rope_parameters.")?;
        let older = section("rope_scaling", "rope_scaling.")?;
        let top = self.optional_number("rope_theta")?;
        let Some(rope) = older.or(newer) else {
            return Ok(RopeSettings {
                theta: top.unwrap_or(DEFAULT_THETA),
                scaling: None,
                notes: Vec::new(),
            });
        };
        let theta = rope.optional_number("rope_theta")?.or(top);
        let theta = theta.unwrap_or(DEFAULT_THETA);
        rope.refuse_partial_rotation()?;
        let scaling = rope.scaling(self)?;
        let mut notes = settle(
            self.file,
            rope.unread()
                .map(|(key, value)| (format!("{}{key}", rope.section), hf_rope_rule(key), value)),
        )?;
        if let (Some(_), Some(newer)) = (older, newer) {
            newer.refuse_partial_rotation()?;
            if newer.optional_number("rope_theta")?.unwrap_or(theta) != theta {
                return Err(newer.wrong(
                    "rope_theta",
                    &format!("{theta}, as rope_scaling or the top of the file says"),
                ));
            }
            notes.push(format!(
                "{}: rope_scaling and rope_parameters both stand there: rope_scaling is used, as transformers does",
                self.file
            ));
        }
        Ok(RopeSettings {
            theta,
            scaling,
            notes,
        })
    }

    /// A RoPE section that has a table for each type of layer, as one table: they are the same.
    fn one_for_all_layers(self) -> Result<Self> {
        let mut tables = self.map.iter().filter(|(_, value)| value.is_object());
        let Some((first, table)) = tables.next() else {
            return Ok(self);
        };
        if let Some((key, _)) = self.map.iter().find(|(_, value)| *value != table) {
            let expected = format!(
                "the same as {}{first}: settings for each type of layer are not supported",
                self.section
            );
            return Err(self.wrong(key, &expected));
        }
        let map = table.as_object().unwrap_or(self.map);
        Ok(Self { map, ..self })
    }

    /// The scaling that a RoPE section asks for; `top` are the keys at the top of the file.
    fn scaling(&self, top: &Keys<'_>) -> Result<Option<RopeScaling>> {
        let key = if self.get("rope_type").is_some() {
            "rope_type"
        } else {
            "type"
        };
        match self.text(key)? {
            None if self.get("factor").is_some() => Err(self.wrong(
                "factor",
                "rope_type beside it: transformers scales nothing without one",
            )),
            None | Some("default") => Ok(None),
            Some("linear") => Ok(Some(RopeScaling::Linear {
                factor: self.number("factor")?,
            })),
            Some("llama3") => Ok(Some(RopeScaling::Llama3 {
                factor: self.number("factor")?,
                low_freq_factor: self.number("low_freq_factor")?,
                high_freq_factor: self.number("high_freq_factor")?,
                original_max_positions: self.original_max_positions(top)?,
            })),
            Some(_) => Err(self.wrong(key, "default, linear or llama3")),
        }
    }

    /// As transformers has it: at the top it goes before the one of the section, and without either it is the context.
    fn original_max_positions(&self, top: &Keys<'_>) -> Result<usize> {
        let key = "original_max_position_embeddings";
        for keys in [top, self] {
            if let Some(positions) = keys.optional_count(key)? {
                return Ok(positions);
            }
        }
        top.count("max_position_embeddings")
    }

    /// The window of the layers that have one, by the rules of the transformers classes; none where all are full.
    fn sliding_window(&self, architecture: Architecture, layers: usize) -> Result<Option<usize>> {
        if architecture == Architecture::Llama {
            return Ok(None);
        }
        // Mistral from v0.2 on says null, and has none.
        let window = match self.map.contains_key("sliding_window") {
            true => self.optional_count("sliding_window")?,
            false => Some(SLIDING_WINDOW),
        };
        let (window, first) = match architecture {
            Architecture::Llama | Architecture::Mistral => (window, 0),
            Architecture::Qwen2 | Architecture::Qwen3 => {
                let first = self.optional_count("max_window_layers")?;
                let on = self.flag("use_sliding_window")?;
                (window.filter(|_| on), first.unwrap_or(MAX_WINDOW_LAYERS))
            }
        };
        let types = match architecture {
            // MistralModel gives every layer the window, whatever layer_types says.
            Architecture::Llama | Architecture::Mistral => None,
            Architecture::Qwen2 | Architecture::Qwen3 => self.layer_types(layers)?,
        };
        match types {
            None => Ok(window.filter(|_| first < layers)),
            Some(sliding) => match (sliding.iter().position(|slides| *slides), window) {
                (None, _) => Ok(None),
                (Some(_), Some(window)) => Ok(Some(window)),
                (Some(layer), None) => Err(bad_input!(
                    "{}: layer_types[{layer}] is \"sliding_attention\", expected \"full_attention\": sliding_window \
                     is null or switched off",
                    self.file
                )),
            },
        }
    }

    /// Which layers slide, where `layer_types` says so.
    fn layer_types(&self, layers: usize) -> Result<Option<Vec<bool>>> {
        let Some(types) = self.optional("layer_types", "a list of texts", Value::as_array)? else {
            return Ok(None);
        };
        if types.len() != layers {
            return Err(bad_input!(
                "{}: layer_types has {} entries, expected num_hidden_layers = {layers}",
                self.file,
                types.len()
            ));
        }
        let slides = |(layer, kind): (usize, &Value)| match kind.as_str() {
            Some("full_attention" | "attention") => Ok(false),
            Some("sliding_attention") => Ok(true),
            _ => Err(bad_input!(
                "{}: layer_types[{layer}] is {kind}, expected \"full_attention\" or \"sliding_attention\"",
                self.file
            )),
        };
        let slides = types.iter().enumerate().map(slides);
        slides.collect::<Result<_>>().map(Some)
    }
}

/// The base that every family takes where none is given.
const DEFAULT_THETA: f64 = 10_000.0;
