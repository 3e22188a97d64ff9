//! The files of a model to a model in memory.

use std::sync::Arc;

use anyhow::{Context, Result};
use candle_core::Device;

use crate::bad_input;
use crate::files;
use crate::model::config::DecoderConfig;
use crate::model::decoder::Model;
use crate::model::tokenizer::ModelTokenizer;
use crate::model::weights::Weights;
use crate::source::{ModelFileKind, ModelFiles};
use crate::terminal;

/// A model with its tokenizer.
pub struct Loaded {
    pub model: Model,
    pub tokenizer: Arc<ModelTokenizer>,
    /// What a reader of the results should know of the files: tensors that the model does not use, keys that are not
    /// known. A line each; the program prints them and `run.json` keeps them.
    pub notes: Vec<String>,
}

/// # Errors
/// Files that are damaged, or of an architecture that is not supported, by name.
pub fn load(model_files: &ModelFiles, device: &Device) -> Result<Loaded> {
    // Before the tokenizer: a file that is damaged, or a model that is not supported, is named as such.
    let (config, weights) = match &model_files.kind {
        ModelFileKind::Gguf(path) => {
            let weights = Weights::open_gguf(path.clone())?;
            let gguf = weights.gguf().context("a GGUF file")?;
            (DecoderConfig::from_gguf(gguf)?, weights)
        }
        ModelFileKind::HfFolder {
            config, weights, ..
        } => {
            let name = config.display().to_string();
            (
                DecoderConfig::from_hf_json(&files::read_text(config)?, &name)?,
                Weights::open_safetensors(weights)?,
            )
        }
    };
    let tokenizer = Arc::new(ModelTokenizer::load(model_files)?);
    Ok(Loaded {
        model: Model::load(config, &weights, device)?,
        tokenizer,
        notes: Vec::new(),
    })
}

/// Prints what a reader should know of the files on standard error, once for each run of the program.
pub fn print_notes(notes: &[String]) {
    notes.iter().for_each(|note| terminal::note(note));
}

/// The device of that name.
///
/// # Errors
/// `cuda` in a program built without it, or without a GPU.
pub fn device(name: &str) -> Result<Device> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "cuda" => Device::new_cuda(0).map_err(|error| {
            bad_input!(
                "--device cuda: {error}; expected a GPU and a program built with --features cuda"
            )
        }),
        other => Err(bad_input!("--device {other}: expected cpu or cuda")),
    }
}
