//! The files of a model to a model in memory.

use std::sync::Arc;

use anyhow::{Context, Result};
use candle_core::Device;

use crate::bad_input;
use crate::model::config::DecoderConfig;
use crate::model::decoder::Model;
use crate::model::tokenizer::ModelTokenizer;
use crate::model::weights::Weights;
use crate::source::{ModelFileKind, ModelFiles};

/// A model with its tokenizer.
pub struct Loaded {
    pub model: Model,
    pub tokenizer: Arc<ModelTokenizer>,
}

/// # Errors
/// Files that are damaged, or of an architecture that is not supported, by name.
pub fn load(files: &ModelFiles, device: &Device) -> Result<Loaded> {
    // Before the tokenizer: a file that is damaged, or a model that is not supported, is named as such.
    let (config, weights) = match &files.kind {
        ModelFileKind::Gguf(path) => {
            let weights = Weights::open_gguf(path.clone())?;
            let gguf = weights.gguf().context("a GGUF file")?;
            (DecoderConfig::from_gguf(gguf)?, weights)
        }
        ModelFileKind::HfFolder {
            config, weights, ..
        } => {
            let name = config.display().to_string();
            let text =
                std::fs::read_to_string(config).map_err(|error| bad_input!("{name}: {error}"))?;
            (
                DecoderConfig::from_hf_json(&text, &name)?,
                Weights::open_safetensors(weights)?,
            )
        }
    };
    let tokenizer = Arc::new(ModelTokenizer::load(files)?);
    Ok(Loaded {
        model: Model::load(config, &weights, device)?,
        tokenizer,
    })
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
