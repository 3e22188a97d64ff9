//! Which results folder a run writes to: the unfinished one of the same experiment, or a new dated one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::bad_input;
use crate::record::Provenance;

/// The folder under `results/<experiment>` to go on in or to create: the newest whose run is `same`, else
/// `<date>`, with a number after it when that is taken by another run.
pub fn choose(root: &Path, date: &str, same: impl Fn(&Provenance) -> bool) -> Result<PathBuf> {
    let mut folders: Vec<PathBuf> = match fs::read_dir(root) {
        Ok(entries) => entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_dir())
            .collect(),
        Err(_) => Vec::new(),
    };
    folders.sort_unstable();
    for folder in folders.iter().rev() {
        if Provenance::read(folder)?.is_some_and(|run| same(&run)) {
            return Ok(folder.clone());
        }
    }
    let mut names = std::iter::once(date.to_string()).chain((2..).map(|n| format!("{date}-{n}")));
    let free = names.find(|name| !root.join(name).exists());
    Ok(root.join(free.unwrap_or_else(|| date.to_string())))
}

/// Creates `folder` and makes sure that it can be written to.
///
/// # Errors
/// That it cannot, before anything else is done.
pub fn create(folder: &Path) -> Result<()> {
    let refuse = |error: std::io::Error| {
        bad_input!(
            "results folder {}: {error}, expected a folder that can be written to",
            folder.display()
        )
    };
    fs::create_dir_all(folder).map_err(refuse)?;
    let probe = folder.join(".writable");
    fs::write(&probe, b"").map_err(refuse)?;
    fs::remove_file(&probe).map_err(refuse)
}
