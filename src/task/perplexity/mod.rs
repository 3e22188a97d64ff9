//! Perplexity over a long text: how likely a model finds what follows a prefix whose cache was compressed.
//!
//! The text is cut into windows that share no token, each of the longest prefix and its continuation. A sample is the
//! first tokens of a window, which are compressed, and the tokens after them, which are scored by teacher forcing;
//! nothing is generated. The result is the records' `nll`; perplexity is exp of its mean.

mod spec;

pub(super) use spec::KIND;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::spec::{check_samples, repeats};
use super::{Sample, Task};
use crate::bad_input;
use crate::model::tokenizer::ModelTokenizer;

/// Which samples there are: one for each window and prefix.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct PerplexitySettings {
    /// Tokens of the prefixes, each compressed where it ends.
    pub at: Vec<usize>,
    /// Tokens after a prefix that are scored.
    pub continuation: usize,
    /// Windows of the text, from its start on.
    pub samples: usize,
}

impl Default for PerplexitySettings {
    fn default() -> Self {
        Self {
            at: vec![512, 1024, 2048],
            continuation: 256,
            samples: 8,
        }
    }
}

impl PerplexitySettings {
    /// What can be said of the settings without a text.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a setting that is empty or 0.
    pub fn check(&self) -> Result<()> {
        if self.at.is_empty() || self.at.contains(&0) || self.continuation == 0 || self.samples == 0
        {
            return Err(bad_input!(
                "perplexity: at, continuation and samples must not be empty or 0"
            ));
        }
        let counts = [
            ("at", self.at.len() as u64),
            ("samples", self.samples as u64),
        ];
        check_samples("perplexity", &counts)?;
        if repeats(&self.at) {
            return Err(bad_input!(
                "perplexity: a value stands twice in at, expected each once"
            ));
        }
        Ok(())
    }

    fn window(&self) -> usize {
        let longest = self.at.iter().max().unwrap_or(&0);
        longest.saturating_add(self.continuation)
    }
}

/// The task: settings, and a text in the tokens of one model.
pub struct Perplexity {
    settings: PerplexitySettings,
    /// What the model begins its texts with.
    opening: Vec<u32>,
    text: Vec<u32>,
}

impl Perplexity {
    /// The samples of `settings` over `text` for a model that takes `max_context` tokens.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if a setting is out of range, the text too short, or a window too long for
    /// the model; any error of the tokenizer.
    pub fn new(
        settings: &PerplexitySettings,
        text: &str,
        tokenizer: &ModelTokenizer,
        max_context: usize,
    ) -> Result<Self> {
        settings.check()?;
        let window = settings.window();
        if window > max_context {
            return Err(bad_input!(
                "perplexity: at and continuation make {window} tokens, more than the model's context of {max_context}"
            ));
        }
        let opening = tokenizer.opening().to_vec();
        if let Some(at) = settings.at.iter().find(|&&at| at <= opening.len()) {
            return Err(bad_input!(
                "perplexity: at {at}, expected more than the {} tokens that every text begins with",
                opening.len()
            ));
        }
        let text = tokenizer.encode(text, false)?;
        let needed = settings.samples.saturating_mul(window - opening.len());
        if text.len() < needed {
            return Err(bad_input!(
                "perplexity: the text has {} tokens, expected at least {needed} for {} samples of {window}",
                text.len(),
                settings.samples
            ));
        }
        Ok(Self {
            settings: settings.clone(),
            opening,
            text,
        })
    }

    /// The window and the prefix of sample `i`.
    fn place(&self, i: usize) -> Option<(usize, usize)> {
        let at = &self.settings.at;
        let window = i / at.len();
        (window < self.settings.samples).then(|| (window, at[i % at.len()]))
    }
}

impl Task for Perplexity {
    fn name(&self) -> &str {
        "perplexity"
    }

    fn version(&self) -> u32 {
        1
    }

    fn metric(&self) -> &str {
        "perplexity"
    }

    fn len(&self) -> usize {
        self.settings.samples * self.settings.at.len()
    }

    fn sample_id(&self, i: usize) -> String {
        let at = self.settings.at.len();
        format!("at={};window={}", self.settings.at[i % at], i / at)
    }

    fn sample(&self, i: usize) -> Result<Sample> {
        let (window, at) = self
            .place(i)
            .with_context(|| format!("perplexity has no sample {i}"))?;
        let start = window * (self.settings.window() - self.opening.len());
        let end = start + at - self.opening.len();
        let reference = self.text[end..end + self.settings.continuation].to_vec();
        Ok(Sample {
            id: self.sample_id(i),
            context: [&self.opening[..], &self.text[start..end]].concat(),
            question: Vec::new(),
            answers: Vec::new(),
            reference_scored: 0..reference.len(),
            reference,
            cut: 0,
            stops: Vec::new(),
            min_new_tokens: 0,
            max_new_tokens: 0,
        })
    }

    /// Never asked for: nothing is generated.
    fn score(&self, _sample: &Sample, _response: &str) -> f64 {
        0.0
    }
}
