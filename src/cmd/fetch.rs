//! `spindle fetch`: a model's files, fetched if need be.

use anyhow::Result;

use super::say;
use crate::source::{SourceOptions, resolve, sha256_file};

/// `verify`: whether every file that was downloaded is read again.
pub(super) fn fetch(model: &str, verify: bool) -> Result<i32> {
    let options = SourceOptions {
        verify,
        ..SourceOptions::default()
    };
    let files = resolve(model, &options)?;
    let mut text = format!("model     {}\nrevision  {}\n", files.spec, files.revision);
    for path in files.kind.weights() {
        text += &format!("weights   {}\n", path.display());
        if verify {
            text += &format!("sha-256   {}\n", sha256_file(path)?);
        }
    }
    say(&text)?;
    Ok(0)
}
