//! What is chosen about a run, beside its experiment.

use std::path::PathBuf;

/// The choices, most of them flags of the command line.
pub(crate) struct RunOptions {
    /// Where results folders are made.
    pub results: PathBuf,
    /// The results folder itself, in place of `<results>/<experiment>/<date>`.
    pub out: Option<PathBuf>,
    /// Where linear layers run: `cpu` or `cuda`.
    pub device: String,
    /// At most this many samples of each task.
    pub limit: Option<usize>,
    /// The program's arguments, for `run.json`.
    pub command_line: Vec<String>,
    /// Whether a prompt goes on from what it has in common with the one before.
    pub reuse: bool,
}
