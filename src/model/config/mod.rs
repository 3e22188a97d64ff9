//! What a decoder is made of: the facts in which Llama-2/3, Mistral, Qwen2/2.5/3, SmolLM2 and
//! TinyLlama differ, as one struct. Read from a Hugging Face `config.json` or from GGUF metadata;
//! everything after this point in the flow sees only [`DecoderConfig`].

mod generation;
mod gguf;
mod hf;
mod json;
mod known;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::attend::rope::RopeScaling;
use crate::bad_input;

pub(crate) use generation::generation_notes;
pub(crate) use known::{list, list_some, short};

/// The families of architecture that the one decoder covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Llama-2/3, SmolLM2, TinyLlama; in GGUF also Mistral, which llama.cpp writes as `llama`.
    Llama,
    /// Mistral in Hugging Face layout: Llama, with a sliding window in some versions.
    Mistral,
    /// Qwen2 and Qwen2.5: biases on the query, key and value projections.
    Qwen2,
    /// Qwen3: an RMS norm over each query and key head before RoPE.
    Qwen3,
}

/// What [`Architecture::from_name`] accepts, for error texts.
const SUPPORTED: &str = "llama, mistral, qwen2 or qwen3";

impl Architecture {
    /// The name that `model_type` (Hugging Face) and `general.architecture` (GGUF) give it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3]
            .into_iter()
            .find(|architecture| architecture.name() == name)
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The facts of one model. The names in parentheses are keys of `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct DecoderConfig {
    /// The family (`model_type`).
    pub architecture: Architecture,
    /// Elements of a hidden state (`hidden_size`).
    pub hidden: usize,
    /// Elements between the projections of the MLP (`intermediate_size`).
    pub intermediate: usize,
    /// Decoder layers (`num_hidden_layers`).
    pub layers: usize,
    /// Query heads of a layer (`num_attention_heads`); a multiple of `kv_heads`.
    pub heads: usize,
    /// KV heads of a layer (`num_key_value_heads`).
    pub kv_heads: usize,
    /// Elements of a query, key or value of one head (`head_dim`); even. Not always `hidden / heads` (Qwen3,
    /// Mistral-Nemo).
    pub head_dim: usize,
    /// Rows of the embedding (`vocab_size`); the tokenizer may have fewer tokens.
    pub vocab: usize,
    /// Context length that the model states, in tokens (`max_position_embeddings`).
    pub max_positions: usize,
    /// What RMS norms add to the mean square (`rms_norm_eps`).
    pub norm_eps: f64,
    /// Base of the RoPE frequencies (`rope_theta`).
    pub rope_theta: f64,
    /// How the RoPE frequencies are changed (`rope_scaling`). None: not at all.
    pub rope_scaling: Option<RopeScaling>,
    /// The output head is the embedding table.
    pub tie_embeddings: bool,
    /// Biases on the query, key and value projections.
    pub qkv_bias: bool,
    /// A bias on the attention's output projection.
    pub o_bias: bool,
    /// Biases on the three projections of the MLP.
    pub mlp_bias: bool,
    /// RMS norms over each query and key head, before RoPE.
    pub qk_norm: bool,
    /// An active sliding window of one layer or more: a query sees only this many of the last
    /// positions, itself included. `None` where no layer slides.
    pub sliding_window: Option<usize>,
    /// Where the window is shorter than the context: says so, and names the key.
    pub window_note: Option<String>,
    /// What else a reader of the results should know of the file: keys that are not known, or that
    /// the reference ignores too. A line each.
    pub notes: Vec<String>,
}

impl DecoderConfig {
    /// The most positions for which full causal attention is what the model computes: the context
    /// length, or an active sliding window where that is shorter. Prompt and generated tokens
    /// together must stay within it.
    pub fn max_prompt(&self) -> usize {
        self.sliding_window
            .map_or(self.max_positions, |window| window.min(self.max_positions))
    }

    /// Checks what no single key can show. `key` translates a Hugging Face key into the name that
    /// the file itself uses, so that the error names what the reader can look up.
    fn validated(mut self, file: &str, key: impl Fn(&str) -> String) -> anyhow::Result<Self> {
        for (name, value) in [
            ("hidden_size", self.hidden),
            ("intermediate_size", self.intermediate),
            ("num_hidden_layers", self.layers),
            ("num_attention_heads", self.heads),
            ("num_key_value_heads", self.kv_heads),
            ("head_dim", self.head_dim),
            ("vocab_size", self.vocab),
            ("max_position_embeddings", self.max_positions),
            ("sliding_window", self.sliding_window.unwrap_or(1)),
        ] {
            // The upper bound keeps products of two sizes within usize.
            if value == 0 || value > u32::MAX as usize {
                return Err(bad_input!(
                    "{file}: {} is {value}, expected a number from 1 to {}",
                    key(name),
                    u32::MAX
                ));
            }
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(bad_input!(
                "{file}: {} is {}, expected a divisor of {} = {}",
                key("num_key_value_heads"),
                self.kv_heads,
                key("num_attention_heads"),
                self.heads
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(bad_input!(
                "{file}: {} is {}, expected an even number (RoPE rotates pairs)",
                key("head_dim"),
                self.head_dim
            ));
        }
        for (name, value) in [
            ("rms_norm_eps", self.norm_eps),
            ("rope_theta", self.rope_theta),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return Err(bad_input!(
                    "{file}: {} is {value}, expected a positive number",
                    key(name)
                ));
            }
        }
        self.check_scaling(file)?;
        if let Some(window) = self.sliding_window.filter(|w| *w < self.max_positions) {
            self.window_note = Some(format!(
                "{file}: {} is {window}, and windows are not computed: a prompt with its answer has at most {window} \
                 tokens, of a context of {}",
                key("sliding_window"),
                self.max_positions
            ));
        }
        Ok(self)
    }

    fn check_scaling(&self, file: &str) -> anyhow::Result<()> {
        let at_least_one = |factor: f64| factor.is_finite() && factor >= 1.0;
        let wrong = match &self.rope_scaling {
            None => None,
            Some(RopeScaling::Linear { factor }) => {
                (!at_least_one(*factor)).then(|| format!("factor is {factor}, expected at least 1"))
            }
            Some(RopeScaling::Llama3 {
                factor,
                low_freq_factor: low,
                high_freq_factor: high,
                original_max_positions: original,
            }) => {
                let ordered = *low > 0.0 && high > low && high.is_finite();
                (!at_least_one(*factor) || !ordered || *original == 0).then(|| {
                    format!(
                        "factor, low_freq_factor, high_freq_factor, original_max_position_embeddings are {factor}, \
                         {low}, {high}, {original}, expected factor >= 1, 0 < low < high and a positive length"
                    )
                })
            }
            Some(RopeScaling::Divisors(divisors)) => {
                let half = self.head_dim / 2;
                (divisors.len() != half || divisors.iter().any(|d| !(d.is_finite() && *d > 0.0)))
                    .then(|| {
                        format!(
                            "{} divisors, expected {half} positive numbers",
                            divisors.len()
                        )
                    })
            }
        };
        match wrong {
            None => Ok(()),
            Some(wrong) => Err(bad_input!("{file}: rope scaling: {wrong}")),
        }
    }
}
