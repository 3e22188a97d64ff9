//! Files of records in a zip archive such as the official `data.zip`. Nothing is unpacked to disk.

use std::path::Path;

use anyhow::Result;

use crate::archive::{Archive, Packed};
use crate::bad_input;

/// Unpacked; the largest official file has about 20 MB.
const MOST_BYTES: u64 = 256 << 20;

/// The file `name` in the archive, in whatever folder, and what to say of entries of that name that lead out of it.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) if there is not exactly one such file, it is damaged, unreasonably large or
/// packed unreasonably far, or the archive is none.
pub(super) fn read(path: &Path, name: &str) -> Result<(Vec<u8>, Vec<String>)> {
    let mut archive = Archive::open(path)?;
    let mut named = archive.files()?;
    named.retain(|file| is_named(file, name));
    let (inside, outside): (Vec<Packed>, Vec<Packed>) =
        named.into_iter().partition(|file| file.path.is_some());
    let leads_out = |file: Packed| {
        let archive = path.display();
        format!("{archive}: entry `{}` leads out of the archive", file.name)
    };
    let left_out: Vec<String> = outside.into_iter().map(leads_out).collect();
    let [file] = &inside[..] else {
        let reason = left_out.first();
        return Err(bad_input!(
            "{}: {} files {name} in it, expected one{}",
            path.display(),
            inside.len(),
            reason.map_or(String::new(), |reason| format!(" ({reason})"))
        ));
    };
    let mut bytes = Vec::new();
    archive.unpack(file, MOST_BYTES, &mut bytes)?;
    Ok((bytes, left_out))
}

/// Whether the archive has a file `name`, in whatever folder.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) if the archive is none, or unreasonably large.
pub(super) fn has(path: &Path, name: &str) -> Result<bool> {
    let files = Archive::open(path)?.files()?;
    Ok(files.iter().any(|file| is_named(file, name)))
}

/// Whether the last part of an entry's name is `name`.
fn is_named(file: &Packed, name: &str) -> bool {
    file.name.rsplit(['/', '\\']).next() == Some(name)
}
