//! A GGUF file: its metadata, and its tensors dequantised into the Hugging Face layout.
//!
//! llama.cpp stores the query and key projections of the `llama` architecture with the rows of
//! each head interleaved for its own RoPE (`LlamaModel.permute` in `convert_hf_to_gguf.py`); they
//! are put back here, so that one half-split RoPE serves every file. Qwen2 and Qwen3 are stored as
//! they are.

mod header;
mod types;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use candle_core::Device;
use candle_core::quantized::ggml_file::qtensor_from_ggml;
use candle_core::quantized::gguf_file::{Content, TensorInfo, Value};
use rayon::prelude::*;

use crate::bad_input;
use crate::files;

/// What llama.cpp stores the divisors of the RoPE frequencies in.
pub const ROPE_DIVISORS: &str = "rope_freqs.weight";
/// How many files a model is split into.
const SPLIT_COUNT: &str = "split.count";

/// An opened GGUF file, in one part or in several, whose tensors all lie within it.
pub struct GgufFile {
    /// The first holds the metadata.
    parts: Vec<Part>,
    /// Which part holds a tensor.
    place: HashMap<String, usize>,
}

struct Part {
    path: PathBuf,
    /// The path as error texts name it.
    name: String,
    content: Content,
}

/// Rows dequantised as one unit of work: about this many elements.
pub(super) const CHUNK: usize = 1 << 18;

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

    /// Where the file lies, of several parts the first.
    pub fn path(&self) -> &Path {
        &self.parts[0].path
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

impl Part {
    fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file = files::open(path)?;
        let length = file
            .metadata()
            .with_context(|| format!("reading the length of {name}"))?
            .len();
        let content = header::read(BufReader::with_capacity(1 << 20, file), length, &name)?;
        for (tensor, info) in &content.tensor_infos {
            let end = byte_len(info)
                .and_then(|bytes| info.offset.checked_add(bytes as u64))
                .and_then(|end| end.checked_add(content.tensor_data_offset));
            match end {
                Some(end) if end <= length => {}
                Some(end) => {
                    return Err(bad_input!(
                        "{name}: truncated: tensor {tensor} ends at byte {end}, the file has \
                         {length} bytes"
                    ));
                }
                None => {
                    return Err(bad_input!(
                        "{name}: corrupt: tensor {tensor} has shape {:?}, expected a whole number \
                         of {:?} blocks within the file",
                        info.shape.dims(),
                        info.ggml_dtype
                    ));
                }
            }
        }
        Ok(Self {
            path: path.to_owned(),
            name,
            content,
        })
    }

    /// That this is part `index` of `count`, as its metadata says.
    fn check_split(&self, index: usize, count: usize) -> Result<()> {
        for (key, expected, unsplit) in [(SPLIT_COUNT, count, 1), ("split.no", index, 0)] {
            let found = match self.content.metadata.get(key) {
                None => unsplit,
                Some(value) => match value {
                    Value::I32(n) => usize::try_from(*n).unwrap_or(usize::MAX),
                    other => other.to_u64().map_or(usize::MAX, |n| n as usize),
                },
            };
            // A file that is not split may say that it is the one of none.
            if found != expected && !(key == SPLIT_COUNT && found == 0 && count == 1) {
                return Err(bad_input!(
                    "{}: {key} is {found}, expected {expected}: parts are named NAME-00001-of-0000N.gguf, \
                     and split.no counts from 0",
                    self.name
                ));
            }
        }
        Ok(())
    }

    fn bytes(&self, name: &str, info: &TensorInfo) -> Result<Vec<u8>> {
        let read = || -> Result<Vec<u8>> {
            // A handle of its own, so that threads do not share a file position.
            let mut file = files::open(&self.path)?;
            file.seek(SeekFrom::Start(
                self.content.tensor_data_offset + info.offset,
            ))?;
            let mut bytes = vec![0; byte_len(info).unwrap_or(0)];
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        read().map_err(|error| {
            bad_input!(
                "{}: tensor {name} cannot be read: {error}; has the file changed since it was opened?",
                self.name
            )
        })
    }

    /// Expands stored blocks, in chunks over all cores.
    fn dequantise(&self, name: &str, info: &TensorInfo, bytes: &[u8]) -> Result<Vec<f32>> {
        let block = info.ggml_dtype.block_size();
        let blocks = CHUNK / block;
        let mut values = vec![0f32; info.shape.elem_count()];
        values
            .par_chunks_mut(blocks * block)
            .zip(bytes.par_chunks(blocks * info.ggml_dtype.type_size()))
            .try_for_each(|(out, bytes)| -> candle_core::Result<()> {
                let chunk =
                    qtensor_from_ggml(info.ggml_dtype, bytes, vec![out.len()], &Device::Cpu)?
                        .dequantize(&Device::Cpu)?;
                out.copy_from_slice(&chunk.to_vec1::<f32>()?);
                Ok(())
            })
            .with_context(|| format!("dequantising tensor {name} of {}", self.name))?;
        Ok(values)
    }
}

/// Bytes that a tensor occupies; `None` if its shape overflows or splits a block.
fn byte_len(info: &TensorInfo) -> Option<usize> {
    let elements = info
        .shape
        .dims()
        .iter()
        .try_fold(1usize, |product, dim| product.checked_mul(*dim))?;
    let row = info.shape.dims().last().copied().unwrap_or(1);
    let block = info.ggml_dtype.block_size();
    if !row.is_multiple_of(block) {
        return None;
    }
    (elements / block).checked_mul(info.ggml_dtype.type_size())
}
