//! Records in the schema of LongBench v1 (arXiv 2308.14508): one JSON object a line, one file for each dataset.

mod archive;
mod lines;
mod source;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::terminal;

pub use lines::{object, read_lines};
pub use source::DataSource;

/// Lines left out that are said one by one.
const MOST_SAID: usize = 20;

/// One line of an official file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongBenchRecord {
    /// The question, or the last part of a list of examples. Empty where the task alone says what to do.
    pub input: String,
    /// The long text that the question is about.
    pub context: String,
    /// Right answers, any of which counts; at least one has text.
    pub answers: Vec<String>,
    /// Length of the context: words of an English text, characters of a Chinese one.
    pub length: usize,
    /// Name of the dataset that the record is of, such as `qasper`.
    pub dataset: String,
    /// `en`, `zh`, or the name of a programming language.
    pub language: String,
    /// The names to choose from, in a task of classification.
    pub all_classes: Option<Vec<String>>,
    /// The key `_id`, which tells the records of a dataset apart.
    #[serde(rename = "_id")]
    pub id: String,
    /// Further texts that a template may show, by name; none in LongBench's own files.
    #[serde(skip)]
    pub others: BTreeMap<String, String>,
}

/// The records of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// Those that could be used, in the order of the file.
    pub records: Vec<LongBenchRecord>,
    /// Why each line or archive entry that could not be used was left out, with file and line.
    pub left_out: Vec<String>,
    /// SHA-256 of the file's bytes, in hexadecimal digits.
    pub sha256: String,
}

impl Records {
    /// Says on standard error what was left out.
    pub fn warn(&self) {
        for reason in self.left_out.iter().take(MOST_SAID) {
            terminal::warn(&format!("{reason}; left out"));
        }
        if let Some(more @ 1..) = self.left_out.len().checked_sub(MOST_SAID) {
            terminal::warn(&format!("{more} more left out"));
        }
    }
}
