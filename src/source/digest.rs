//! SHA-256 of weights, remembered for big files so that a run does not read 100 MB twice.

use std::fs::Metadata;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::files;

/// Files below this size are hashed each time: it costs less than a tenth of a second.
const REMEMBER_FROM: u64 = 16 << 20;

/// SHA-256 of a file's bytes, lower-case hex.
///
/// # Errors
/// If the file cannot be read.
pub fn sha256_file(path: &Path) -> Result<String> {
    let reading = || format!("cannot read {}", path.display());
    let mut file = files::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).with_context(reading)?;
        if count == 0 {
            return Ok(format!("{:x}", hasher.finalize()));
        }
        hasher.update(&buffer[..count]);
    }
}

/// One digest for all weight files: the file's own if there is one, else that of the text with a
/// `digest  name` line per file.
pub(super) fn of_weights(weights: &[PathBuf], cache: Option<&Path>) -> Result<String> {
    if let [single] = weights {
        return remembered(single, cache);
    }
    let mut list = String::new();
    for path in weights {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        list.push_str(&format!("{}  {name}\n", remembered(path, cache)?));
    }
    Ok(format!("{:x}", Sha256::digest(list)))
}

/// The digest of `path`, from the note in the cache, if there is one, where the file is the one it was made of: same
/// real path, size and modification time to the nanosecond.
pub(super) fn remembered(path: &Path, cache: Option<&Path>) -> Result<String> {
    match note_of(path, cache)?.and_then(|note| read_note(&note)) {
        Some(digest) => Ok(digest),
        None => read_anew(path, cache),
    }
}

/// The digest of `path` as it is now, which is remembered.
pub(super) fn read_anew(path: &Path, cache: Option<&Path>) -> Result<String> {
    let digest = sha256_file(path)?;
    remember(path, cache, &digest)?;
    Ok(digest)
}

/// Remembers the digest of `path` as it is now.
pub(super) fn remember(path: &Path, cache: Option<&Path>, digest: &str) -> Result<()> {
    if let Some(note) = note_of(path, cache)? {
        // A cache that cannot be written only costs time on the next run.
        let _ = write_note(&note, digest);
    }
    Ok(())
}

/// Where the digest of `path` is noted; none for one that is read each time.
fn note_of(path: &Path, cache: Option<&Path>) -> Result<Option<PathBuf>> {
    let real = path
        .canonicalize()
        .with_context(|| format!("cannot read {}", path.display()))?;
    let metadata = real
        .metadata()
        .with_context(|| format!("cannot read {}", path.display()))?;
    let (Some(cache), true) = (cache, metadata.len() >= REMEMBER_FROM) else {
        return Ok(None);
    };
    let note = |identity| format!("{:x}", Sha256::digest(identity));
    Ok(identity(&real, &metadata).map(|identity| cache.join("digests").join(note(identity))))
}

fn identity(real: &Path, metadata: &Metadata) -> Option<String> {
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!(
        "{}\n{}\n{}",
        real.display(),
        metadata.len(),
        modified.as_nanos()
    ))
}

/// The digest in a note, if there is one.
pub(super) fn read_note(note: &Path) -> Option<String> {
    let digest = std::fs::read_to_string(note).ok()?;
    (digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digest)
}

/// Writes through a temporary file, so that a reader never sees half a digest.
pub(super) fn write_note(note: &Path, digest: &str) -> Result<()> {
    let folder = note.parent().context("a note has a folder")?;
    std::fs::create_dir_all(folder)?;
    let file = tempfile::NamedTempFile::new_in(folder)?;
    std::fs::write(file.path(), digest)?;
    file.persist(note)?;
    Ok(())
}
