//! What the tasks of LongBench are: the TOML files of `datasets/longbench`, inside the binary.

use anyhow::Result;
use include_dir::{Dir, include_dir};
use serde::Deserialize;

use super::metric::Metric;
use super::prompt::Prompt;
use super::template::Template;
use crate::dataset::longbench::LongBenchRecord;
use crate::model::tokenizer::ModelTokenizer;
use crate::toml_text;

static DEFINITIONS: Dir = include_dir!("$CARGO_MANIFEST_DIR/datasets/longbench");

/// One task: how a record becomes a prompt, and an answer a score.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Definition {
    /// Name of the task and of its dataset, such as `qasper`.
    pub name: String,
    /// Language of the answers: `en` or `zh`.
    pub language: String,
    /// The kind of task that LongBench counts it among.
    pub group: String,
    /// The metric that answers are scored by.
    pub metric: Metric,
    /// Most tokens of an answer.
    pub max_new_tokens: usize,
    /// Whether the prompt is a turn in the model's chat template.
    pub chat: bool,
    /// Whether only the first line of an answer is scored, after the line ends that it starts with.
    pub first_line: bool,
    /// Whether LongBench-E has it, in files of records of even lengths.
    pub by_length: bool,
    /// Texts whose last token ends an answer.
    #[serde(default)]
    pub stops: Vec<String>,
    /// Tokens of an answer before which no stop is heeded.
    #[serde(default)]
    pub min_new_tokens: usize,
    /// The text of a prompt, with slots for the fields of a record.
    pub template: Template,
}

impl Definition {
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a key or value that does not belong; `origin` names the file.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        toml_text::parse(text, origin)
    }

    /// The definition of that name that comes with the program.
    pub fn built_in(name: &str) -> Result<Option<Self>> {
        let file = DEFINITIONS.get_file(format!("{name}.toml"));
        let text = file.and_then(include_dir::File::contents_utf8);
        text.map(|text| Self::parse(text, name)).transpose()
    }

    /// The prompt of `record`; see [`Prompt::new`].
    pub(super) fn prompt(
        &self,
        record: &LongBenchRecord,
        max_length: usize,
        tokenizer: &ModelTokenizer,
    ) -> Result<Prompt> {
        Prompt::new(self.template.fill(record), max_length, self.chat, tokenizer)
    }

    /// Tokens of the prompt of `record`, nothing cut out of it.
    ///
    /// # Errors
    /// Any of the tokenizer or of the chat template.
    pub fn prompt_tokens(
        &self,
        record: &LongBenchRecord,
        tokenizer: &ModelTokenizer,
    ) -> Result<usize> {
        let prompt = self.prompt(record, usize::MAX, tokenizer)?;
        Ok(prompt.context.len() + prompt.question.len())
    }
}

/// Names of the tasks that come with the program, sorted.
pub fn names() -> Vec<&'static str> {
    let stem = |file: &'static include_dir::File| file.path().file_stem()?.to_str();
    let mut names: Vec<_> = DEFINITIONS.files().filter_map(stem).collect();
    names.sort_unstable();
    names
}
