//! `spindle report`: the table of a results folder from its CSV.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::figures::require_records;
use super::say;
use crate::bad_input;
use crate::error::message;
use crate::files;
use crate::layout::width;
use crate::record::{Provenance, RECORDS_FILE, RUN_FILE, read_records};
use crate::report::{Report, splice};
use crate::task::longbench::{OWN_WORDS, is_task};
use crate::terminal;

/// `against`: the method that differences are from, in place of `full`.
pub(super) fn report(results: &Path, against: Option<&str>, into: Option<&Path>) -> Result<i32> {
    require_records(results)?;
    let Some(path) = into else {
        say(&table(results, against)?.text(width()))?;
        return Ok(0);
    };
    let table = table(results, against)?.markdown();
    let name = path.display();
    let text = files::read_text(path)?;
    let spliced = splice(&text, &table).with_context(|| name.to_string())?;
    fs::write(path, spliced).with_context(|| name.to_string())?;
    Ok(0)
}

/// Prints the table.
pub(super) fn print(results: &Path) -> Result<()> {
    say(&table(results, None)?.text(width()))
}

fn table(results: &Path, against: Option<&str>) -> Result<Report> {
    let records = read_records(results)?;
    if records.is_empty() {
        let name = results.join(RECORDS_FILE);
        return Err(bad_input!(
            "{}: no rows, expected at least one",
            name.display()
        ));
    }
    let mut report = match against {
        Some(method) => Report::against(&records, method)?,
        None => Report::new(&records),
    };
    // The rows say everything but which templates made them and what never became one.
    let run = Provenance::read(results).unwrap_or_else(|error| {
        terminal::warn(&message(&error));
        None
    });
    if run.is_none() {
        let name = results.join(RUN_FILE);
        terminal::warn(&format!(
            "no readable {}: which templates were used and which samples left out is not known",
            name.display()
        ));
    }
    if let Some(run) = run {
        report.note_left_out(&run.left_out);
        let own = run.templates.iter().filter(|(task, template)| {
            let (origin, _) = template.split_once(' ').unwrap_or((template, ""));
            origin == OWN_WORDS && is_task(task)
        });
        report.note_own_templates(&Vec::from_iter(own.map(|(task, _)| task.as_str())));
        let of_files = run.templates.iter().filter_map(|(task, template)| {
            let (origin, _) = template.rsplit_once(' ').unwrap_or((template, ""));
            (origin != OWN_WORDS && is_task(task)).then_some((task.as_str(), origin))
        });
        report.note_templates(&Vec::from_iter(of_files));
    }
    Ok(report)
}
