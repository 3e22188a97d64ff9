//! The tasks of a run, and the order of their samples.

use std::collections::{HashMap, HashSet};

use anyhow::{Context, Error, Result};

use crate::bad_input;
use crate::experiment::Experiment;
use crate::load::Loaded;
use crate::task::spec::BuiltTask;
use crate::task::{Sample, Task};

/// Builds the experiment's tasks for the model.
pub(super) fn build(experiment: &Experiment, loaded: &Loaded) -> Result<Vec<BuiltTask>> {
    let name = &experiment.file.name;
    let mut tasks = Vec::new();
    for spec in &experiment.tasks {
        let built = loaded.within_context(|max_context| {
            spec.build(&loaded.tokenizer, max_context, experiment.file.seed)
        });
        tasks.extend(built.with_context(|| format!("experiment {name}"))?);
    }
    names_differ(&tasks, name)?;
    Ok(tasks)
}

/// Checks that no two samples have the same name, by which their rows are told apart.
fn names_differ(tasks: &[BuiltTask], experiment: &str) -> Result<()> {
    let mut known = HashSet::new();
    let mut templates = HashMap::new();
    for BuiltTask { task, template, .. } in tasks {
        if *templates.entry(task.name()).or_insert(template) != template {
            return Err(bad_input!(
                "experiment {experiment}: task {} stands twice with different templates, expected another name or \
                 experiment for one of them",
                task.name()
            ));
        }
        for sample in (0..task.len()).map(|i| task.sample_id(i)) {
            if !known.insert((task.name(), sample.clone())) {
                return Err(bad_input!(
                    "experiment {experiment}: sample {sample} of {} stands twice, expected tables of one task to have \
                     other lengths, depths or seeds",
                    task.name()
                ));
            }
        }
    }
    Ok(())
}

/// The samples of a task that are to be run.
pub(super) struct Ordered {
    /// Samples in the order of their prompts' tokens: each follows the one it shares the longest prefix with.
    pub samples: Vec<Sample>,
    /// Samples that cannot be built: their names and errors.
    pub failures: Vec<(String, Error)>,
}

pub(super) fn in_token_order(task: &dyn Task, wanted: &[usize]) -> Ordered {
    let mut samples = Vec::new();
    let mut failures = Vec::new();
    for &i in wanted {
        match task.sample(i) {
            Ok(sample) => samples.push(sample),
            Err(error) => failures.push((task.sample_id(i), error)),
        }
    }
    samples.sort_by(|a, b| {
        let tokens = |sample: &Sample| [&sample.context[..], &sample.question].concat();
        tokens(a).cmp(&tokens(b))
    });
    Ordered { samples, failures }
}
