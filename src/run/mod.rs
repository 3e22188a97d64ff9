//! The loop: every sample of every task, one prefill each, rows written as they come; what is finished is skipped.

mod fidelity;
mod folder;
mod identity;
mod interrupt;
mod rows;
mod sample;
mod tasks;

pub use folder::check as check_folder;

use std::path::{Path, PathBuf};

use self::identity::{identity, now, provenance, same_run, sha256};
use self::sample::Outcome;
use self::tasks::{Ordered, in_token_order};
use anyhow::{Context, Error, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::bad_input;
use crate::cache::Geometry;
use crate::experiment::{CompressAt, Experiment};
use crate::generate::Cell;
use crate::load::{self, Loaded};
use crate::model::observe::Prefilled;
use crate::profile::{Stage, stage};
use crate::record::{
    Checked, Prediction, PredictionWriter, Provenance, Record, RecordWriter, program_version,
};
use crate::source::{self, SourceOptions};
use crate::task::{Sample, Task};

/// The file that holds an experiment's text in its results folder.
pub const EXPERIMENT_FILE: &str = "experiment.toml";

pub struct RunOptions {
    /// Where results folders are made.
    pub results: PathBuf,
    /// The results folder itself, in place of `<results>/<experiment>/<date>`.
    pub out: Option<PathBuf>,
    pub device: String,
    /// At most this many samples of each task.
    pub limit: Option<usize>,
    pub command_line: Vec<String>,
    /// Whether a prompt goes on from what it has in common with the one before.
    pub reuse: bool,
}

/// What a run came to.
pub struct Finished {
    pub folder: PathBuf,
    /// Cells that ended with an error.
    pub failed: usize,
    pub interrupted: bool,
}

/// Runs an experiment, or goes on with it.
pub fn run(experiment: &Experiment, options: &RunOptions) -> Result<Finished> {
    let device = load::device(&options.device)?;
    check(experiment, options)?;
    let source = SourceOptions {
        sha256: experiment.file.model.sha256.clone(),
        ..SourceOptions::default()
    };
    let (files, loaded) = stage(Stage::Load, || -> Result<_> {
        let files = source::resolve(&experiment.file.model.source, &source)?;
        let loaded = load::load(&files, &device)?;
        Ok((files, loaded))
    })?;
    load::print_notes(&loaded.notes);
    let tasks = stage(Stage::Tokenise, || tasks::build(experiment, &loaded))?;

    let mut provenance = provenance(experiment, options, &files, &loaded, &tasks);
    let folder = match &options.out {
        Some(out) => out.clone(),
        None => {
            let root = options.results.join(&experiment.file.name);
            let date = chrono::Local::now().format("%Y-%m-%d").to_string();
            folder::choose(&root, &date, |run| same_run(run, &provenance))
        }
    };
    if let Some(earlier) = Provenance::read(&folder)? {
        if !same_run(&earlier, &provenance) {
            return Err(of_another_run(&folder, &earlier));
        }
        provenance.start = earlier.start;
    }
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    provenance.write(&folder)?;
    let text = folder.join(EXPERIMENT_FILE);
    std::fs::write(&text, &experiment.text).with_context(|| text.display().to_string())?;

    interrupt::listen()?;
    let mut out = Output {
        records: RecordWriter::open(&folder)?,
        predictions: PredictionWriter::open(&folder)?,
    };
    let identity = identity(experiment, &files, &options.device);
    let limit = options.limit.unwrap_or(usize::MAX);
    let count = |task: &dyn Task| task.len().min(limit);
    let samples = tasks.iter().map(|built| count(built.task.as_ref())).sum();
    let progress = progress(samples, &folder);
    let mut failed = 0;
    // What the next prompt has in common with this one is not processed again.
    let mut earlier = None;
    for built in &tasks {
        let task = built.task.as_ref();
        let identity = Record {
            task: task.name().into(),
            task_version: task.version(),
            metric: task.metric().into(),
            ..identity.clone()
        };
        let compress = &experiment.file.compress;
        let unfinished = |i: &usize| {
            let id = task.sample_id(*i);
            let mut identities = compress.iter().map(|&at| of_sample(&identity, &id, at));
            identities.any(|identity| !pending(experiment, &identity, &out.records).is_empty())
        };
        let wanted: Vec<usize> = (0..count(task)).filter(unfinished).collect();
        progress.inc((count(task) - wanted.len()) as u64);
        let Ordered { samples, failures } =
            stage(Stage::Tokenise, || in_token_order(task, &wanted));
        for (id, error) in failures {
            for &at in compress {
                let identity = of_sample(&identity, &id, at);
                let cells = pending(experiment, &identity, &out.records);
                failed += cells.len();
                record_failed(&error, &cells, &identity, &mut out)?;
            }
            progress.inc(1);
        }
        for sample in samples {
            if interrupt::interrupted() {
                progress.abandon();
                return Ok(Finished {
                    folder,
                    failed,
                    interrupted: true,
                });
            }
            progress.set_message(format!("{} {}", task.name(), sample.id));
            for &at in compress {
                let identity = of_sample(&identity, &sample.id, at);
                let of = (experiment, &loaded, task);
                let cells = pending(experiment, &identity, &out.records);
                if cells.is_empty() {
                    continue;
                }
                let (failures, prefilled) =
                    run_one(of, &sample, (at, earlier), &cells, &identity, &mut out)?;
                failed += failures;
                earlier = prefilled.filter(|_| options.reuse);
            }
            progress.inc(1);
        }
    }
    progress.finish_and_clear();
    provenance.end = Some(now());
    provenance.write(&folder)?;
    Ok(Finished {
        folder,
        failed,
        interrupted: false,
    })
}

/// What can be said before the model is there, which may have to be fetched.
fn check(experiment: &Experiment, options: &RunOptions) -> Result<()> {
    for task in &experiment.tasks {
        task.check()?;
    }
    let Some(out) = &options.out else {
        return folder::check(&options.results.join(&experiment.file.name));
    };
    folder::check(out)?;
    match Provenance::read(out)? {
        Some(run)
            if run.experiment_sha256 != sha256(&experiment.text)
                || run.program_version != program_version()
                || run.device != options.device =>
        {
            Err(of_another_run(out, &run))
        }
        _ => Ok(()),
    }
}

fn of_another_run(folder: &Path, run: &Provenance) -> anyhow::Error {
    bad_input!(
        "results folder {}: its run is of another experiment, model or program version ({}), \
         expected an empty folder or the same run",
        folder.display(),
        run.program_version
    )
}

struct Output {
    records: RecordWriter,
    predictions: PredictionWriter,
}

/// The columns that are the same in every row of a sample, one thing of it compressed.
fn of_sample(of_task: &Record, id: &str, at: CompressAt) -> Record {
    Record {
        sample: id.into(),
        compress_at: at.name().into(),
        ..of_task.clone()
    }
}

/// The columns that are known of a sample's prompt.
fn of_prompt(of_sample: &Record, sample: &Sample) -> Record {
    Record {
        prompt_tokens: sample.prompt_tokens(),
        cut: Some(sample.cut),
        ..of_sample.clone()
    }
}

/// The columns that are known of a cell before it is run.
fn of_cell(of_sample: &Record, cell: &Cell) -> Record {
    Record {
        method: cell.info.name.into(),
        settings: cell.settings.canonical(),
        ..of_sample.clone()
    }
}

/// The cells of a sample that have no result yet.
fn pending<'a>(
    experiment: &'a Experiment,
    of_sample: &Record,
    records: &RecordWriter,
) -> Vec<&'a Cell> {
    let cells = experiment.cells.iter();
    cells
        .filter(|cell| !records.is_finished(&of_cell(of_sample, cell).key()))
        .collect()
}

