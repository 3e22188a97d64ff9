//! The `[[task]]` table of perplexity.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};

use super::{Perplexity, PerplexitySettings};
use crate::bad_input;
use crate::dataset::texts;
use crate::model::tokenizer::ModelTokenizer;
use crate::task::spec::{BuiltTask, Key, TaskKind, TaskSpec, settings};

pub(crate) const KIND: TaskKind = TaskKind {
    name: Cow::Borrowed("perplexity"),
    summary: Cow::Borrowed("perplexity of what follows a compressed prefix of a long text"),
    keys: &[
        Key::new(
            "at",
            "[512, 1024, 2048]",
            "tokens of the prefixes, each compressed where it ends",
        ),
        Key::new(
            "continuation",
            "256",
            "tokens after a prefix that are scored",
        ),
        Key::new(
            "samples",
            "8",
            "parts of the text that share no token, from its start on",
        ),
        Key::new("text", "the project's texts", "a text file"),
    ],
    parts: &[],
    parse,
};

struct PerplexitySpec {
    /// A text file; none: the project's own texts, one after the other.
    text: Option<PathBuf>,
    settings: PerplexitySettings,
}

fn parse(name: &str, mut table: toml::Table) -> Result<Box<dyn TaskSpec>> {
    let text = match table.remove("text") {
        None => None,
        Some(toml::Value::String(file)) => Some(PathBuf::from(file)),
        Some(other) => return Err(bad_input!("{name}: text = {other}: expected a file")),
    };
    let settings: PerplexitySettings = settings(table, name)?;
    settings.check()?;
    Ok(Box::new(PerplexitySpec { text, settings }))
}

impl PerplexitySpec {
    fn read(&self) -> Result<String> {
        match &self.text {
            None => Ok(texts::own_texts()?.join("\n\n")),
            Some(path) => texts::read_text(path).context("perplexity: text"),
        }
    }
}

impl TaskSpec for PerplexitySpec {
    fn summary(&self) -> String {
        let settings = &self.settings;
        format!(
            "perplexity: at {:?}, continuation {}, {} samples",
            settings.at, settings.continuation, settings.samples
        )
    }

    fn check(&self) -> Result<()> {
        self.read().map(drop)
    }

    /// The seed changes nothing: nothing is drawn at random.
    fn build(
        &self,
        tokenizer: &Arc<ModelTokenizer>,
        max_context: usize,
        _seed: u64,
    ) -> Result<Vec<BuiltTask>> {
        let text = self.read()?;
        let task = Perplexity::new(&self.settings, &text, tokenizer, max_context)?;
        Ok(vec![BuiltTask::new(task, texts::digest(&[text]))])
    }
}
