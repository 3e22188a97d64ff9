//! Samples and their metrics: what a model is asked, and what its answer is worth.
//!
//! A task builds samples from a `dataset` and a tokenizer, and scores answers. `experiment` names the
//! task, `run` feeds its samples to `generate`.

mod built_in;
pub mod custom;
pub mod kinds;
pub mod longbench;
pub mod metric;
pub mod mini;
pub mod needle;
pub mod niah;
pub mod perplexity;
mod prompt;
mod rng;
pub mod ruler;
pub(crate) mod spec;

pub use spec::TaskSpec;

use std::ops::Range;

use anyhow::Result;

/// One item of a task, as token ids of the model it was built for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Names the sample within its task, in records.
    pub id: String,
    /// Tokens up to the question: the opening of the chat template and the haystack.
    pub context: Vec<u32>,
    /// The rest of the prompt: the question, up to and with the generation prompt.
    pub question: Vec<u32>,
    /// What a right answer contains.
    pub answers: Vec<String>,
    /// The right answer as the model would write it, after the generation prompt. Empty where no right answer comes to
    /// any token.
    pub reference: Vec<u32>,
    /// Which tokens of `reference` carry the answer. Where there are none, no likelihood is asked for.
    pub reference_scored: Range<usize>,
    /// Tokens of the text that were taken out because there were too many.
    pub cut: usize,
    /// Tokens that end the answer besides the model's own.
    pub stops: Vec<u32>,
    /// Tokens before which no stop is heeded: the most likely other token is taken instead.
    pub min_new_tokens: usize,
    /// Tokens the model may generate; 0: there is no answer to score, only a reference.
    pub max_new_tokens: usize,
}

impl Sample {
    /// Tokens of the whole prompt.
    pub fn prompt_tokens(&self) -> usize {
        self.context.len() + self.question.len()
    }
}

/// A benchmark: a list of samples in stable order, and a metric.
pub trait Task {
    /// The name it has in experiments and records.
    fn name(&self) -> &str;
    /// Changes whenever the same settings give other samples or scores.
    fn version(&self) -> u32;
    /// The name of the metric that [`score`](Self::score) computes.
    fn metric(&self) -> &str;
    /// Number of samples.
    fn len(&self) -> usize;
    /// Whether there are no samples.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The id of sample `i`, without building the sample.
    fn sample_id(&self, i: usize) -> String;
    /// Sample `i`, the same on every call.
    ///
    /// # Errors
    /// If there is no sample `i`, or it cannot be built.
    fn sample(&self, i: usize) -> Result<Sample>;
    /// What `response` is worth, from 0 to 1.
    fn score(&self, sample: &Sample, response: &str) -> f64;
    /// What else the task's protocol computes of `response`, by name, from 0 to 1. Kept beside the answer.
    fn other_scores(&self, _response: &str) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
}
