//! The folder of one repository in the hub's cache, laid out as every Hugging Face tool has it: `blobs` holds contents
//! by hash, `snapshots/COMMIT` names them by links, `refs` says which commit a branch was at.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::listing::is_hash;
use crate::bad_input;
use crate::disk;

/// Prefix of the names of files that are still being downloaded.
const PARTIAL: &str = ".partial-";

pub(super) struct Store {
    /// The repository's folder.
    pub folder: PathBuf,
}

/// A file that is being downloaded. It is deleted when dropped before it is moved into the store.
pub(super) struct Incoming {
    file: NamedTempFile,
    digest: Sha256,
}

impl Incoming {
    pub(super) fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.digest.update(bytes);
        self.file.write_all(bytes)
    }

    /// SHA-256 of what was written, lower-case hex.
    pub(super) fn sha256(&self) -> String {
        format!("{:x}", self.digest.clone().finalize())
    }
}

impl Store {
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// A new file of `size` bytes.
    ///
    /// # Errors
    /// That the disk has no room for it, or cannot be written to.
    pub(super) fn receive(&self, size: u64) -> Result<Incoming> {
        let blobs = self.folder.join("blobs");
        let writing = || format!("cannot write to {}", blobs.display());
        fs::create_dir_all(&blobs).with_context(writing)?;
        sweep(&blobs);
        disk::check(size, &blobs, &"it")?;
        let mut builder = tempfile::Builder::new();
        builder.prefix(PARTIAL);
        #[cfg(unix)]
        {
            // As for any new file: what may read it is for the user to say.
            use std::os::unix::fs::PermissionsExt;
            builder.permissions(fs::Permissions::from_mode(0o666));
        }
        let file = builder.tempfile_in(&blobs).with_context(writing)?;
        // Goes with the process, however that ends. A file system without locks has none to sweep by.
        let _ = file.as_file().try_lock();
        Ok(Incoming {
            file,
            digest: Sha256::new(),
        })
    }

    /// Keeps a file as the content `blob`.
    pub(super) fn keep(&self, incoming: Incoming, blob: &str) -> Result<PathBuf> {
        let path = self.blob(blob)?;
        let kept = incoming.file.persist(&path).map_err(|error| error.error);
        kept.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }

    /// Path of the file whose content has the hash `blob`.
    pub(super) fn blob(&self, blob: &str) -> Result<PathBuf> {
        // Checked here too, as a hash from elsewhere must never lead out of the folder.
        anyhow::ensure!(
            is_hash(blob, 40) || is_hash(blob, 64),
            "{blob:?} is no hash"
        );
        Ok(self.folder.join("blobs").join(blob))
    }

    /// Names a content `name` in a snapshot, `name` being a path within the repository.
    pub(super) fn link(&self, commit: &str, name: &str, blob: &str) -> Result<PathBuf> {
        let (path, content) = (self.snapshot(commit).join(name), self.blob(blob)?);
        let writing = || format!("cannot write {}", path.display());
        let folder = path.parent().with_context(writing)?;
        fs::create_dir_all(folder).with_context(writing)?;
        remove(&path).with_context(writing)?;
        // From the file's folder up to the repository's.
        let up = "../".repeat(1 + name.split('/').count());
        link(&Path::new(&up).join("blobs").join(blob), &content, &path).with_context(writing)?;
        Ok(path)
    }

    /// Removes a file of a snapshot with its content.
    pub(super) fn remove(&self, path: &Path) -> Result<()> {
        let removing = || format!("cannot remove {}", path.display());
        let blobs = self.folder.join("blobs").canonicalize();
        // A link that leads elsewhere is not followed.
        if let (Ok(content), Ok(blobs)) = (path.canonicalize(), blobs)
            && content.starts_with(blobs)
        {
            remove(&content).with_context(removing)?;
        }
        remove(path).with_context(removing)
    }

    /// The commit that a branch or tag was at when it was last looked up.
    pub(super) fn revision(&self, revision: &str) -> Option<String> {
        let text = fs::read_to_string(self.folder.join("refs").join(revision)).ok()?;
        Some(text.trim().to_owned()).filter(|commit| is_hash(commit, 40))
    }

    /// Notes the commit of a branch or tag through a temporary file. To be done last, so that a name points only to a
    /// snapshot that is complete.
    pub(super) fn note_revision(&self, revision: &str, commit: &str) -> Result<()> {
        let path = &self.folder.join("refs").join(revision);
        let folder = path.parent().context("a ref has a folder")?;
        fs::create_dir_all(folder)
            .and_then(|()| NamedTempFile::new_in(folder))
            .and_then(|file| fs::write(file.path(), commit).map(|()| file))
            .and_then(|file| file.persist(path).map_err(|error| error.error))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(())
    }

    /// The files of a snapshot, by their paths in the repository.
    pub(super) fn files(&self, commit: &str) -> Result<Vec<String>> {
        let snapshot = self.snapshot(commit);
        let mut names = Vec::new();
        list(&snapshot, "", &mut names)
            .map_err(|error| bad_input!("{}: {error}, expected a snapshot", snapshot.display()))?;
        Ok(names)
    }
}

fn list(dir: &Path, prefix: &str, names: &mut Vec<String>) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        // A link to a folder is no file and is not followed: it might lead in a circle.
        match entry.file_type()?.is_dir() {
            true => list(&entry.path(), &format!("{name}/"), names)?,
            false => names.push(name),
        }
    }
    Ok(())
}

/// Removes what processes that were killed left of their downloads.
fn sweep(blobs: &Path) {
    let entries = fs::read_dir(blobs).into_iter().flatten().flatten();
    let ours = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(PARTIAL);
    for entry in entries.filter(ours) {
        // An empty one may be about to be locked by who made it.
        let left = entry
            .metadata()
            .is_ok_and(|kind| kind.is_file() && kind.len() > 0);
        let file = fs::File::open(entry.path());
        if left && file.is_ok_and(|file| file.try_lock().is_ok()) {
            // Where it cannot be removed it only takes room.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes a file or link if it is there.
fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn link(relative: &Path, _content: &Path, path: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(relative, path)
}

#[cfg(not(unix))]
fn link(_relative: &Path, content: &Path, path: &Path) -> std::io::Result<()> {
    fs::copy(content, path).map(drop)
}
