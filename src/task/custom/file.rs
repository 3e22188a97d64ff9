//! The TOML file of a task.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::NAME;
use super::fields::Fields;
use super::record::parse;
use crate::dataset::longbench::{Records, read_lines};
use crate::error::nearest;
use crate::task::built_in::is_task;
use crate::task::longbench::{Definition, Metric, Template};
use crate::task::metric::Rules;
use crate::{bad_input, files, toml_text};

/// Tokens of an answer, at most.
const MOST_NEW_TOKENS: usize = 1 << 16;

/// A task of one's own, read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskFile {
    /// Name, metric, template and the rest that a LongBench task has too.
    pub definition: Definition,
    /// Whether the metric is as published or with its known mistakes fixed.
    pub rules: Rules,
    /// Most tokens of a prompt, beyond which its middle is cut out. None: LongBench's value for the model's context.
    pub max_length: Option<usize>,
    /// What the records call context, answers and so on.
    pub fields: Fields,
    /// Path of the JSONL file with the records.
    pub data: PathBuf,
    /// SHA-256 of the TOML file's bytes, in hexadecimal digits.
    pub sha256: String,
}

/// The keys as they stand in the file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Keys {
    name: String,
    data: PathBuf,
    metric: String,
    max_new_tokens: usize,
    template: String,
    #[serde(default)]
    fields: Fields,
    #[serde(default)]
    language: Language,
    #[serde(default = "yes")]
    chat: bool,
    #[serde(default)]
    first_line: bool,
    #[serde(default)]
    stops: Vec<String>,
    #[serde(default)]
    min_new_tokens: usize,
    max_length: Option<usize>,
}

/// Whether a space stands between a prompt and its answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Language {
    #[default]
    En,
    Zh,
}

fn yes() -> bool {
    true
}

impl TaskFile {
    /// Reads a task file; its data are not read yet.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a file that cannot be read, a key that is not known or is missing, or a
    /// value out of range.
    pub fn read(path: &Path) -> Result<Self> {
        let text = files::read_description(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder, &path.display().to_string())
    }

    /// The task that `text` describes; its data lie in `folder`, and `origin` names the file.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(text: &str, folder: &Path, origin: &str) -> Result<Self> {
        let keys: Keys = toml_text::parse(text, origin)?;
        let refuse = |what: String| Err(bad_input!("{origin}: {what}"));
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let name = &keys.name;
        if name.is_empty() || !name.chars().all(plain) {
            return refuse(format!(
                "name = {name:?}: expected letters, digits, '-', '_' and '.'"
            ));
        }
        if name == NAME || is_task(name) {
            return refuse(format!(
                "name = {name:?}: a task that comes with the program is called so, expected another name"
            ));
        }
        let known = Metric::names().find(|(known, ..)| *known == keys.metric);
        let Some((_, metric, rules)) = known else {
            let known = Metric::names().map(|(known, ..)| known);
            return refuse(format!(
                "metric = {:?} is not known{}",
                keys.metric,
                nearest(&keys.metric, known)
            ));
        };
        let (least, most) = (keys.min_new_tokens, keys.max_new_tokens);
        if !(1..=MOST_NEW_TOKENS).contains(&most) {
            return refuse(format!(
                "max-new-tokens = {most}: expected from 1 to {MOST_NEW_TOKENS}"
            ));
        }
        if least > most {
            return refuse(format!(
                "min-new-tokens = {least}: expected at most max-new-tokens, {most}"
            ));
        }
        if let Some(length @ 0..2) = keys.max_length {
            return refuse(format!("max-length = {length}: expected at least 2"));
        }
        if keys.stops.iter().any(String::is_empty) {
            return refuse("stops: an empty text, expected texts that end an answer".into());
        }
        if metric == Metric::Classification && keys.fields.classes.is_none() {
            return refuse(format!(
                "metric = {:?} chooses among names, expected fields.classes",
                keys.metric
            ));
        }
        let template = Template::of_fields(&keys.template, &keys.fields.context);
        Ok(Self {
            definition: Definition {
                name: keys.name,
                language: match keys.language {
                    Language::En => "en".into(),
                    Language::Zh => "zh".into(),
                },
                group: "own".into(),
                metric,
                max_new_tokens: most,
                chat: keys.chat,
                first_line: keys.first_line,
                by_length: false,
                stops: keys.stops,
                min_new_tokens: least,
                template: template.with_context(|| origin.to_string())?,
            },
            rules,
            max_length: keys.max_length,
            fields: keys.fields,
            data: folder.join(keys.data),
            sha256: format!("{:x}", Sha256::digest(text.as_bytes())),
        })
    }

    /// The records that can be used.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if the data cannot be read or hold no record.
    pub fn records(&self) -> Result<Records> {
        let origin = self.data.display().to_string();
        let bytes = files::read(&self.data)
            .with_context(|| format!("task {}: data", self.definition.name))?;
        let id_key = self.fields.id.as_deref().unwrap_or("line");
        read_lines(&bytes, &origin, id_key, &|line, number| {
            parse(line, number, &self.fields, &self.definition)
        })
    }
}
