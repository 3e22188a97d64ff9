//! The `[[task]]` table of perplexity.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;

use super::{Perplexity, PerplexitySettings};
use crate::bad_input;
use crate::dataset::haystack;
use crate::files;
use crate::model::tokenizer::ModelTokenizer;
use crate::task::spec::{BuiltTask, TaskKind, TaskSpec, settings};

pub const KIND: TaskKind = TaskKind {
    name: Cow::Borrowed("perplexity"),
    summary: Cow::Borrowed("perplexity of what follows a compressed prefix of a long text"),
    flags: &[],
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
            None => Ok(haystack::own_texts()?.join("\n\n")),
            Some(path) => files::read_text(path),
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
        Ok(vec![BuiltTask::new(task, haystack::digest(&[text]))])
    }
}
