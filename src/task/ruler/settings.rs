//! The `[[task]]` table of RULER: one table, up to thirteen tasks.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use serde::Deserialize;

use super::Ruler;
use super::kind::{Family, KINDS, NAMES, RulerKind};
use crate::bad_input;
use crate::dataset::documents::{Documents, read_hotpotqa, read_squad};
use crate::dataset::essay::Essay;
use crate::dataset::texts;
use crate::error::nearest;
use crate::model::tokenizer::ModelTokenizer;
use crate::task::spec::{
    BuiltTask, HAYSTACK, Key, TaskKind, TaskSpec, check_samples, repeats, settings,
};

pub const KIND: TaskKind = TaskKind {
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

/// Which samples there are: one for each task, length and seed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct RulerSettings {
    /// By their published names; none: all whose files are given.
    pub tasks: Vec<String>,
    /// Tokens of prompt and answer, at most.
    pub lengths: Vec<usize>,
    /// Samples of each task and length, with seeds from `seed` on.
    pub seeds: u64,
    /// The first seed. A seed decides everything drawn; for qa it is the number of the question.
    pub seed: u64,
    /// A folder of text files that essays are made of; none: the project's own texts.
    pub haystack: Option<PathBuf>,
    /// The file of `qa_1`, as SQuAD's `dev-v2.0.json`.
    pub squad: Option<PathBuf>,
    /// The file of `qa_2`, as HotpotQA's `hotpot_dev_distractor_v1.json`.
    pub hotpotqa: Option<PathBuf>,
}

impl Default for RulerSettings {
    fn default() -> Self {
        Self {
            tasks: Vec::new(),
            lengths: vec![4096],
            seeds: 500,
            seed: 0,
            haystack: None,
            squad: None,
            hotpotqa: None,
        }
    }
}

/// What samples are made from, beside words and numbers.
pub struct Sources {
    pub essay: Arc<Essay>,
    pub squad: Option<Arc<Documents>>,
    pub hotpotqa: Option<Arc<Documents>>,
}

impl RulerSettings {
    /// The tasks asked for, in the order of the table.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a setting that is empty, a task that is not known, stands twice or
    /// lacks its file.
    pub fn kinds(&self) -> Result<Vec<&'static RulerKind>> {
        if self.lengths.is_empty() || self.seeds == 0 {
            return Err(bad_input!(
                "ruler: lengths and seeds must not be empty or 0"
            ));
        }
        let counts = [
            ("lengths", self.lengths.len() as u64),
            ("seeds", self.seeds),
        ];
        check_samples("ruler", &counts)?;
        if repeats(&self.lengths) || repeats(&self.tasks) {
            return Err(bad_input!(
                "ruler: a value stands twice in lengths or tasks, expected each once"
            ));
        }
        if self.tasks.is_empty() {
            return Ok(KINDS
                .iter()
                .filter(|kind| self.lacks(kind).is_none())
                .collect());
        }
        let find = |name: &String| {
            let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
                let known = KINDS.iter().map(|kind| kind.name);
                return Err(bad_input!(
                    "ruler: task \"{name}\" is not known{}",
                    nearest(name, known)
                ));
            };
            match self.lacks(kind) {
                None => Ok(kind),
                Some(key) => Err(bad_input!(
                    "ruler: {name} needs {key} = a file, but none is given"
                )),
            }
        };
        self.tasks.iter().map(find).collect()
    }

    /// The key of the file that `kind` needs, where it is not given.
    fn lacks(&self, kind: &RulerKind) -> Option<&'static str> {
        match kind.family {
            Family::Squad if self.squad.is_none() => Some("squad"),
            Family::HotpotQa if self.hotpotqa.is_none() => Some("hotpotqa"),
            _ => None,
        }
    }

    fn sources(&self, texts: &[String]) -> Result<Sources> {
        let read = |path: &Option<PathBuf>, read: fn(&Path) -> Result<Documents>| {
            path.as_deref()
                .map(read)
                .transpose()
                .map(|data| data.map(Arc::new))
        };
        Ok(Sources {
            essay: Arc::new(Essay::new(texts)?),
            squad: read(&self.squad, read_squad)?,
            hotpotqa: read(&self.hotpotqa, read_hotpotqa)?,
        })
    }

    /// SHA-256 of what `kind` is made from: prose, documents with their questions, or nothing.
    fn digest(&self, kind: &RulerKind, texts: &[String], sources: &Sources) -> String {
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
            let digest = self.digest(kind, &texts, &sources);
            built.push(BuiltTask::new(task, digest));
        }
        Ok(built)
    }
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
