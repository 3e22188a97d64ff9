//! What a kind of task is, and what its `[[task]]` table comes to.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use anyhow::Result;
use serde::de::DeserializeOwned;

use super::Task;
use crate::bad_input;
use crate::model::tokenizer::ModelTokenizer;
use crate::typed;

/// A kind of task: what a `[[task]]` table may have as its `name`.
pub struct TaskKind {
    /// What a `[[task]]` table has as its `name`.
    pub name: Cow<'static, str>,
    /// What it is, in one line.
    pub summary: Cow<'static, str>,
    /// The other keys of its table.
    pub keys: &'static [Key],
    /// Names of its tasks where one table makes several: those that its key `tasks` may list.
    pub parts: &'static [&'static str],
    /// Reads the table of the kind of that name, without its `name`.
    pub parse: fn(&str, toml::Table) -> Result<Box<dyn TaskSpec>>,
}

impl TaskKind {
    /// Whether the flag `--key` replaces a key of its table.
    pub fn takes_flag(&self, key: &str) -> bool {
        self.keys
            .iter()
            .any(|known| known.flag && known.name == key)
    }
}

/// A key of a `[[task]]` table.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The key as it stands in the table.
    pub name: &'static str,
    /// What it is if not given, in words.
    pub default: &'static str,
    /// What it sets, in one line of `spindle list`.
    pub help: &'static str,
    /// Whether the flag of the same name replaces it.
    pub flag: bool,
}

impl Key {
    /// A key that no flag replaces.
    pub const fn new(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self {
            name,
            default,
            help,
            flag: false,
        }
    }

    /// A key that the flag of the same name replaces.
    pub const fn of_flag(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self {
            flag: true,
            ..Self::new(name, default, help)
        }
    }
}

/// Where needles are hidden: a key of several kinds.
pub(super) const HAYSTACK: Key = Key::of_flag(
    "haystack",
    "the project's texts",
    "a folder of text files: .txt, .md, .json or .jsonl with {\"text\": ...}; subfolders count",
);

/// A task for one model, and what it is made from.
pub struct BuiltTask {
    /// Its samples, in tokens of the model, and its metric.
    pub task: Box<dyn Task>,
    /// SHA-256 of the texts that its samples are made from.
    pub data_sha256: String,
    /// Where the template around them is from, and its SHA-256; none: it is part of the task.
    pub template: Option<String>,
    /// Records that could not be used.
    pub left_out: usize,
    /// What answers to other questions of the task score, on average, where the task says it.
    pub chance: Option<f64>,
}

impl BuiltTask {
    /// One whose template is part of it, and that leaves nothing out.
    pub fn new(task: impl Task + 'static, data_sha256: String) -> Self {
        Self {
            task: Box::new(task),
            data_sha256,
            template: None,
            left_out: 0,
            chance: None,
        }
    }
}

/// What a table asks for, checked but not yet built: that takes a tokenizer.
pub trait TaskSpec {
    /// One line for a dry run.
    fn summary(&self) -> String;

    /// That the files it names are there: before a model is fetched for them.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for one that cannot be used.
    fn check(&self) -> Result<()>;

    /// Whether the files of records that it needs are there: a flag that names a folder chooses among tasks by that.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a place that cannot be read.
    fn is_there(&self) -> Result<bool> {
        Ok(true)
    }

    /// Its tasks for a model that takes `max_context` tokens.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for what does not fit the model; any error of its tokenizer.
    fn build(
        &self,
        tokenizer: &Arc<ModelTokenizer>,
        max_context: usize,
        seed: u64,
    ) -> Result<Vec<BuiltTask>>;
}

/// The settings of `task` from its table.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) with the key that is unknown or whose value does not fit.
pub(crate) fn settings<T: DeserializeOwned>(table: toml::Table, task: &str) -> Result<T> {
    typed::table(table).map_err(|error| bad_input!("task {task}: {error}"))
}

/// Samples of a task, at most: no published one has a hundredth of it.
const MOST_SAMPLES: u64 = 1_000_000;

/// Checks how many samples `task` has, before they are listed: as many as the product of `counts`, each the name of a
/// key and how many values it stands for.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) with the keys and their counts.
pub(super) fn check_samples(task: &str, counts: &[(&str, u64)]) -> Result<()> {
    let product = counts
        .iter()
        .fold(1u64, |product, (_, count)| product.saturating_mul(*count));
    if product <= MOST_SAMPLES {
        return Ok(());
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(key, count)| format!("{key} ({count})"))
        .collect();
    Err(bad_input!(
        "{task}: {} make more than {MOST_SAMPLES} samples, expected fewer",
        counts.join(" x ")
    ))
}

/// Whether a value stands twice: its samples would have one name.
pub(super) fn repeats<T: PartialOrd + Clone>(values: &[T]) -> bool {
    let mut sorted = values.to_vec();
    // What has no order, NaN, is refused elsewhere.
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}
