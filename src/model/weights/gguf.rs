//! A GGUF file: its metadata, and its tensors dequantised into the Hugging Face layout.
//!
//! llama.cpp stores the query and key projections of the `llama` architecture with the rows of
//! each head interleaved for its own RoPE (`LlamaModel.permute` in `convert_hf_to_gguf.py`); they
//! are put back here, so that one half-split RoPE serves every file. Qwen2 and Qwen3 are stored as
//! they are.

mod header;
mod part;
mod types;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use anyhow::Result;
use candle_core::quantized::gguf_file::{Content, TensorInfo, Value};

use self::part::Part;
use crate::bad_input;

#[cfg(test)]
pub(super) use self::part::CHUNK;

/// What llama.cpp stores the divisors of the RoPE frequencies in.
pub const ROPE_DIVISORS: &str = "rope_freqs.weight";

/// An opened GGUF file, in one part or in several, whose tensors all lie within it.
pub struct GgufFile {
    /// The first holds the metadata.
    parts: Vec<Part>,
    /// Which part holds a tensor.
    place: HashMap<String, usize>,
}

/// The metadata of the GGUF file at `path`.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) naming the file and what is damaged.
pub fn metadata(path: &Path) -> Result<HashMap<String, Value>> {
    Ok(header::of_file(path)?.0.metadata)
}

impl GgufFile {
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut parts: Vec<Part> = Vec::with_capacity(paths.len());
        let mut place = HashMap::new();
        for (index, path) in paths.iter().enumerate() {
            let part = Part::open(path)?;
            part.check_split(index, paths.len())?;
            for tensor in part.content.tensor_infos.keys() {
                match place.entry(tensor.clone()) {
                    Entry::Vacant(free) => free.insert(index),
                    Entry::Occupied(taken) => {
                        return Err(bad_input!(
                            "{}: tensor {tensor} is also in {}, expected each tensor once",
                            part.name,
                            parts[*taken.get()].name
                        ));
                    }
                };
            }
            parts.push(part);
        }
        if parts.is_empty() {
            return Err(bad_input!("no GGUF file given, expected one or more"));
        }
        Ok(Self { parts, place })
    }

    /// The path as text.
    pub fn name(&self) -> &str {
        &self.parts[0].name
    }

    /// The parsed header of the first part: metadata and tensor list.
    pub fn content(&self) -> &Content {
        &self.parts[0].content
    }

    /// The metadata value of a key.
    pub fn metadata(&self, key: &str) -> Option<&Value> {
        self.content().metadata.get(key)
    }

    /// Whether a tensor of this GGUF name exists.
    pub fn holds(&self, name: &str) -> bool {
        self.place.contains_key(name)
    }

    /// GGUF names of all tensors.
    pub(super) fn tensors(&self) -> impl Iterator<Item = &str> {
        self.place.keys().map(String::as_str)
    }

    /// The path of the part that holds a tensor; of the first where none does.
    pub(super) fn file_of(&self, name: &str) -> &str {
        let index = self.place.get(name).copied().unwrap_or_default();
        &self.parts[index].name
    }

    /// The shape of a tensor by its GGUF name, rows first.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        let (_, info) = self.find(name).ok()?;
        Some(info.shape.dims())
    }

    /// All elements of a tensor by its GGUF name, in f32, in the order of the file.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if there is no such tensor or it cannot be read.
    pub fn vector(&self, name: &str) -> Result<Vec<f32>> {
        let (part, info) = self.find(name)?;
        let bytes = part.bytes(name, info)?;
        part.dequantise(name, info, &bytes)
    }

    /// That a tensor is there with this shape.
    pub(super) fn check(&self, name: &str, shape: &[usize]) -> Result<()> {
        self.find_shaped(name, shape).map(|_| ())
    }

    /// All elements of a tensor by its GGUF name, in f32, in the Hugging Face layout.
    pub(super) fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let (part, info) = self.find_shaped(name, shape)?;
        let mut bytes = part.bytes(name, info)?;
        if let Some(heads) = self.interleaved_heads(name)? {
            bytes = self.half_split(name, &bytes, shape[0], heads)?;
        }
        part.dequantise(name, info, &bytes)
    }

    fn find_shaped(&self, name: &str, shape: &[usize]) -> Result<(&Part, &TensorInfo)> {
        let (part, info) = self.find(name)?;
        match info.shape.dims() == shape {
            true => Ok((part, info)),
            false => Err(bad_input!(
                "{}: tensor {name} has shape {:?}, expected {shape:?}",
                part.name,
                info.shape.dims()
            )),
        }
    }

    fn find(&self, name: &str) -> Result<(&Part, &TensorInfo)> {
        let found = self.place.get(name).and_then(|&index| {
            let part = &self.parts[index];
            Some((part, part.content.tensor_infos.get(name)?))
        });
        found.ok_or_else(|| {
            let names: Vec<&str> = self.parts.iter().map(|part| part.name.as_str()).collect();
            bad_input!("{}: tensor {name} is missing", names.join(", "))
        })
    }

    /// The heads over which llama.cpp interleaved the rows of this tensor, if it did.
    fn interleaved_heads(&self, name: &str) -> Result<Option<usize>> {
        let is_llama = matches!(
            self.metadata("general.architecture"),
            Some(Value::String(architecture)) if architecture == "llama"
        );
        let keys: &[&str] = match name.rsplit('.').nth(1) {
            Some("attn_q") if is_llama => &["llama.attention.head_count"],
            // Without grouped queries llama.cpp may leave the second key out.
            Some("attn_k") if is_llama => &[
                "llama.attention.head_count_kv",
                "llama.attention.head_count",
            ],
            _ => return Ok(None),
        };
        let heads = keys.iter().find_map(|key| self.metadata(key));
        match heads.and_then(|value| value.to_u64().ok()) {
            Some(heads) => Ok(Some(heads as usize)),
            None => Err(bad_input!(
                "{}: {} is missing or not a whole number, expected the number of heads",
                self.name(),
                keys[0]
            )),
        }
    }

    /// Undoes the interleaving: within a head, row `2 i + j` goes to row `j * head_dim / 2 + i`.
    /// Works on the stored bytes, since quantised blocks never cross rows.
    fn half_split(&self, name: &str, bytes: &[u8], rows: usize, heads: usize) -> Result<Vec<u8>> {
        if heads == 0 || !rows.is_multiple_of(2 * heads) || !bytes.len().is_multiple_of(rows) {
            return Err(bad_input!(
                "{}: tensor {name} has {rows} rows, expected a multiple of twice its {heads} heads",
                self.name()
            ));
        }
        let half = rows / heads / 2;
        let row_bytes = bytes.len() / rows;
        let mut split = Vec::with_capacity(bytes.len());
        for head in bytes.chunks_exact(2 * half * row_bytes) {
            for j in 0..2 {
                for i in 0..half {
                    split.extend_from_slice(&head[(2 * i + j) * row_bytes..][..row_bytes]);
                }
            }
        }
        Ok(split)
    }
}
