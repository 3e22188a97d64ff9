//! Loads the files of a model into memory.

use std::sync::Arc;

use anyhow::{Context, Result};
use candle_core::Device;

use crate::bad_input;
use crate::files;
use crate::memory;
use crate::model::chat::ChatOptions;
use crate::model::config::{DecoderConfig, generation_notes, list};
use crate::model::decoder::Model;
use crate::model::tokenizer::ModelTokenizer;
use crate::model::weights::Weights;
use crate::source::{ModelFileKind, ModelFiles};
use crate::store::StoreType;
use crate::terminal;

/// A model with its tokenizer.
pub struct Loaded {
    /// The decoder with its weights, on the device asked for.
    pub model: Model,
    /// The model's own tokenizer, with its chat template if it has one.
    pub tokenizer: Arc<ModelTokenizer>,
    /// Notes on the files for a reader of the results: tensors that the model does not use, keys that are not known.
    /// One line each; the program prints them and `run.json` keeps them.
    pub notes: Vec<String>,
}

/// Loads the model of `model_files`. `chat`: options of its chat template.
///
/// # Errors
/// Files that are damaged, or of an architecture that is not supported, by name.
pub fn load(model_files: &ModelFiles, chat: &ChatOptions, device: &Device) -> Result<Loaded> {
    // Before the tokenizer, so that a damaged file or an unsupported model is named first.
    let (config, weights) = match &model_files.kind {
        ModelFileKind::Gguf(paths) => {
            let weights = Weights::open_gguf(paths)?;
            let gguf = weights.gguf().context("a GGUF file")?;
            (DecoderConfig::from_gguf(gguf)?, weights)
        }
        ModelFileKind::HfFolder {
            config,
            generation_config,
            weights,
            ..
        } => {
            let name = config.display().to_string();
            let mut read = DecoderConfig::from_hf_json(&files::read_description(config)?, &name)?;
            if let Some(path) = generation_config {
                let name = path.display().to_string();
                let notes = generation_notes(&files::read_description(path)?, &name)?;
                read.notes.extend(notes);
            }
            (read, Weights::open_safetensors(weights)?)
        }
    };
    let mut tokenizer = ModelTokenizer::load_with(model_files, chat)?;
    let beyond = vocabulary(&tokenizer, config.vocab, &model_files.kind)?;
    tokenizer.set_embedding_rows(config.vocab)?;
    let model = Model::load(config, &weights, device)?;
    let notes = [tokenizer.notes(), &model.notes].concat();
    let notes = notes.into_iter().chain(beyond).collect();
    Ok(Loaded {
        model,
        tokenizer: Arc::new(tokenizer),
        notes,
    })
}

/// Compares the tokenizer's ids with the rows of the embedding. Returns a note if added tokens have no row, as these
/// may never be used.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) where tokens of the vocabulary itself have no row.
fn vocabulary(
    tokenizer: &ModelTokenizer,
    rows: usize,
    kind: &ModelFileKind,
) -> Result<Option<String>> {
    let beyond = tokenizer.beyond(rows);
    let Some(last) = beyond.last() else {
        return Ok(None);
    };
    let file = match kind {
        ModelFileKind::HfFolder { tokenizer, .. } => tokenizer.vocabulary.path(),
        ModelFileKind::Gguf(parts) => &parts[0],
    };
    let file = file.display();
    if beyond.iter().any(|token| !token.added) {
        return Err(bad_input!(
            "{file}: its tokens have ids up to {}, but the embedding has {rows} rows (vocab_size)",
            last.id
        ));
    }
    let names: Vec<String> = beyond.into_iter().map(|token| token.text).collect();
    Ok(Some(format!(
        "{file}: beyond the {rows} rows of the embedding (vocab_size): {}; a prompt that has one is refused",
        list("added token", &names)
    )))
}

impl Loaded {
    /// Calls `build` with the most tokens that a prompt and its answer may take together.
    ///
    /// # Errors
    /// Errors of `build`. If only the sliding window leaves too few tokens, the error says so.
    pub fn within_context<T>(&self, build: impl Fn(usize) -> Result<T>) -> Result<T> {
        let config = &self.model.config;
        let bytes_token = self.model.geometry().bytes_token(StoreType::F16);
        let in_memory = usize::try_from(memory::total() / bytes_token).unwrap_or(usize::MAX);
        if in_memory < config.max_prompt() {
            return build(in_memory).map_err(|error| {
                error.context(format!(
                    "a cache in f16 of more than {in_memory} tokens does not fit this machine's memory"
                ))
            });
        }
        build(config.max_prompt()).map_err(|error| match &config.window_note {
            Some(note) if build(config.max_positions).is_ok() => error.context(note.clone()),
            _ => error,
        })
    }
}

/// Prints the notes on the files on standard error, once for each run of the program.
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