/// One sample, after the `earlier` prefill; returns how many of its cells failed, and its own prefill. What is wrong with
/// a sample ends its own cells and no others.
fn run_one(
    (experiment, loaded, task): (&Experiment, &Loaded, &dyn Task),
    sample: &Sample,
    (at, earlier): (CompressAt, Option<Prefilled>),
    cells: &[&Cell],
    identity: &Record,
    out: &mut Output,
) -> Result<(usize, Option<Prefilled>)> {
    let done = sample::run_sample((loaded, task), sample, earlier, cells, at, experiment);
    let (outcomes, prefilled) = match done {
        Ok((outcomes, prefilled)) => (outcomes, Some(prefilled)),
        Err(error) => {
            let identity = of_prompt(identity, sample);
            stage(Stage::Record, || {
                record_failed(&error, cells, &identity, out)
            })?;
            return Ok((cells.len(), None));
        }
    };
    let failed = stage(Stage::Record, || {
        let of = (experiment, loaded, task);
        record(of, sample, cells, outcomes, identity, out)
    })?;
    Ok((failed, prefilled))
}

/// Writes the rows of a sample of which no cell has a result.
fn record_failed(
    error: &anyhow::Error,
    cells: &[&Cell],
    identity: &Record,
    out: &mut Output,
) -> Result<()> {
    for cell in cells {
        let record = Record {
            error: format!("{error:#}"),
            ..of_cell(identity, cell)
        };
        out.records.append(&record, &[])?;
    }
    Ok(())
}

/// Writes the rows of a sample; returns how many of its cells failed.
fn record(
    (experiment, loaded, task): (&Experiment, &Loaded, &dyn Task),
    sample: &Sample,
    cells: &[&Cell],
    outcomes: Vec<Result<Outcome>>,
    identity: &Record,
    out: &mut Output,
) -> Result<usize> {
    let mut failed = 0;
    for (cell, outcome) in cells.iter().zip(outcomes) {
        let identity = of_cell(&of_prompt(identity, sample), cell);
        let geometry: Geometry = loaded.model.geometry();
        let rows = outcome.and_then(|outcome| {
            let (record, layers) =
                rows::rows(identity.clone(), &outcome, geometry, experiment.store);
            let wrong = std::iter::once(record.check()).chain(layers.iter().map(Checked::check));
            wrong.collect::<Result<(), String>>().map_err(Error::msg)?;
            Ok((outcome, record, layers))
        });
        match rows {
            Ok((outcome, record, layers)) => {
                out.predictions.append(&Prediction {
                    task: identity.task.clone(),
                    sample: identity.sample.clone(),
                    method: identity.method.clone(),
                    settings: identity.settings.clone(),
                    compress_at: identity.compress_at.clone(),
                    answers: sample.answers.clone(),
                    response: outcome.response.clone(),
                    score: outcome.score,
                    other_scores: task
                        .other_scores(&outcome.response)
                        .into_iter()
                        .map(|(name, score)| (name.to_string(), score))
                        .collect(),
                })?;
                out.records.append(&record, &layers)?;
            }
            Err(error) => {
                failed += 1;
                let error = format!("{error:#}");
                out.records.append(&Record { error, ..identity }, &[])?;
            }
        }
    }
    Ok(failed)
}

fn progress(samples: usize, folder: &Path) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{bar:24} {pos}/{len} samples, {per_sec}, {elapsed} gone, {eta} left  {msg}",
    );
    let bar = ProgressBar::new(samples as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(folder.display().to_string());
    bar.enable_steady_tick(std::time::Duration::from_millis(500));
    bar
}
