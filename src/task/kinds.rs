//! A `[[task]]` table of an experiment to its tasks: the list of every kind there is.

use anyhow::Result;

use super::built_in::BUILT_IN;
use super::custom;
use super::spec::{TaskKind, TaskSpec};
use crate::bad_input;
use crate::error::nearest;

/// Every kind of task: those that come with the program, then a task of one's own.
pub fn kinds() -> impl Iterator<Item = &'static TaskKind> {
    BUILT_IN.iter().chain([&custom::KIND])
}

/// The kind that a table names.
pub fn kind_of(table: &toml::Table) -> Option<&'static TaskKind> {
    let name = table.get("name")?.as_str()?;
    kinds().find(|kind| kind.name == name)
}

/// # Errors
/// An unknown task, key or value; `origin` names the file.
pub fn parse(table: &toml::Table, origin: &str) -> Result<Box<dyn TaskSpec>> {
    match table.get("name") {
        Some(toml::Value::String(name)) => {
            let Some(kind) = kind_of(table) else {
                let known = kinds().map(|kind| &*kind.name);
                return Err(bad_input!(
                    "{origin}: task \"{name}\" is not known{}",
                    nearest(name, known)
                ));
            };
            let mut settings = table.clone();
            settings.remove("name");
            (kind.parse)(name, settings).map_err(|error| error.context(origin.to_string()))
        }
        Some(other) => Err(bad_input!(
            "{origin}: [[task]] name = {other}: expected a text"
        )),
        None => Err(bad_input!("{origin}: a [[task]] has no name")),
    }
}
