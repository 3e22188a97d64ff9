//! A model in one `.gguf` file on this machine.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};

use super::ModelFileKind;
use crate::bad_input;
use crate::files;

/// Takes `path` as a GGUF model after looking at its first bytes, so that a text file or a
/// Git LFS pointer is named as such here and not as a tensor error later.
pub(super) fn inspect(path: &Path) -> Result<ModelFileKind> {
    let mut magic = Vec::new();
    let file = files::open(path)?;
    file.take(4)
        .read_to_end(&mut magic)
        .with_context(|| format!("cannot read {}", path.display()))?;
    if magic != b"GGUF" {
        return Err(bad_input!(
            "{}: not a GGUF file (it starts with {:?}, expected \"GGUF\")",
            path.display(),
            String::from_utf8_lossy(&magic)
        ));
    }
    Ok(ModelFileKind::Gguf(path.to_path_buf()))
}
