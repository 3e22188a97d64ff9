//! A `[[task]]` table of an experiment to a task.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Task;
use super::longbench::LongBenchSpec;
use super::needle::{Needle, NeedleSettings};
use crate::bad_input;
use crate::dataset::haystack::{Haystack, own_texts, read_texts};
use crate::error::nearest;
use crate::model::tokenizer::ModelTokenizer;

/// Every task: name and what it is.
///
/// # Errors
/// If a definition that comes with the program cannot be read.
pub fn tasks() -> Result<Vec<(String, String)>> {
    let needle = "needle in a haystack: recall one planted sentence among prose and k distractors";
    let mut tasks = vec![("needle".to_string(), needle.to_string())];
    for name in LongBenchSpec::names() {
        let summary = LongBenchSpec::parse(&name, toml::Table::new(), "longbench")?.describe();
        tasks.push((name, summary));
    }
    Ok(tasks)
}

/// Whether the table of the task `name` takes `key`.
pub fn takes(name: &str, key: &str) -> bool {
    match name {
        "needle" => NeedleSpec::KEYS.contains(&key),
        _ => LongBenchSpec::is(name) && LongBenchSpec::KEYS.contains(&key),
    }
}

/// A task as an experiment asks for it, checked but not yet built: that takes a tokenizer.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskSpec {
    LongBench(Box<LongBenchSpec>),
    Needle(NeedleSpec),
}

/// A task for one model, and what it is made from.
pub struct Built {
    pub task: Box<dyn Task>,
    /// Of the texts its samples are made from.
    pub data_sha256: String,
    /// Where the template around them is from, and its SHA-256; none: it is part of the task.
    pub template: Option<String>,
    /// Records that could not be used.
    pub left_out: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NeedleSpec {
    /// A folder of text files; none: the project's own texts.
    pub haystack: Option<PathBuf>,
    pub settings: NeedleSettings,
}

impl NeedleSpec {
    /// The keys of its table that have a flag.
    const KEYS: [&str; 5] = ["lengths", "depths", "distractors", "seeds", "haystack"];
}

impl TaskSpec {
    /// # Errors
    /// An unknown task, key or value; `origin` names the file.
    pub fn parse(table: &toml::Table, origin: &str) -> Result<Self> {
        let mut table = table.clone();
        match table.remove("name") {
            Some(toml::Value::String(name)) if name == "needle" => {
                let haystack = match table.remove("haystack") {
                    None => None,
                    Some(toml::Value::String(folder)) => Some(PathBuf::from(folder)),
                    Some(other) => {
                        return Err(bad_input!(
                            "{origin}: haystack = {other}: expected a folder"
                        ));
                    }
                };
                let settings = NeedleSettings::deserialize(table).map_err(|error| {
                    let error = error.to_string().trim().replace('\n', " ");
                    bad_input!("{origin}: task needle: {error}")
                })?;
                settings.check().with_context(|| origin.to_string())?;
                Ok(Self::Needle(NeedleSpec { haystack, settings }))
            }
            Some(toml::Value::String(name)) if LongBenchSpec::is(&name) => {
                let spec = LongBenchSpec::parse(&name, table, origin)?;
                Ok(Self::LongBench(Box::new(spec)))
            }
            Some(toml::Value::String(name)) => {
                let tasks = tasks()?;
                let known = tasks.iter().map(|(name, _)| name.as_str());
                Err(bad_input!(
                    "{origin}: task \"{name}\" is not known{}",
                    nearest(&name, known)
                ))
            }
            Some(other) => Err(bad_input!(
                "{origin}: [[task]] name = {other}: expected a text"
            )),
            None => Err(bad_input!("{origin}: a [[task]] has no name")),
        }
    }

    /// One line for a dry run.
    pub fn summary(&self) -> String {
        match self {
            Self::LongBench(spec) => spec.summary(),
            Self::Needle(NeedleSpec { settings, .. }) => format!(
                "needle: lengths {:?}, depths {:?} %, distractors {:?}, {} seeds",
                settings.lengths, settings.depths, settings.distractors, settings.seeds
            ),
        }
    }

    /// That the files it names are there: before a model is fetched for them.
    ///
    /// # Errors
    /// A folder or file that is not there, cannot be read or holds no text.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::LongBench(spec) => spec.check(),
            Self::Needle(NeedleSpec { haystack, .. }) => {
                haystack.as_deref().map_or(Ok(()), |folder| {
                    read_texts(folder)?;
                    Ok(())
                })
            }
        }
    }

    /// The tasks for one model that it stands for: one, or one for each part that is scored by itself.
    pub fn build(
        &self,
        tokenizer: &Arc<ModelTokenizer>,
        max_context: usize,
        seed: u64,
    ) -> Result<Vec<Built>> {
        match self {
            Self::LongBench(spec) => spec.build(tokenizer, max_context),
            Self::Needle(NeedleSpec { haystack, settings }) => {
                let texts = match haystack {
                    Some(folder) => read_texts(folder)?,
                    None => own_texts()?,
                };
                let data_sha256 = sha256(&texts);
                let haystack = Haystack::new(&texts, tokenizer)?;
                let mut settings = settings.clone();
                settings.seed += seed;
                let task = Needle::new(&settings, haystack, tokenizer.clone(), max_context)?;
                Ok(vec![Built {
                    task: Box::new(task),
                    data_sha256,
                    template: None,
                    left_out: 0,
                }])
            }
        }
    }
}

/// Of the texts in order, each ended by a zero byte.
fn sha256(texts: &[String]) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update(text.as_bytes());
        digest.update([0]);
    }
    digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
