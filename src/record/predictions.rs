//! `predictions.jsonl`: what each cell answered, one line per record.

use std::collections::{BTreeMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::bad_input;
use crate::files;
use crate::typed;

/// The file's name in a results folder.
pub(super) const PREDICTIONS_FILE: &str = "predictions.jsonl";

/// One cell's answer to one sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// As in [`Record::task`](super::Record::task).
    pub task: String,
    /// As in [`Record::sample`](super::Record::sample).
    pub sample: String,
    /// As in [`Record::method`](super::Record::method).
    pub method: String,
    /// As in [`Record::settings`](super::Record::settings).
    pub settings: String,
    /// As in [`Record::compress_at`](super::Record::compress_at).
    pub compress_at: String,
    /// What a right answer contains, from the sample.
    pub answers: Vec<String>,
    /// What the model answered under this cell, as text.
    pub response: String,
    /// Score of the response, 0 to 1. None where nothing was to be generated.
    pub score: Option<f64>,
    /// What else the task's protocol computes of the response, by name, 0 to 1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub other_scores: BTreeMap<String, f64>,
}

impl Prediction {
    fn identity(&self) -> (String, String, String, String, String) {
        let Self {
            task,
            sample,
            method,
            settings,
            compress_at,
            ..
        } = self.clone();
        (task, sample, method, settings, compress_at)
    }
}

/// The open file. A line is written before its record, so a killed run may leave one without a record; writing it
/// again is a no-op.
pub struct PredictionWriter {
    path: PathBuf,
    file: File,
    known: HashSet<(String, String, String, String, String)>,
}

impl PredictionWriter {
    /// Opens or creates the file of a results folder, dropping a torn last line.
    pub fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(PREDICTIONS_FILE);
        let context = || path.display().to_string();
        let bytes = if path.exists() {
            files::read(&path)?
        } else {
            Vec::new()
        };
        // Cut before it is taken for text: a torn line can end within a character.
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        let lines = bytes[..whole]
            .split_inclusive(|byte| *byte == b'\n')
            .map(typed::json::<Prediction>);
        let known = lines
            .zip(1..)
            .map(|(line, number)| {
                let line = line
                    .map_err(|fault| bad_input!("{}:{number}: {}", path.display(), fault.what))?;
                Ok(line.identity())
            })
            .collect::<Result<_>>()?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(context)?;
        file.set_len(whole as u64).with_context(context)?;
        Ok(Self { path, file, known })
    }

    /// Writes a line for `prediction`, unless the file has one of the same task, sample and cell.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append(&mut self, prediction: &Prediction) -> Result<()> {
        if !self.known.insert(prediction.identity()) {
            return Ok(());
        }
        let line = serde_json::to_string(prediction)? + "\n";
        self.file
            .write_all(line.as_bytes())
            .with_context(|| self.path.display().to_string())
    }
}
