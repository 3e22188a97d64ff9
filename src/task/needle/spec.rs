//! The `[[task]]` table of the needle task.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;

use super::{Needle, NeedleSettings};
use crate::bad_input;
use crate::dataset::haystack::{self, Haystack};
use crate::model::tokenizer::ModelTokenizer;
use crate::task::spec::{BuiltTask, TaskKind, TaskSpec, settings};

pub const KIND: TaskKind = TaskKind {
    name: Cow::Borrowed("needle"),
    summary: Cow::Borrowed(
        "needle in a haystack: recall one planted sentence among prose and k distractors",
    ),
    flags: &["lengths", "depths", "distractors", "seeds", "haystack"],
    parse,
};

struct NeedleSpec {
    /// A folder of text files; none: the project's own texts.
    haystack: Option<PathBuf>,
    settings: NeedleSettings,
}

fn parse(name: &str, mut table: toml::Table) -> Result<Box<dyn TaskSpec>> {
    let haystack = match table.remove("haystack") {
        None => None,
        Some(toml::Value::String(folder)) => Some(PathBuf::from(folder)),
        Some(other) => return Err(bad_input!("haystack = {other}: expected a folder")),
    };
    let settings: NeedleSettings = settings(table, name)?;
    settings.check()?;
    Ok(Box::new(NeedleSpec { haystack, settings }))
}

impl TaskSpec for NeedleSpec {
    fn summary(&self) -> String {
        let settings = &self.settings;
        format!(
            "needle: lengths {:?}, depths {:?} %, distractors {:?}, {} seeds",
            settings.lengths, settings.depths, settings.distractors, settings.seeds
        )
    }

    fn check(&self) -> Result<()> {
        haystack::check(self.haystack.as_deref())
    }

    fn build(
        &self,
        tokenizer: &Arc<ModelTokenizer>,
        max_context: usize,
        seed: u64,
    ) -> Result<Vec<BuiltTask>> {
        let texts = haystack::texts(self.haystack.as_deref())?;
        let haystack = Haystack::new(&texts, tokenizer)?;
        let mut settings = self.settings.clone();
        settings.seed += seed;
        let task = Needle::new(&settings, haystack, tokenizer.clone(), max_context)?;
        Ok(vec![BuiltTask::new(task, haystack::digest(&texts))])
    }
}
