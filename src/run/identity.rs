//! What identifies a run: the columns that its rows share, and its provenance.

use sha2::{Digest, Sha256};

use super::options::RunOptions;
use crate::experiment::{CompressAt, Experiment};
use crate::generate::Cell;
use crate::load::Loaded;
use crate::record::{MethodSettings, Provenance, Record, machine, program_dirty, program_version};
use crate::source::ModelFiles;
use crate::task::spec::BuiltTask;
use crate::task::{Sample, Task};

/// The columns that are the same in every row of a run.
pub(super) fn identity(experiment: &Experiment, files: &ModelFiles, device: &str) -> Record {
    Record {
        experiment: experiment.file.name.clone(),
        model: files.spec.clone(),
        model_revision: files.revision.clone(),
        dtype: experiment.store.name().into(),
        device: device.into(),
        program_version: program_version(),
        ..Record::default()
    }
}

/// The columns that are the same in every row of a task.
pub(super) fn of_task(of_run: &Record, task: &dyn Task) -> Record {
    Record {
        task: task.name().into(),
        task_version: task.version(),
        metric: task.metric().into(),
        ..of_run.clone()
    }
}

/// The columns that are the same in every row of a sample. `at`: whether its prompt or its context is compressed.
pub(super) fn of_sample(of_task: &Record, id: &str, at: CompressAt) -> Record {
    Record {
        sample: id.into(),
        compress_at: at.name().into(),
        ..of_task.clone()
    }
}

/// As [`of_sample`], with the columns that its prompt gives.
pub(super) fn of_prompt(of_sample: &Record, sample: &Sample) -> Record {
    Record {
        prompt_tokens: sample.prompt_tokens(),
        cut: Some(sample.cut),
        ..of_sample.clone()
    }
}

/// The columns that are known of a cell before it is run.
pub(super) fn of_cell(of_sample: &Record, cell: &Cell) -> Record {
    Record {
        method: cell.info.name.into(),
        settings: cell.settings.canonical(),
        ..of_sample.clone()
    }
}

pub(super) fn provenance(
    experiment: &Experiment,
    options: &RunOptions,
    files: &ModelFiles,
    loaded: &Loaded,
    tasks: &[BuiltTask],
) -> Provenance {
    let name = |built: &BuiltTask| built.task.name().to_string();
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
        template_date: Some(experiment.chat.date.to_string()),
        data_sha256: tasks
            .iter()
            .map(|built| (name(built), built.data_sha256.clone()))
            .collect(),
        templates: tasks
            .iter()
            .filter_map(|built| Some((name(built), built.template.clone()?)))
            .collect(),
        left_out: tasks
            .iter()
            .filter(|built| built.left_out > 0)
            .map(|built| (name(built), built.left_out))
            .collect(),
        chance: tasks
            .iter()
            .filter_map(|built| Some((name(built), built.chance?)))
            .collect(),
        notes: [&loaded.notes[..], &options.notes].concat(),
        methods: experiment.cells.iter().map(method).collect(),
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

fn method(cell: &Cell) -> MethodSettings {
    MethodSettings {
        method: cell.info.name.into(),
        settings: cell.settings.canonical(),
        in_full: cell.settings.in_full(),
    }
}

/// Whether rows of the two runs may stand in one folder.
pub(super) fn same_run(a: &Provenance, b: &Provenance) -> bool {
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

pub(super) fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(super) fn now() -> String {
    chrono::Local::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
