//! The loop: runs every sample of every task with one prefill each, writes rows as they come, and skips what has rows
//! already.

mod fidelity;
mod folder;
mod identity;
mod interrupt;
mod options;
mod rows;
mod runner;
mod sample;
mod tasks;

pub(crate) use folder::check as check_folder;
pub(crate) use options::RunOptions;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use self::identity::{identity, now, provenance, same_run, sha256};
use self::runner::Runner;
use crate::bad_input;
use crate::experiment::Experiment;
use crate::load;
use crate::profile::{Stage, stage};
use crate::record::{FIGURES_FOLDER, Provenance, program_version};
use crate::source::{self, SourceOptions};

/// The file that holds an experiment's text in its results folder.
pub(crate) const EXPERIMENT_FILE: &str = "experiment.toml";

/// The result of a run.
pub(crate) struct Finished {
    /// The results folder.
    pub folder: PathBuf,
    /// Cells that ended with an error.
    pub failed: usize,
    /// Cells that the method cannot make as small as asked for.
    pub out_of_reach: usize,
    /// Whether the user stopped it; the same command goes on with it.
    pub interrupted: bool,
}

/// Runs an experiment, or continues an unfinished run of it.
pub(crate) fn run(experiment: &Experiment, options: &RunOptions) -> Result<Finished> {
    let device = load::device(&options.device)?;
    check(experiment, options)?;
    let source = SourceOptions {
        sha256: experiment.file.model.sha256.clone(),
        ..SourceOptions::default()
    };
    let (files, loaded) = stage(Stage::Load, || -> Result<_> {
        let files = source::resolve(&experiment.file.model.source, &source)?;
        let loaded = load::load(&files, &experiment.chat, &device)?;
        Ok((files, loaded))
    })?;
    let tasks = stage(Stage::Tokenise, || tasks::build(experiment, &loaded))?;

    let mut provenance = provenance(experiment, options, &files, &loaded, &tasks);
    let folder = choose_folder(experiment, options, &provenance);
    if let Some(earlier) = Provenance::read(&folder)? {
        if !same_run(&earlier, &provenance) {
            return Err(of_another_run(&folder, &earlier));
        }
        provenance.start = earlier.start;
    }
    folder::check(&folder.join(FIGURES_FOLDER))?;
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    // After everything that may refuse the run, so that a refusal stays one line.
    load::print_notes(&loaded.notes);
    provenance.write(&folder)?;
    let text = folder.join(EXPERIMENT_FILE);
    std::fs::write(&text, &experiment.text).with_context(|| text.display().to_string())?;

    interrupt::listen()?;
    let identity = identity(experiment, &files, &options.device);
    let mut runner = Runner::new(experiment, options, &loaded, &tasks, identity, &folder)?;
    let interrupted = !runner.tasks(&tasks)?;
    if !interrupted {
        provenance.end = Some(now());
        provenance.write(&folder)?;
    }
    Ok(Finished {
        failed: runner.failed,
        out_of_reach: runner.out_of_reach,
        folder,
        interrupted,
    })
}

/// Checks what can be checked before the model is fetched and loaded.
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

/// The folder that is asked for, else the one with an unfinished run of this experiment, else a new one.
fn choose_folder(
    experiment: &Experiment,
    options: &RunOptions,
    provenance: &Provenance,
) -> PathBuf {
    let new = || {
        let root = options.results.join(&experiment.file.name);
        let date = chrono::Local::now().format("%Y-%m-%d").to_string();
        folder::choose(&root, &date, |run| same_run(run, provenance))
    };
    options.out.clone().unwrap_or_else(new)
}

fn of_another_run(folder: &Path, run: &Provenance) -> anyhow::Error {
    bad_input!(
        "results folder {}: its run is of another experiment, model or program version ({}), \
         expected an empty folder or the same run",
        folder.display(),
        run.program_version
    )
}
