//! The `[[task]]` table of RULER: one table, up to thirteen tasks.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::Result;

use super::Ruler;
use super::kind::{Family, NAMES, RulerKind};
use super::settings::RulerSettings;
use super::sources::Sources;
use crate::dataset::texts;
use crate::model::tokenizer::ModelTokenizer;
use crate::task::spec::{BuiltTask, HAYSTACK, Key, TaskKind, TaskSpec, settings};

pub(crate) const KIND: TaskKind = TaskKind {
    name: Cow::Borrowed("ruler"),
    summary: Cow::Borrowed(
        "RULER's thirteen tasks, made up at any length; qa_1 and qa_2 over a SQuAD and a HotpotQA file of yours",
    ),
    keys: &[
        Key::new(
            "tasks",
            "all",
            "by their published names; all: those whose files are given",
        ),
        Key::of_flag("lengths", "[4096]", "tokens of prompt and answer, at most"),
        Key::of_flag("seeds", "500", "samples of each task and length"),
        Key::new("seed", "0", "the first seed, added to the experiment's"),
        HAYSTACK,
        Key::new(
            "squad",
            "not set",
            "the file of qa_1, as SQuAD's dev-v2.0.json",
        ),
        Key::new(
            "hotpotqa",
            "not set",
            "the file of qa_2, as HotpotQA's hotpot_dev_distractor_v1.json",
        ),
    ],
    parts: &NAMES,
    parse,
};

impl RulerSettings {
    /// The tasks for a model that takes `max_context` tokens.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for settings or files that cannot be used, and for a length too long for
    /// the model or too short for a task.
    pub fn build(
        &self,
        tokenizer: &Arc<ModelTokenizer>,
        max_context: usize,
    ) -> Result<Vec<BuiltTask>> {
        let texts = texts::of(self.haystack.as_deref())?;
        let sources = self.sources(&texts)?;
        let mut built = Vec::new();
        for kind in self.kinds()? {
            let Some(generator) = kind.generator(&sources) else {
                continue;
            };
            let task = Ruler::new(kind, generator, self, tokenizer.clone(), max_context)?;
            let digest = digest(kind, &texts, &sources);
            built.push(BuiltTask::new(task, digest));
        }
        Ok(built)
    }

    fn sources(&self, texts: &[String]) -> Result<Sources> {
        Sources::read(texts, self.squad.as_deref(), self.hotpotqa.as_deref())
    }
}

/// SHA-256 of what `kind` is made from: prose, documents with their questions, or nothing.
fn digest(kind: &RulerKind, texts: &[String], sources: &Sources) -> String {
    let data = match kind.family {
        Family::Squad => &sources.squad,
        Family::HotpotQa => &sources.hotpotqa,
        _ if kind.reads_essay() => return texts::digest(texts),
        _ => &None,
    };
    let texts = data.iter().flat_map(|data| {
        let asked = data
            .questions
            .iter()
            .flat_map(|q| [&q.text].into_iter().chain(&q.answers));
        data.documents.iter().chain(asked).cloned()
    });
    texts::digest(&texts.collect::<Vec<_>>())
}

struct RulerSpec(RulerSettings);

fn parse(name: &str, table: toml::Table) -> Result<Box<dyn TaskSpec>> {
    let settings: RulerSettings = settings(table, name)?;
    settings.kinds()?;
    Ok(Box::new(RulerSpec(settings)))
}

impl TaskSpec for RulerSpec {
    fn summary(&self) -> String {
        let kinds = self.0.kinds().unwrap_or_default();
        let names: Vec<&str> = kinds.into_iter().map(|kind| kind.name).collect();
        let RulerSettings { lengths, seeds, .. } = &self.0;
        format!(
            "ruler: {}: lengths {lengths:?}, {seeds} seeds",
            names.join(", ")
        )
    }

    fn check(&self) -> Result<()> {
        let texts = texts::of(self.0.haystack.as_deref())?;
        self.0.sources(&texts).map(|_| ())
    }

    fn build(
        &self,
        tokenizer: &Arc<ModelTokenizer>,
        max_context: usize,
        seed: u64,
    ) -> Result<Vec<BuiltTask>> {
        let mut settings = self.0.clone();
        settings.seed += seed;
        settings.build(tokenizer, max_context)
    }
}
