//! What files of the caches were when they came: a file that was damaged since is not taken for a model.

use std::path::{Path, PathBuf};

use anyhow::Result;
use sha2::{Digest, Sha256};

use super::digest;
use super::options::SourceOptions;
use crate::bad_input;

/// The SHA-256 of files that were downloaded, each in a note of its own.
pub(super) struct Kept {
    /// This program's cache, which has the notes. None: there is no such folder, and nothing is noted.
    cache: Option<PathBuf>,
    /// Whether every file is read whole, or only those whose size or time has changed.
    verify: bool,
}

impl Kept {
    pub(super) fn new(options: &SourceOptions) -> Self {
        Self {
            cache: options.cache_root(),
            verify: options.verify,
        }
    }

    /// Notes the digest of a file that has come. Where no note can be written, damage is not noticed later.
    pub(super) fn record(&self, path: &Path, sha256: &str) {
        if let Some(note) = self.note(path) {
            let _ = digest::write_note(&note, sha256);
            // The next run need not read the file to know that it is the one that came.
            let _ = digest::remember(path, self.cache.as_deref(), sha256);
        }
    }

    /// Records files that have come.
    ///
    /// # Errors
    /// That one cannot be read.
    pub(super) fn record_all(&self, paths: &[&Path]) -> Result<()> {
        for path in paths {
            self.record(path, &digest::sha256_file(path)?);
        }
        Ok(())
    }

    /// What has happened to a file since it came, if anything. `listed` is its SHA-256 where that is known from
    /// elsewhere. A file without a note, as another program's, gets one.
    ///
    /// # Errors
    /// That it cannot be read.
    pub(super) fn damage(&self, path: &Path, listed: Option<&str>) -> Result<Option<String>> {
        let noted = self.note(path).and_then(|note| digest::read_note(&note));
        if self.cache.is_none() && !(self.verify && listed.is_some()) {
            return Ok(None);
        }
        let cache = self.cache.as_deref();
        let found = match self.verify {
            true => digest::read_anew(path, cache)?,
            false => digest::remembered(path, cache)?,
        };
        match listed.or(noted.as_deref()) {
            Some(expected) if expected != found => {
                Ok(Some(format!("SHA-256 is {found}, expected {expected}")))
            }
            expected => {
                if expected.is_none() || noted.is_none() {
                    self.record(path, &found);
                }
                Ok(None)
            }
        }
    }

    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for the first file that was damaged since it came.
    pub(super) fn check(&self, paths: &[&Path]) -> Result<()> {
        for path in paths {
            if let Some(found) = self.damage(path, None)? {
                return Err(bad_input!(
                    "{}: damaged since it was downloaded: {found}",
                    path.display()
                ));
            }
        }
        Ok(())
    }

    fn note(&self, path: &Path) -> Option<PathBuf> {
        let real = path.canonicalize().ok()?;
        let name = Sha256::digest(real.as_os_str().as_encoded_bytes());
        Some(self.cache.as_ref()?.join("kept").join(format!("{name:x}")))
    }
}
