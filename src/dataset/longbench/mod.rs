//! Records in the schema of LongBench v1 (arXiv 2308.14508): one JSON object a line, one file for each dataset.

mod archive;
mod lines;
mod source;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::terminal;

pub use lines::{read_lines, reason};
pub use source::DataSource;

/// Lines left out that are said one by one.
const MOST_SAID: usize = 20;

/// One line of an official file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongBenchRecord {
    /// The question, or the last part of a list of examples. Empty where the task alone says what to do.
    pub input: String,
    pub context: String,
    /// Each of them is right.
    pub answers: Vec<String>,
    /// Words of an English text, characters of a Chinese one.
    pub length: usize,
    pub dataset: String,
    /// `en`, `zh`, or the name of a programming language.
    pub language: String,
    /// The names to choose from, in a task of classification.
    pub all_classes: Option<Vec<String>>,
    /// Names the record within its dataset.
    #[serde(rename = "_id")]
    pub id: String,
    /// Further texts that a template may show, by name; none in LongBench's own files.
    #[serde(skip)]
    pub others: BTreeMap<String, String>,
}

/// The records of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    pub records: Vec<LongBenchRecord>,
    /// Why each line or archive entry that could not be used was left out, with file and line.
    pub left_out: Vec<String>,
    /// Of the bytes of the file.
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
