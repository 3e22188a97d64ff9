//! Which results folder a run writes to: the unfinished one of the same experiment, or a new dated one.

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::bad_input;
use crate::record::Provenance;

/// Chooses the folder under `results/<experiment>`: the newest whose run is `same`, else a new one called `<date>`,
/// with a number after it if another run has that name.
pub(super) fn choose(root: &Path, date: &str, same: impl Fn(&Provenance) -> bool) -> PathBuf {
    let mut folders: Vec<PathBuf> = match fs::read_dir(root) {
        Ok(entries) => entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_dir())
            .collect(),
        Err(_) => Vec::new(),
    };
    folders.sort_unstable();
    for folder in folders.iter().rev() {
        // A run.json that does not parse is of another version, and so of another run.
        if Provenance::read(folder).is_ok_and(|run| run.is_some_and(|run| same(&run))) {
            return folder.clone();
        }
    }
    let mut names = std::iter::once(date.to_string()).chain((2..).map(|n| format!("{date}-{n}")));
    let free = names.find(|name| !root.join(name).exists());
    root.join(free.unwrap_or_else(|| date.to_string()))
}

/// Checks that `folder` can be made and written to, before the run has anything to write. Leaves nothing behind.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) where it cannot.
pub(crate) fn check(folder: &Path) -> Result<()> {
    let there = folder
        .ancestors()
        .find(|path| path.symlink_metadata().is_ok());
    // A relative path starts in the current folder.
    let there = there.unwrap_or(Path::new("."));
    let refuse = |error: &dyn Display| {
        bad_input!(
            "results folder {}: {}: {error}, expected a folder that can be written to",
            folder.display(),
            there.display()
        )
    };
    if !there.is_dir() {
        return Err(refuse(&"not a folder"));
    }
    // Checks the names of folders to be made: one that is too long looks absent.
    for name in folder.strip_prefix(there).unwrap_or(folder) {
        match there.join(name).symlink_metadata() {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(refuse(&error)),
            _ => {}
        }
    }
    tempfile::tempfile_in(there)
        .map(drop)
        .map_err(|error| refuse(&error))
}
