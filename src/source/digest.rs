//! SHA-256 of weights, remembered for big files so that a run does not read 100 MB twice.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Files below this size are hashed each time: it costs less than a tenth of a second.
const REMEMBER_FROM: u64 = 16 << 20;

/// SHA-256 of a file's bytes, lower-case hex.
///
/// # Errors
/// If the file cannot be read.
pub fn sha256_file(path: &Path) -> Result<String> {
    let reading = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(reading)?;
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
pub(super) fn of_weights(weights: &[PathBuf], cache: &Path) -> Result<String> {
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

/// The digest of `path`, from the note beside the cache if the file is the one it was made of:
/// same real path, size and modification time to the nanosecond.
fn remembered(path: &Path, cache: &Path) -> Result<String> {
    let real = path
        .canonicalize()
        .with_context(|| format!("cannot read {}", path.display()))?;
    let metadata = real
        .metadata()
        .with_context(|| format!("cannot read {}", path.display()))?;
    if metadata.len() < REMEMBER_FROM {
        return sha256_file(path);
    }
    let Some(identity) = identity(&real, &metadata) else {
        return sha256_file(path);
    };
    let folder = cache.join("digests");
    let note = folder.join(format!("{:x}", Sha256::digest(&identity)));
    if let Some(digest) = read_note(&note) {
        return Ok(digest);
    }
    let digest = sha256_file(path)?;
    // A cache that cannot be written only costs time on the next run.
    let _ = write_note(&folder, &note, &digest);
    Ok(digest)
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

fn read_note(note: &Path) -> Option<String> {
    let digest = std::fs::read_to_string(note).ok()?;
    (digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit())).then_some(digest)
}

/// Writes through a temporary file, so that a reader never sees half a digest.
fn write_note(folder: &Path, note: &Path, digest: &str) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    let file = tempfile::NamedTempFile::new_in(folder)?;
    std::fs::write(file.path(), digest)?;
    file.persist(note)?;
    Ok(())
}
