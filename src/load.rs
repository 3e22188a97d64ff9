//! The files of a model to a model in memory.

use std::sync::Arc;

use anyhow::{Context, Result};
use candle_core::Device;

use crate::bad_input;
use crate::files;
use crate::model::chat::ChatOptions;
use crate::model::config::DecoderConfig;
use crate::model::decoder::Model;
use crate::model::tokenizer::ModelTokenizer;
use crate::model::weights::Weights;
use crate::source::{ModelFileKind, ModelFiles};

/// A model with its tokenizer.
pub struct Loaded {
    pub model: Model,
    pub tokenizer: Arc<ModelTokenizer>,
    /// What a reader of the results should know of the files: tensors that the model does not use, keys that are not
    /// known. A line each; the program prints them and `run.json` keeps them.
    pub notes: Vec<String>,
}

/// The model of `model_files`; `chat`: what the user chose about its chat template.
///
/// # Errors
/// Files that are damaged, or of an architecture that is not supported, by name.
pub fn load(model_files: &ModelFiles, chat: &ChatOptions, device: &Device) -> Result<Loaded> {
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
    let mut tokenizer = ModelTokenizer::load_with(model_files, chat)?;
    tokenizer.set_embedding_rows(config.vocab);
    let notes = tokenizer.notes().to_vec();
    Ok(Loaded {
        model: Model::load(config, &weights, device)?,
        tokenizer: Arc::new(tokenizer),
        notes,
    })
}

/// Prints what a reader should know of the files on standard error, once for each run of the program.
pub fn print_notes(notes: &[String]) {
    for note in notes {
        eprintln!("note: {note}");
    }
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
