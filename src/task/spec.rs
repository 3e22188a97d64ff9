//! A `[[task]]` table of an experiment to a task.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Task;
use super::needle::{Needle, NeedleSettings};
use crate::bad_input;
use crate::dataset::haystack::{Haystack, own_texts, read_texts};
use crate::error::nearest;
use crate::model::tokenizer::ModelTokenizer;

/// Every task: name and what it is.
pub const TASKS: [(&str, &str); 1] = [(
    "needle",
    "needle in a haystack: recall one planted sentence among prose and k distractors",
)];

/// A task as an experiment asks for it, checked but not yet built: that takes a tokenizer.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskSpec {
    Needle(NeedleSpec),
}

#[derive(Debug, Clone, PartialEq)]
pub struct NeedleSpec {
    /// A folder of text files; none: the project's own texts.
    pub haystack: Option<PathBuf>,
    pub settings: NeedleSettings,
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
            Some(toml::Value::String(name)) => {
                let known = TASKS.iter().map(|(name, _)| *name);
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
            Self::Needle(NeedleSpec { settings, .. }) => format!(
                "needle: lengths {:?}, depths {:?} %, distractors {:?}, {} seeds",
                settings.lengths, settings.depths, settings.distractors, settings.seeds
            ),
        }
    }

    /// That the texts it names are there: before a model is fetched for them.
    ///
    /// # Errors
    /// A folder that cannot be read or holds no text.
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Needle(NeedleSpec { haystack, .. }) => {
                haystack.as_deref().map_or(Ok(()), |folder| {
                    read_texts(folder)?;
                    Ok(())
                })
            }
        }
    }

    /// The task for one model, and the SHA-256 of the texts it is made from.
    pub fn build(
        &self,
        tokenizer: &Arc<ModelTokenizer>,
        max_context: usize,
        seed: u64,
    ) -> Result<(Box<dyn Task>, String)> {
        match self {
            Self::Needle(NeedleSpec { haystack, settings }) => {
                let texts = match haystack {
                    Some(folder) => read_texts(folder)?,
                    None => own_texts()?,
                };
                let digest = sha256(&texts);
                let haystack = Haystack::new(&texts, tokenizer)?;
                let mut settings = settings.clone();
                settings.seed += seed;
                let task = Needle::new(&settings, haystack, tokenizer.clone(), max_context)?;
                Ok((Box::new(task), digest))
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
