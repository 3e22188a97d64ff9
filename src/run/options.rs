//! Options of a run, besides its experiment.

use std::path::PathBuf;

/// The options, most of them flags of the command line.
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
    /// Whether the prefill of a prompt reuses the prefix that it shares with the prompt before.
    pub reuse: bool,
    /// What a reader of the results should know of the experiment, a line each.
    pub notes: Vec<String>,
}
