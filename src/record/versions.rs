//! One results folder holds results of one program, one revision of each model, one version of each task.

use std::collections::HashMap;

use super::Record;

/// What the rows seen so far were made with.
#[derive(Debug, Default)]
pub(super) struct Versions {
    known: HashMap<(&'static str, String), String>,
}

impl Versions {
    /// Takes note of a row's versions.
    ///
    /// # Errors
    /// Text saying which column differs from the earlier rows, and both values.
    pub(super) fn admit(&mut self, record: &Record) -> Result<(), String> {
        self.same("program_version", "", &record.program_version)?;
        self.same("model_revision", &record.model, &record.model_revision)?;
        self.same(
            "task_version",
            &record.task,
            &record.task_version.to_string(),
        )
    }

    fn same(&mut self, column: &'static str, of: &str, value: &str) -> Result<(), String> {
        let known = self
            .known
            .entry((column, of.to_string()))
            .or_insert_with(|| value.to_string());
        if known == value {
            return Ok(());
        }
        let of = if of.is_empty() {
            String::new()
        } else {
            format!(" of `{of}`")
        };
        Err(format!(
            "{column}{of} is `{value}`, but earlier rows have `{known}`: results of different versions cannot share a folder"
        ))
    }
}
