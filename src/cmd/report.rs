//! `spindle report`: the table of a results folder from its CSV.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::figures::require_records;
use super::say;
use crate::bad_input;
use crate::record::{RECORDS_FILE, read_records};
use crate::report::{Report, splice};

pub fn report(results: &Path, into: Option<&Path>) -> Result<i32> {
    require_records(results)?;
    let Some(path) = into else {
        print(results)?;
        return Ok(0);
    };
    let table = table(results)?.markdown();
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| bad_input!("{name}: {error}"))?;
    let spliced = splice(&text, &table).with_context(|| name.to_string())?;
    fs::write(path, spliced).with_context(|| name.to_string())?;
    Ok(0)
}

/// Prints the table.
pub fn print(results: &Path) -> Result<()> {
    say(&table(results)?.text())
}

fn table(results: &Path) -> Result<Report> {
    let records = read_records(results)?;
    if records.is_empty() {
        let name = results.join(RECORDS_FILE);
        return Err(bad_input!(
            "{}: no rows, expected at least one",
            name.display()
        ));
    }
    Ok(Report::new(&records))
}
