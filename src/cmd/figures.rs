//! `spindle figures`: every figure of a results folder from its CSV.

use std::path::Path;

use anyhow::Result;

use super::say;

use crate::bad_input;
use crate::files::{self, Place};
use crate::plot;

pub(super) fn figures(results: &Path) -> Result<i32> {
    require_records(results)?;
    for path in plot::draw_all(results)? {
        say(&format!("{}\n", path.display()))?;
    }
    Ok(0)
}

/// Draws without a word on standard output.
pub(super) fn draw(results: &Path) -> Result<()> {
    plot::draw_all(results)?;
    Ok(())
}

/// # Errors
/// That `results` is not a results folder.
pub(super) fn require_records(results: &Path) -> Result<()> {
    if files::place(results)? == Place::File {
        return Err(bad_input!(
            "{}: a file, expected a results folder",
            results.display()
        ));
    }
    if files::is_there(&results.join(crate::record::RECORDS_FILE))? {
        return Ok(());
    }
    Err(bad_input!(
        "{}: no records.csv, expected a results folder",
        results.display()
    ))
}
