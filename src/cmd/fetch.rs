//! `spindle fetch`: a model's files, fetched if need be.

use anyhow::Result;

use crate::source::{SourceOptions, resolve};

pub fn fetch(model: &str) -> Result<i32> {
    let files = resolve(model, &SourceOptions::default())?;
    println!("model     {}", files.spec);
    println!("revision  {}", files.revision);
    for path in files.kind.weights() {
        println!("weights   {}", path.display());
    }
    Ok(0)
}
