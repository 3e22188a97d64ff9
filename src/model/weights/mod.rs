//! The tensors of a model, asked for by their Hugging Face names whatever file they lie in.
//! Safetensors and GGUF sit behind the same [`Weights::tensor`]; the decoder knows neither.

#[cfg(test)]
mod damage;
mod finite;
mod gguf;
mod names;
mod safetensors;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::Result;
use candle_core::{DType, Device, Tensor};

pub use self::gguf::{GgufFile, ROPE_DIVISORS, metadata as gguf_metadata};
use self::safetensors::SafetensorsFiles;

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

    /// Opens a GGUF file, or all the parts of one, the first of them first.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) naming the file and what is wrong with it.
    pub fn open_gguf(paths: &[PathBuf]) -> Result<Self> {
        let file = GgufFile::open(paths)?;
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
        let stored = self.stored(name);
        match &self.source {
            Source::Safetensors(files) => files.holds(&stored),
            Source::Gguf(file) => file.holds(&stored),
        }
    }

    /// The name in the file of a tensor of this Hugging Face name, whether it is there or not.
    pub fn stored(&self, name: &str) -> String {
        let stored = match &self.source {
            Source::Safetensors(files) => names::without_head(name)
                .filter(|short| !files.holds(name) && files.holds(short))
                .map(str::to_owned),
            Source::Gguf(_) => names::gguf(name),
        };
        stored.unwrap_or_else(|| name.to_owned())
    }

    /// The path of the file that holds a tensor, by its name in the file; of the first file where none does.
    pub fn file_of(&self, stored: &str) -> String {
        match &self.source {
            Source::Safetensors(files) => files.file_of(stored).display().to_string(),
            Source::Gguf(file) => file.file_of(stored).to_owned(),
        }
    }

    /// Tensors beside `used`, by their names in the files, ascending.
    pub fn beside(&self, used: &HashSet<String>) -> Vec<String> {
        let mut names: Vec<String> = match &self.source {
            Source::Safetensors(files) => files.tensors().map(str::to_owned).collect(),
            Source::Gguf(file) => file.tensors().map(str::to_owned).collect(),
        };
        names.retain(|name| !used.contains(name));
        names.sort_unstable();
        names
    }

    /// Checks that [`Weights::tensor`] would find a tensor of this shape, in a type that is read.
    ///
    /// # Errors
    /// As [`Weights::tensor`].
    pub fn check(&self, name: &str, shape: &[usize]) -> Result<()> {
        let stored = self.stored(name);
        match &self.source {
            Source::Safetensors(files) => files.check(&stored, shape),
            Source::Gguf(file) => file.check(&stored, shape),
        }
    }

    /// Reads the tensor of a Hugging Face name (`model.layers.0.self_attn.q_proj.weight`) in the
    /// Hugging Face layout, quantised blocks expanded, as `dtype` on `device`.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) naming file, tensor, what was found and expected; so for an element that is
    /// not finite.
    pub fn tensor(
        &self,
        name: &str,
        shape: &[usize],
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let stored = self.stored(name);
        let values = match &self.source {
            Source::Safetensors(files) => files.values(&stored, shape)?,
            Source::Gguf(file) => file.values(&stored, shape)?,
        };
        finite::check(&values, shape, || {
            format!("{}: tensor {stored}", self.file_of(&stored))
        })?;
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
        Ok(tensor.to_device(device)?.to_dtype(dtype)?)
    }
}
