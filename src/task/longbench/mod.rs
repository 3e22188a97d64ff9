//! LongBench v1 (arXiv 2308.14508) by its official protocol: `LongBench/pred.py` and `eval.py` of THUDM/LongBench.
//!
//! A [`Definition`] says how records become prompts and answers become scores; the task takes any list of records in
//! LongBench's schema.

mod definition;
mod metric;
mod prompt;
mod spec;
mod template;

use std::sync::Arc;

use anyhow::{Context, Result};

use self::prompt::Prompt;
use super::metric::Rules;
use super::prompt::reference;
use super::{Sample, Task};
use crate::bad_input;
use crate::dataset::longbench::LongBenchRecord;
use crate::model::tokenizer::ModelTokenizer;

pub use definition::{Definition, names};
pub use metric::Metric;
pub use spec::{OWN_WORDS, is_task, kinds, published_average};
pub use template::Template;

/// Most tokens of the first answer that are scored under teacher forcing.
const MOST_REFERENCE_TOKENS: usize = 64;

/// What the user chooses about a task, beside its definition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LongBenchSettings {
    /// Whether metrics are as published or with their known mistakes fixed.
    pub rules: Rules,
    /// Tokens of a prompt above which its middle is cut out, before the chat template is put around it. None: the
    /// official value for the model's context.
    pub max_length: Option<usize>,
}

/// One dataset, or a part of one.
pub struct LongBench {
    name: String,
    definition: Definition,
    records: Vec<LongBenchRecord>,
    rules: Rules,
    max_length: usize,
    max_context: usize,
    stops: Vec<u32>,
    tokenizer: Arc<ModelTokenizer>,
}

impl LongBench {
    /// * `name`: the task's in records, which may be of a part of the definition's dataset.
    /// * `records`: each with an id of its own, and one that the definition's metric fits.
    /// * `max_context`: tokens that the model takes, prompt and answer together.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if prompts of the length asked for leave no room for an answer.
    pub fn new(
        name: &str,
        definition: Definition,
        records: Vec<LongBenchRecord>,
        settings: LongBenchSettings,
        tokenizer: Arc<ModelTokenizer>,
        max_context: usize,
    ) -> Result<Self> {
        let max_length = settings
            .max_length
            .unwrap_or_else(|| official_max_length(max_context));
        let answer = definition.max_new_tokens;
        if max_length < 2 || max_length.saturating_add(answer) > max_context {
            return Err(bad_input!(
                "task {name}: max-length {max_length} and {answer} tokens of answer do not fit the model's context of \
                 {max_context}"
            ));
        }
        if definition.chat {
            // Once and here, not in every sample.
            tokenizer.check_chat()?;
        }
        let last = |text: &String| Ok(tokenizer.encode(text, false)?.last().copied());
        let stops = definition
            .stops
            .iter()
            .map(last)
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            name: name.into(),
            definition,
            records,
            rules: settings.rules,
            max_length,
            max_context,
            stops: stops.into_iter().flatten().collect(),
            tokenizer,
        })
    }

    fn reference(&self, record: &LongBenchRecord, prompt: &Prompt) -> Result<Vec<u32>> {
        // After `Answer:` an English answer follows a space, after a line of code another.
        let joined = prompt.turn || self.definition.language == "zh";
        let before = match self.definition.metric {
            _ if joined || prompt.last.ends_with(char::is_whitespace) => "",
            Metric::CodeSim => "\n",
            _ => " ",
        };
        let texts = record
            .answers
            .iter()
            .map(|answer| format!("{before}{answer}"));
        let mut reference = reference(&self.tokenizer, &prompt.last, texts)?;
        reference.truncate(MOST_REFERENCE_TOKENS);
        Ok(reference)
    }
}

impl Task for LongBench {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> u32 {
        1
    }

    fn metric(&self) -> &str {
        self.definition.metric.name(self.rules)
    }

    fn len(&self) -> usize {
        self.records.len()
    }

    fn sample_id(&self, i: usize) -> String {
        self.records[i].id.clone()
    }

    fn sample(&self, i: usize) -> Result<Sample> {
        let record = self.records.get(i);
        let record = record.with_context(|| format!("{} has no sample {i}", self.name))?;
        let definition = &self.definition;
        let prompt = definition.prompt(record, self.max_length, &self.tokenizer)?;
        let reference = self.reference(record, &prompt)?;
        let sample = Sample {
            id: record.id.clone(),
            reference_scored: 0..reference.len(),
            reference,
            context: prompt.context,
            question: prompt.question,
            answers: record.answers.clone(),
            cut: prompt.cut,
            stops: self.stops.clone(),
            min_new_tokens: definition.min_new_tokens,
            max_new_tokens: definition.max_new_tokens,
        };
        // What is generated, or fed in its place.
        let answer = sample.max_new_tokens.max(sample.reference.len());
        let tokens = sample.prompt_tokens();
        if tokens + answer > self.max_context {
            return Err(bad_input!(
                "{tokens} tokens of prompt and {answer} of answer do not fit the model's context of {}; a smaller \
                 max-length leaves more room",
                self.max_context
            ));
        }
        Ok(sample)
    }

    fn score(&self, sample: &Sample, response: &str) -> f64 {
        let Some(record) = self.records.iter().find(|record| record.id == sample.id) else {
            return 0.0;
        };
        let response = match self.definition.first_line {
            true => first_line(response),
            false => response,
        };
        self.definition.metric.score(self.rules, response, record)
    }
}

fn first_line(response: &str) -> &str {
    let text = response.trim_start_matches('\n');
    text.split_once('\n').map_or(text, |(line, _)| line)
}

/// What `config/model2maxlen.json` has for a context of 4k, 8k, 16k and 32k tokens: 3500, 7500, 15500, 31500. The slack
/// is for the answer, the chat template and the drift of tokenising twice.
fn official_max_length(max_context: usize) -> usize {
    match max_context / 1024 {
        0 => max_context / 2,
        thousands => thousands * 1000 - 500,
    }
}
