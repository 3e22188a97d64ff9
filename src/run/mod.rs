//! The loop: every sample of every task, one prefill each, rows written as they come; what is finished is skipped.

mod folder;
mod interrupt;
mod rows;
mod sample;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};

use crate::bad_input;
use crate::cache::Geometry;
use crate::experiment::Experiment;
use crate::generate::Cell;
use crate::load::{self, Loaded};
use crate::record::{
    Prediction, PredictionWriter, Provenance, Record, RecordWriter, machine, program_dirty,
    program_version,
};
use crate::source::{self, ModelFiles, SourceOptions};
use crate::task::Task;
use crate::task::spec::Built;

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
    let files = source::resolve(&experiment.file.model.source, &source)?;
    let loaded = load::load(&files, &device)?;
    let tasks = build_tasks(experiment, &loaded)?;

    let mut provenance = provenance(experiment, options, &files, &loaded);
    for built in &tasks {
        let name = built.task.name().to_string();
        let digest = built.data_sha256.clone();
        provenance.data_sha256.push((name.clone(), digest));
        if let Some(template) = &built.template {
            provenance.templates.push((name.clone(), template.clone()));
        }
        if built.left_out > 0 {
            provenance.left_out.push((name, built.left_out));
        }
    }
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
    let samples: Vec<(&dyn Task, usize)> = tasks
        .iter()
        .flat_map(|Built { task, .. }| {
            let count = task.len().min(options.limit.unwrap_or(usize::MAX));
            (0..count).map(|i| (task.as_ref(), i))
        })
        .collect();
    let progress = progress(samples.len(), &folder);
    let mut failed = 0;
    for (task, i) in samples {
        if interrupt::interrupted() {
            progress.abandon();
            return Ok(Finished {
                folder,
                failed,
                interrupted: true,
            });
        }
        progress.set_message(format!("{} {}", task.name(), task.sample_id(i)));
        failed += run_one(experiment, &loaded, task, i, &identity, &mut out)?;
        progress.inc(1);
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

fn build_tasks(experiment: &Experiment, loaded: &Loaded) -> Result<Vec<Built>> {
    let max_context = loaded.model.config.max_prompt();
    let mut tasks = Vec::new();
    for spec in &experiment.tasks {
        let built = spec.build(&loaded.tokenizer, max_context, experiment.file.seed);
        tasks.extend(built.with_context(|| format!("experiment {}", experiment.file.name))?);
    }
    Ok(tasks)
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

/// One sample; returns how many of its cells failed.
fn run_one(
    experiment: &Experiment,
    loaded: &Loaded,
    task: &dyn Task,
    i: usize,
    identity: &Record,
    out: &mut Output,
) -> Result<usize> {
    let identity = Record {
        task: task.name().into(),
        task_version: task.version(),
        sample: task.sample_id(i),
        metric: task.metric().into(),
        ..identity.clone()
    };
    let of_cell = |cell: &Cell| Record {
        method: cell.info.name.into(),
        settings: cell.settings.canonical(),
        ..identity.clone()
    };
    let cells: Vec<&Cell> = experiment
        .cells
        .iter()
        .filter(|cell| !out.records.is_finished(&of_cell(cell).key()))
        .collect();
    if cells.is_empty() {
        return Ok(0);
    }
    let sample = match task.sample(i) {
        Ok(sample) => sample,
        Err(error) => {
            let error = format!("{error:#}");
            for cell in &cells {
                let error = error.clone();
                let record = Record {
                    error,
                    ..of_cell(cell)
                };
                out.records.append(&record, &[])?;
            }
            return Ok(cells.len());
        }
    };
    let outcomes = sample::run_sample(
        loaded,
        task,
        &sample,
        &cells,
        experiment.file.compress,
        experiment.store,
    )?;
    let mut failed = 0;
    for (cell, outcome) in cells.into_iter().zip(outcomes) {
        let identity = Record {
            prompt_tokens: sample.prompt_tokens(),
            ..of_cell(cell)
        };
        match outcome {
            Ok(outcome) => {
                out.predictions.append(&Prediction {
                    task: identity.task.clone(),
                    sample: identity.sample.clone(),
                    method: identity.method.clone(),
                    settings: identity.settings.clone(),
                    compress_at: identity.compress_at.clone(),
                    answers: sample.answers.clone(),
                    response: outcome.response.clone(),
                    score: outcome.score,
                })?;
                let geometry: Geometry = loaded.model.geometry();
                let (record, layers) = rows::rows(identity, &outcome, geometry, experiment.store);
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

/// The columns that are the same in every row of a run.
fn identity(experiment: &Experiment, files: &ModelFiles, device: &str) -> Record {
    Record {
        experiment: experiment.file.name.clone(),
        model: files.spec.clone(),
        model_revision: files.revision.clone(),
        dtype: experiment.store.name().into(),
        device: device.into(),
        compress_at: experiment.file.compress.name().into(),
        program_version: program_version(),
        ..Record::default()
    }
}

fn provenance(
    experiment: &Experiment,
    options: &RunOptions,
    files: &ModelFiles,
    loaded: &Loaded,
) -> Provenance {
    let (cpu, cores, memory_bytes, os) = machine();
    Provenance {
        program_version: program_version(),
        program_dirty: program_dirty(),
        command_line: options.command_line.clone(),
        experiment: experiment.file.name.clone(),
        experiment_sha256: sha256(&experiment.text),
        model: files.spec.clone(),
        model_revision: files.revision.clone(),
        tokenizer_sha256: loaded.tokenizer.sha256().into(),
        template_sha256: loaded.tokenizer.chat_template().map(sha256),
        data_sha256: Vec::new(),
        templates: Vec::new(),
        left_out: Vec::new(),
        seed: experiment.file.seed,
        kv_dtype: experiment.store.name().into(),
        device: options.device.clone(),
        threads: rayon::current_num_threads(),
        cpu,
        cores,
        memory_bytes,
        os,
        start: now(),
        end: None,
    }
}

/// Whether rows of the two runs may stand in one folder.
fn same_run(a: &Provenance, b: &Provenance) -> bool {
    let of = |run: &Provenance| {
        (
            run.program_version.clone(),
            run.program_dirty,
            run.experiment_sha256.clone(),
            run.model_revision.clone(),
            run.data_sha256.clone(),
            run.templates.clone(),
            run.device.clone(),
        )
    };
    of(a) == of(b)
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn now() -> String {
    chrono::Local::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
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
