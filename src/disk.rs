//! Checks that data fits on a disk before it is written.

use std::fmt::Display;
use std::path::Path;

use anyhow::{Context, Result};

/// Bytes that are left to other programs.
const LEFT_FREE: u64 = 256 << 20;

/// Bytes that may be written to the disk of `folder`.
///
/// # Errors
/// If the free space cannot be read.
pub(crate) fn room(folder: &Path) -> Result<u64> {
    let free = fs4::available_space(folder);
    let free = free.with_context(|| format!("{}: its disk cannot be asked", folder.display()))?;
    Ok(free.saturating_sub(LEFT_FREE))
}

/// Checks that `bytes` of `what` fit on the disk of `folder`.
///
/// # Errors
/// If they do not fit, with both sizes.
pub(crate) fn check(bytes: u64, folder: &Path, what: &dyn Display) -> Result<()> {
    let room = room(folder)?;
    if bytes <= room {
        return Ok(());
    }
    let gigabytes = |bytes: u64| bytes as f64 / 1e9;
    anyhow::bail!(
        "{what} would take {:.1} GB, more than the {:.1} GB free on the disk of {}",
        gigabytes(bytes),
        gigabytes(room),
        folder.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_larger_than_the_disk_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        assert!(check(1, folder.path(), &"x").is_ok());
        let error = check(u64::MAX, folder.path(), &"model.safetensors").expect_err("too large");
        assert!(
            error
                .to_string()
                .starts_with("model.safetensors would take")
        );
    }
}
