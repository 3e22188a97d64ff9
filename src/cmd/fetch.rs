//! `spindle fetch`: a model's files, fetched if need be.

use anyhow::Result;

use super::say;

use crate::source::{SourceOptions, resolve};

pub fn fetch(model: &str) -> Result<i32> {
    let files = resolve(model, &SourceOptions::default())?;
    let mut text = format!("model     {}\nrevision  {}\n", files.spec, files.revision);
    for path in files.kind.weights() {
        text += &format!("weights   {}\n", path.display());
    }
    say(&text)?;
    Ok(0)
}
