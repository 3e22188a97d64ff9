//! One file of a GGUF model: what lies in it is checked when it is opened, and tensors are read and widened one by one.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use candle_core::Device;
use candle_core::quantized::ggml_file::qtensor_from_ggml;
use candle_core::quantized::gguf_file::{Content, TensorInfo, Value};
use rayon::prelude::*;

use super::header;
use crate::bad_input;
use crate::files;

/// How many files a model is split into.
const SPLIT_COUNT: &str = "split.count";

/// Rows dequantised as one unit of work: about this many elements.
pub(in crate::model::weights) const CHUNK: usize = 1 << 18;

pub(super) struct Part {
    pub path: PathBuf,
    /// The path as error texts name it.
    pub name: String,
    pub content: Content,
}

impl Part {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let (content, length) = header::of_file(path)?;
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
    pub(super) fn check_split(&self, index: usize, count: usize) -> Result<()> {
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

    pub(super) fn bytes(&self, name: &str, info: &TensorInfo) -> Result<Vec<u8>> {
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
    pub(super) fn dequantise(
        &self,
        name: &str,
        info: &TensorInfo,
        bytes: &[u8],
    ) -> Result<Vec<f32>> {
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
