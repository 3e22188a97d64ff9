//! A run in progress: processes the samples that have no rows yet, one after the other, and writes their rows.

use std::path::Path;

use anyhow::{Error, Result};
use indicatif::{ProgressBar, ProgressStyle};

use super::identity::{of_cell, of_prompt, of_sample, of_task};
use super::interrupt::interrupted;
use super::options::RunOptions;
use super::rows;
use super::sample::{Outcome, SampleRun};
use super::tasks::{Ordered, in_token_order};
use crate::error::message;
use crate::experiment::Experiment;
use crate::generate::Cell;
use crate::layout;
use crate::load::Loaded;
use crate::model::observe::Prefilled;
use crate::profile::{Stage, stage};
use crate::record::{PredictionWriter, Record, RecordWriter};
use crate::task::spec::BuiltTask;
use crate::task::{Sample, Task};
use crate::terminal;

/// Runs samples and writes their rows.
pub(super) struct Runner<'a> {
    experiment: &'a Experiment,
    loaded: &'a Loaded,
    /// Samples of each task, at most.
    limit: usize,
    /// Whether the prefill of a prompt reuses the prefix that it shares with the one before.
    reuse: bool,
    /// The columns that are the same in every row.
    identity: Record,
    records: RecordWriter,
    predictions: PredictionWriter,
    progress: ProgressBar,
    /// The prefill of the prompt before, whose common prefix with the next prompt is reused.
    earlier: Option<Prefilled>,
    /// Cells that ended with an error.
    pub failed: usize,
    /// Cells that the method cannot make as small as asked for.
    pub out_of_reach: usize,
}

impl<'a> Runner<'a> {
    /// Opens the files of the results folder and shows the progress of `tasks`.
    ///
    /// # Errors
    /// A file that cannot be written to, or that holds something other than a run's rows.
    pub(super) fn new(
        experiment: &'a Experiment,
        options: &RunOptions,
        loaded: &'a Loaded,
        tasks: &[BuiltTask],
        identity: Record,
        folder: &Path,
    ) -> Result<Self> {
        let limit = options.limit.unwrap_or(usize::MAX);
        let samples = tasks.iter().map(|built| built.task.len().min(limit));
        Ok(Self {
            experiment,
            loaded,
            limit,
            reuse: options.reuse,
            identity,
            records: RecordWriter::open(folder)?,
            predictions: PredictionWriter::open(folder)?,
            progress: progress(samples.sum(), folder),
            earlier: None,
            failed: 0,
            out_of_reach: 0,
        })
    }

    /// Runs the samples that have no result yet. False if that was interrupted.
    ///
    /// # Errors
    /// A row that cannot be written.
    pub(super) fn tasks(&mut self, tasks: &[BuiltTask]) -> Result<bool> {
        for built in tasks {
            if !self.task(built.task.as_ref())? {
                self.progress.abandon();
                return Ok(false);
            }
        }
        self.progress.finish_and_clear();
        Ok(true)
    }

    fn task(&mut self, task: &dyn Task) -> Result<bool> {
        let experiment = self.experiment;
        let identity = of_task(&self.identity, task);
        let unfinished = |i: &usize| {
            let id = task.sample_id(*i);
            let places = experiment.file.compress.iter();
            let mut identities = places.map(|&at| of_sample(&identity, &id, at));
            identities.any(|identity| !self.pending(&identity).is_empty())
        };
        let count = task.len().min(self.limit);
        let wanted: Vec<usize> = (0..count).filter(unfinished).collect();
        self.progress.inc((count - wanted.len()) as u64);
        let Ordered { samples, failures } =
            stage(Stage::Tokenise, || in_token_order(task, &wanted));
        for (id, error) in failures {
            for &at in &experiment.file.compress {
                let identity = of_sample(&identity, &id, at);
                let cells = self.pending(&identity);
                self.record_failed(&error, &cells, &identity)?;
            }
            self.progress.inc(1);
        }
        for sample in &samples {
            if interrupted() {
                return Ok(false);
            }
            let message = terminal::line(&format!("{} {}", task.name(), sample.id));
            self.progress.set_message(message);
            self.sample(task, sample, &identity)?;
            self.progress.inc(1);
        }
        Ok(true)
    }

    /// The cells of a sample that have no result yet.
    fn pending(&self, of_sample: &Record) -> Vec<&'a Cell> {
        let is_pending = |cell: &&Cell| !self.records.is_finished(&of_cell(of_sample, cell).key());
        self.experiment.cells.iter().filter(is_pending).collect()
    }

    /// Runs one sample. An error in it ends its own cells and no others.
    fn sample(&mut self, task: &dyn Task, sample: &Sample, of_task: &Record) -> Result<()> {
        let experiment = self.experiment;
        for &at in &experiment.file.compress {
            let identity = of_sample(of_task, &sample.id, at);
            let cells = self.pending(&identity);
            if cells.is_empty() {
                continue;
            }
            let run = SampleRun {
                experiment,
                loaded: self.loaded,
                task,
                sample,
                at,
            };
            let done = run.run(&cells, self.earlier.take());
            let identity = of_prompt(&identity, sample);
            match done {
                Ok((outcomes, prefilled)) => {
                    stage(Stage::Record, || {
                        self.record(&run, &cells, outcomes, &identity)
                    })?;
                    self.earlier = self.reuse.then_some(prefilled);
                }
                Err(error) => stage(Stage::Record, || {
                    self.record_failed(&error, &cells, &identity)
                })?,
            }
        }
        Ok(())
    }

    /// Writes the rows of a sample.
    fn record(
        &mut self,
        run: &SampleRun,
        cells: &[&Cell],
        outcomes: Vec<Result<Outcome>>,
        of_prompt: &Record,
    ) -> Result<()> {
        let (head_dim, store) = (self.loaded.model.geometry().head_dim, self.experiment.store);
        for (&cell, outcome) in cells.iter().zip(outcomes) {
            let identity = of_cell(of_prompt, cell);
            let rows = outcome.and_then(|outcome| {
                let rows = rows::rows(identity.clone(), &outcome, head_dim, store)?;
                Ok((outcome, rows))
            });
            match rows {
                Ok((outcome, (record, layers))) => {
                    let prediction = rows::prediction(&identity, run.task, run.sample, outcome);
                    self.predictions.append(&prediction)?;
                    self.records.append(&record, &layers)?;
                }
                Err(error) => self.record_failed(&error, &[cell], of_prompt)?,
            }
        }
        Ok(())
    }

    /// Writes a row for each cell that ended with an error.
    fn record_failed(&mut self, error: &Error, cells: &[&Cell], of_sample: &Record) -> Result<()> {
        for cell in cells {
            let record = Record {
                error: message(error),
                ..of_cell(of_sample, cell)
            };
            match record.is_out_of_reach() {
                true => self.out_of_reach += 1,
                false => self.failed += 1,
            }
            self.records.append(&record, &[])?;
        }
        Ok(())
    }
}

fn progress(samples: usize, folder: &Path) -> ProgressBar {
    // The text before the message takes about 65 columns. The message is cut at the end of the line.
    let message = layout::width().saturating_sub(65);
    let style = ProgressStyle::with_template(&format!(
        "{{bar:12}} {{pos}}/{{len}} samples, {{per_sec}}, {{elapsed}} gone, {{eta}} left  {{msg:{message}!}}",
    ));
    let bar = ProgressBar::new(samples as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(terminal::line(&folder.display().to_string()));
    bar.enable_steady_tick(std::time::Duration::from_millis(500));
    bar
}
