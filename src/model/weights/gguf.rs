//! A GGUF file: its metadata, and its tensors dequantised into the Hugging Face layout.
//!
//! llama.cpp stores the query and key projections of the `llama` architecture with the rows of
//! each head interleaved for its own RoPE (`LlamaModel.permute` in `convert_hf_to_gguf.py`); they
//! are put back here, so that one half-split RoPE serves every file. Qwen2 and Qwen3 are stored as
//! they are.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use candle_core::quantized::ggml_file::qtensor_from_ggml;
use candle_core::quantized::gguf_file::{Content, TensorInfo, Value};
use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::cause;
use crate::bad_input;

/// An opened GGUF file whose tensors all lie within it.
pub struct GgufFile {
    path: PathBuf,
    /// The path as error texts name it.
    name: String,
    content: Content,
}

/// Rows dequantised as one unit of work: about this many elements.
pub(super) const CHUNK: usize = 1 << 18;

impl GgufFile {
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let name = path.display().to_string();
        let file = File::open(&path)
            .map_err(|e| bad_input!("{name}: {e}, expected a readable GGUF file"))?;
        let length = file
            .metadata()
            .with_context(|| format!("reading the length of {name}"))?
            .len();
        // candle's parser divides by `general.alignment` unchecked: a corrupt zero panics.
        let content = catch_unwind(AssertUnwindSafe(|| {
            Content::read(&mut BufReader::with_capacity(1 << 20, file))
        }))
        .map_err(|_| bad_input!("{name}: corrupt metadata, expected a valid GGUF file"))?
        .map_err(|e| {
            let cause = cause(e);
            bad_input!("{name}: {cause} (file of {length} bytes), expected a complete GGUF file")
        })?;
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
            path,
            name,
            content,
        })
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path as text.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parsed header: metadata and tensor list.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The metadata value of a key.
    pub fn metadata(&self, key: &str) -> Option<&Value> {
        self.content.metadata.get(key)
    }

    /// Whether a tensor of this GGUF name exists.
    pub fn holds(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// The shape of a tensor by its GGUF name, rows first.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        Some(self.content.tensor_infos.get(name)?.shape.dims())
    }

    /// All elements of a tensor by its GGUF name, in f32, in the order of the file.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if there is no such tensor or it cannot be read.
    pub fn vector(&self, name: &str) -> Result<Vec<f32>> {
        let info = self.info(name)?;
        let bytes = self.bytes(name, info)?;
        self.dequantise(name, info, &bytes)
    }

    /// Reads a tensor by its GGUF name as f32 on the CPU, in the Hugging Face layout.
    pub(super) fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let info = self.info(name)?;
        if info.shape.dims() != shape {
            return Err(bad_input!(
                "{}: tensor {name} has shape {:?}, expected {shape:?}",
                self.name,
                info.shape.dims()
            ));
        }
        let mut bytes = self.bytes(name, info)?;
        if let Some(heads) = self.interleaved_heads(name)? {
            bytes = self.half_split(name, &bytes, shape[0], heads)?;
        }
        let values = self.dequantise(name, info, &bytes)?;
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }

    fn info(&self, name: &str) -> Result<&TensorInfo> {
        self.content
            .tensor_infos
            .get(name)
            .ok_or_else(|| bad_input!("{}: tensor {name} is missing", self.name))
    }

    fn bytes(&self, name: &str, info: &TensorInfo) -> Result<Vec<u8>> {
        let read = || -> std::io::Result<Vec<u8>> {
            // A handle of its own, so that threads do not share a file position.
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(
                self.content.tensor_data_offset + info.offset,
            ))?;
            let mut bytes = vec![0; byte_len(info).unwrap_or(0)];
            file.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        read().with_context(|| format!("reading tensor {name} of {}", self.name))
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
                self.name,
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
                self.name
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
