//! The `[[task]]` table of the needle task.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;

use super::{Needle, NeedleSettings};
use crate::bad_input;
use crate::dataset::haystack::Haystack;
use crate::dataset::texts;
use crate::model::tokenizer::ModelTokenizer;
use crate::task::spec::{BuiltTask, HAYSTACK, Key, TaskKind, TaskSpec, settings};

pub(crate) const KIND: TaskKind = TaskKind {
    name: Cow::Borrowed("needle"),
    summary: Cow::Borrowed(
        "needle in a haystack: recall one planted sentence among prose and k distractors",
    ),
    keys: &[
        Key::of_flag("lengths", "[1024]", "tokens of the whole prompt, at most"),
        Key::of_flag(
            "depths",
            "[0, 25, 50, 75, 100]",
            "how far into the haystack the needle stands, in percent",
        ),
        Key::of_flag(
            "distractors",
            "[0]",
            "needles with other cities and numbers beside it",
        ),
        Key::of_flag("seeds", "1", "repeats with other texts, cities and numbers"),
        Key::new("seed", "0", "the first seed, added to the experiment's"),
        Key::new(
            "cue",
            "true",
            "whether the answer is begun for the model, up to the number",
        ),
        HAYSTACK,
    ],
    parts: &[],
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
        texts::check(self.haystack.as_deref())
    }

    fn build(
        &self,
        tokenizer: &Arc<ModelTokenizer>,
        max_context: usize,
        seed: u64,
    ) -> Result<Vec<BuiltTask>> {
        let texts = texts::of(self.haystack.as_deref())?;
        let haystack = Haystack::new(&texts, tokenizer)?;
        let mut settings = self.settings.clone();
        settings.seed += seed;
        let task = Needle::new(&settings, haystack, tokenizer.clone(), max_context)?;
        Ok(vec![BuiltTask::new(task, texts::digest(&texts))])
    }
}
