//! The tensors of a model, asked for by their Hugging Face names whatever file they lie in.
//! Safetensors and GGUF sit behind the same [`Weights::tensor`]; the decoder knows neither.

mod gguf;
mod names;
#[expect(unsafe_code, reason = "files are mapped into memory")]
mod safetensors;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use anyhow::Result;
use candle_core::{DType, Device, Error, Tensor};

pub use self::gguf::GgufFile;
use self::safetensors::SafetensorsFiles;
use crate::bad_input;

/// The opened weight files of one model. Nothing is read into memory until it is asked for;
/// several threads may ask at once.
pub struct Weights {
    source: Source,
}

enum Source {
    Safetensors(SafetensorsFiles),
    Gguf(GgufFile),
}

impl Weights {
    /// Opens one safetensors file, or all the shards of a model.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) naming the file that cannot be opened or parsed.
    pub fn open_safetensors(paths: &[PathBuf]) -> Result<Self> {
        let files = SafetensorsFiles::open(paths)?;
        Ok(Self {
            source: Source::Safetensors(files),
        })
    }

    /// Opens a GGUF file.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) naming the file and what is wrong with it.
    pub fn open_gguf(path: PathBuf) -> Result<Self> {
        let file = GgufFile::open(path)?;
        Ok(Self {
            source: Source::Gguf(file),
        })
    }

    /// The GGUF file behind these weights, for its metadata.
    pub fn gguf(&self) -> Option<&GgufFile> {
        match &self.source {
            Source::Gguf(file) => Some(file),
            Source::Safetensors(_) => None,
        }
    }

    /// Whether a tensor of this Hugging Face name exists.
    pub fn has(&self, name: &str) -> bool {
        match &self.source {
            Source::Safetensors(files) => files.holds(name),
            Source::Gguf(file) => names::gguf(name).is_some_and(|name| file.holds(&name)),
        }
    }

    /// Reads the tensor of a Hugging Face name (`model.layers.0.self_attn.q_proj.weight`) in the
    /// Hugging Face layout, quantised blocks expanded, as `dtype` on `device`.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) naming file, tensor, what was found and expected.
    pub fn tensor(
        &self,
        name: &str,
        shape: &[usize],
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        match &self.source {
            Source::Safetensors(files) => files.tensor(name, shape, dtype, device),
            Source::Gguf(file) => {
                let Some(gguf_name) = names::gguf(name) else {
                    return Err(bad_input!(
                        "{}: no GGUF tensor corresponds to {name}",
                        file.name()
                    ));
                };
                let tensor = file.tensor(&gguf_name, shape)?;
                Ok(tensor.to_device(device)?.to_dtype(dtype)?)
            }
        }
    }
}

/// What a candle error says, in one line: without the path, which the caller names, and the backtrace, which
/// candle puts into the text where `RUST_BACKTRACE` is set.
pub(super) fn cause(error: Error) -> String {
    match error {
        Error::WithPath { inner, .. } | Error::WithBacktrace { inner, .. } => cause(*inner),
        other => other.to_string().replace('\n', ": "),
    }
}
