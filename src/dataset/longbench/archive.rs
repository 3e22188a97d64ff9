//! Files of records in a zip archive such as the official `data.zip`. Nothing is unpacked to disk.

use std::fmt::Display;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::Result;
use zip::ZipArchive;

use crate::{bad_input, files};

/// The official archive has 34 files.
const MOST_ENTRIES: usize = 10_000;
/// Unpacked; the largest official file has about 20 MB.
const MOST_BYTES: u64 = 256 << 20;

/// The file `name` in the archive, in whatever folder, and what to say of entries of that name that lead out of it.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) if there is not exactly one such file, it is damaged or unreasonably large, or
/// the archive is none.
pub(super) fn read(path: &Path, name: &str) -> Result<(Vec<u8>, Vec<String>)> {
    let archive_name = path.display();
    let unreadable = |error: &dyn Display| unreadable(path, error);
    let mut archive = open(path)?;
    let named: Vec<usize> = (0..archive.len())
        .filter(|&i| {
            let entry = archive.name_for_index(i).unwrap_or_default();
            entry.rsplit(['/', '\\']).next() == Some(name)
        })
        .collect();
    let (mut inside, mut left_out) = (Vec::new(), Vec::new());
    for i in named {
        let entry = archive.by_index(i).map_err(|error| unreadable(&error))?;
        if entry.enclosed_name().is_none() {
            left_out.push(format!(
                "{archive_name}: entry `{}` leads out of the archive",
                entry.name()
            ));
        } else if entry.is_file() {
            inside.push(i);
        }
    }
    let [index] = inside[..] else {
        let reason = left_out
            .first()
            .map_or(String::new(), |reason| format!(" ({reason})"));
        return Err(bad_input!(
            "{archive_name}: {} files {name} in it, expected one{reason}",
            inside.len()
        ));
    };
    let entry = archive
        .by_index(index)
        .map_err(|error| unreadable(&error))?;
    let entry_name = entry.name().to_string();
    let mut bytes = Vec::new();
    // What the archive says of sizes is not relied on.
    let read = entry.take(MOST_BYTES + 1).read_to_end(&mut bytes);
    let read = read.map_err(|error| bad_input!("{archive_name}: {entry_name}: {error}"))?;
    if read as u64 > MOST_BYTES {
        return Err(bad_input!(
            "{archive_name}: {entry_name}: unpacks to more than {MOST_BYTES} bytes"
        ));
    }
    Ok((bytes, left_out))
}

/// Whether the archive has a file `name`, in whatever folder.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) if the archive is none, or unreasonably large.
pub(super) fn has(path: &Path, name: &str) -> Result<bool> {
    let archive = open(path)?;
    let mut names = archive.file_names();
    Ok(names.any(|entry| entry.rsplit(['/', '\\']).next() == Some(name)))
}

fn open(path: &Path) -> Result<ZipArchive<File>> {
    let archive = ZipArchive::new(files::open(path)?).map_err(|error| unreadable(path, &error))?;
    if archive.len() > MOST_ENTRIES {
        return Err(bad_input!(
            "{}: {} entries, expected at most {MOST_ENTRIES}",
            path.display(),
            archive.len()
        ));
    }
    Ok(archive)
}

fn unreadable(path: &Path, error: &dyn Display) -> anyhow::Error {
    bad_input!(
        "{}: {error}, expected a zip archive of .jsonl files",
        path.display()
    )
}
