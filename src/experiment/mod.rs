//! Experiments: a file, validated, as cells and tasks in a stable order.

mod built_in;
mod chat;
mod expand;
mod file;
mod overrides;
mod tasks;

use std::path::Path;

use anyhow::Result;

pub use built_in::built_in;
pub(crate) use chat::{ChatFlags, options as chat_options};
pub use file::{CompressAt, ExperimentFile, ModelTable};
pub(crate) use overrides::{Overrides, cells_of_flags};

use crate::error::nearest;
use crate::generate::Cell;
use crate::model::chat::ChatOptions;
use crate::store::StoreType;
use crate::task::{TaskSpec, kinds};
use crate::{bad_input, files};

/// A validated experiment.
pub struct Experiment {
    /// The experiment as its file and flags have it.
    pub file: ExperimentFile,
    /// TOML of the experiment: the text of its file, or the TOML that results from flags.
    pub text: String,
    /// Element type of the caches, the file's `kv-dtype`.
    pub store: StoreType,
    /// Options of the model's chat template.
    pub chat: ChatOptions,
    /// The tasks to run, in the order of the file.
    pub tasks: Vec<Box<dyn TaskSpec>>,
    /// `full` among them, in the order of the file.
    pub cells: Vec<Cell>,
}

/// The text of an experiment named by a path or, for those that come with the program, by its name.
///
/// # Errors
/// A path that cannot be read and is no known name either.
pub fn text_of(name_or_path: &str) -> Result<String> {
    if Path::new(name_or_path).exists() || name_or_path.ends_with(".toml") {
        let known = built_in();
        if known.iter().all(|(name, _)| *name != name_or_path) {
            return read(Path::new(name_or_path));
        }
    }
    text_of_built_in("experiment", name_or_path)
}

fn read(path: &Path) -> Result<String> {
    files::read_description(path)
}

/// The text of an experiment that comes with the program. `what`: what the name is called in an error.
///
/// # Errors
/// If none has that name.
pub fn text_of_built_in(what: &str, name: &str) -> Result<String> {
    let known = built_in();
    match known.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => Ok((*text).to_string()),
        None => Err(bad_input!(
            "{what} \"{name}\" is not known{}",
            nearest(name, known.iter().map(|(name, _)| *name))
        )),
    }
}

impl Experiment {
    /// Validates `file`; `origin` names it in errors.
    ///
    /// # Errors
    /// An unknown task, method, key or value; a cell that stands twice.
    pub fn new(file: ExperimentFile, text: String, origin: &str) -> Result<Self> {
        file.check(origin)?;
        let store = file
            .kv_dtype
            .parse()
            .map_err(|e: anyhow::Error| e.context(origin.to_string()))?;
        let chat = chat::options(&file.model, origin)?;
        let tasks = file
            .tasks
            .iter()
            .map(|table| kinds::parse(table, origin))
            .collect::<Result<_>>()?;
        let mut cells = Vec::new();
        for table in &file.methods {
            cells.extend(expand::cells(table, origin)?);
        }
        if cells.iter().all(|cell| cell.info.name != "full") {
            let full = toml::Table::from_iter([("name".to_string(), toml::Value::from("full"))]);
            cells.splice(0..0, expand::cells(&full, origin)?);
        }
        expand::check_distinct(&cells, origin)?;
        Ok(Self {
            file,
            text,
            store,
            chat,
            tasks,
            cells,
        })
    }
}
