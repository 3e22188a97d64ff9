//! What an experiment would run, in words.

use crate::experiment::Experiment;
use crate::layout::paragraph;

/// Model, tasks and cells, in lines of at most `width` columns.
pub(super) fn plan(experiment: &Experiment, width: usize) -> String {
    let mut out = format!(
        "experiment {}, model {}\n",
        experiment.file.name, experiment.file.model.source
    );
    for task in &experiment.tasks {
        out += &paragraph(&format!("task {}", task.summary()), ' ', [0, 4], width);
    }
    out += &format!("{} cells, each on every sample:\n", experiment.cells.len());
    for cell in &experiment.cells {
        let text = format!("{} {}", cell.info.name, cell.settings.canonical());
        out += &paragraph(&text, ';', [2, 6], width);
    }
    out
}
