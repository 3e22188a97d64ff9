//! Safetensors files, read tensor by tensor: a mapped file that another process cuts short would end the program.

use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Result;
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::bad_input;
use crate::files;
use crate::typed;

/// Bytes of a header. Those of the largest models have some hundred thousand.
const LONGEST_HEADER: u64 = 1 << 25;
/// Bytes read and widened at a time.
const PIECE: usize = 1 << 20;

pub(super) struct SafetensorsFiles {
    files: Vec<OpenFile>,
    /// Which file holds a tensor.
    place: HashMap<String, usize>,
}

struct OpenFile {
    path: PathBuf,
    header: Metadata,
    /// Where the tensors begin.
    start: u64,
}

impl SafetensorsFiles {
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut files: Vec<OpenFile> = Vec::with_capacity(paths.len());
        let mut place = HashMap::new();
        for (index, path) in paths.iter().enumerate() {
            let file = OpenFile::new(path)?;
            for tensor in file.header.offset_keys() {
                if let Some(other) = place.insert(tensor.clone(), index) {
                    return Err(bad_input!(
                        "{}: tensor {tensor} is also in {}, expected each tensor once",
                        path.display(),
                        paths[other].display()
                    ));
                }
            }
            files.push(file);
        }
        Ok(Self { files, place })
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        self.place.contains_key(name)
    }

    /// Names of all tensors.
    pub(super) fn tensors(&self) -> impl Iterator<Item = &str> {
        self.place.keys().map(String::as_str)
    }

    /// The file of a tensor, or the first for one that is in none.
    pub(super) fn file_of(&self, name: &str) -> &Path {
        let index = self.place.get(name).copied().unwrap_or_default();
        self.files
            .get(index)
            .map_or(Path::new(""), |file| &file.path)
    }

    /// That a tensor is there with this shape, in a type that is read.
    pub(super) fn check(&self, name: &str, shape: &[usize]) -> Result<()> {
        self.find(name, shape).map(|_| ())
    }

    fn find(&self, name: &str, shape: &[usize]) -> Result<(&OpenFile, &TensorInfo)> {
        let found = self.place.get(name).and_then(|&index| {
            let file = &self.files[index];
            Some((file, file.header.info(name)?))
        });
        let Some((file, info)) = found else {
            let files = self
                .files
                .iter()
                .map(|file| file.path.display().to_string());
            return Err(bad_input!(
                "{}: tensor {name} is missing, expected it with shape {shape:?}",
                files.collect::<Vec<_>>().join(", ")
            ));
        };
        if info.shape != shape {
            return Err(bad_input!(
                "{}: tensor {name} has shape {:?}, expected {shape:?}",
                file.path.display(),
                info.shape
            ));
        }
        match info.dtype {
            Dtype::F32 | Dtype::F16 | Dtype::BF16 => Ok((file, info)),
            other => Err(bad_input!(
                "{}: tensor {name} has element type {other:?}, expected F32, F16 or BF16",
                file.path.display()
            )),
        }
    }

    /// All elements of a tensor, in f32.
    pub(super) fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let (file, info) = self.find(name, shape)?;
        file.values(name, info)
    }
}

impl OpenFile {
    fn new(path: &Path) -> Result<Self> {
        let wrong = |what: &str| {
            bad_input!(
                "{}: {what}, expected a complete and readable safetensors file",
                path.display()
            )
        };
        let mut file = files::open(path)?;
        let length = file.metadata().map_or(0, |found| found.len());
        let mut size = [0; 8];
        file.read_exact(&mut size)
            .map_err(|_| wrong(&format!("only {length} bytes")))?;
        let size = u64::from_le_bytes(size);
        if size > LONGEST_HEADER.min(length.saturating_sub(8)) {
            return Err(wrong(&format!(
                "a header of {size} bytes in a file of {length}"
            )));
        }
        let mut text = vec![0; size as usize];
        file.read_exact(&mut text)
            .map_err(|error| wrong(&format!("its header cannot be read: {error}")))?;
        let header: Metadata = typed::json(&text)
            .map_err(|error| wrong(&format!("its header is damaged: {error}")))?;
        let start = 8 + size;
        match (header.data_len() as u64).checked_add(start) {
            Some(end) if end == length => {}
            _ => {
                return Err(wrong(&format!(
                    "its header tells of {} bytes of tensors, there are {}",
                    header.data_len(),
                    length - start
                )));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            header,
            start,
        })
    }

    /// The elements of a tensor of `find`, widened to f32.
    fn values(&self, name: &str, info: &TensorInfo) -> Result<Vec<f32>> {
        let (begin, end) = info.data_offsets;
        // A handle of its own, so that threads do not share a position in the file.
        let mut file = files::open(&self.path)?;
        let mut values = Vec::with_capacity(info.shape.iter().product());
        let mut read = || -> std::io::Result<()> {
            file.seek(SeekFrom::Start(self.start + begin as u64))?;
            let mut buffer = vec![0; PIECE.min(end - begin)];
            for at in (begin..end).step_by(PIECE) {
                let piece = &mut buffer[..PIECE.min(end - at)];
                file.read_exact(piece)?;
                widen(piece, info.dtype, &mut values);
            }
            Ok(())
        };
        read().map_err(|error| {
            bad_input!(
                "{}: tensor {name} cannot be read: {error}; has the file changed since it was opened?",
                self.path.display()
            )
        })?;
        Ok(values)
    }
}

/// Appends little-endian elements of a type that `find` lets pass.
fn widen(bytes: &[u8], dtype: Dtype, values: &mut Vec<f32>) {
    let halves = bytes.as_chunks::<2>().0.iter();
    match dtype {
        Dtype::F16 => values.extend(halves.map(|bytes| f16::from_le_bytes(*bytes).to_f32())),
        Dtype::BF16 => values.extend(halves.map(|bytes| bf16::from_le_bytes(*bytes).to_f32())),
        _ => {
            let words = bytes.as_chunks::<4>().0.iter();
            values.extend(words.map(|bytes| f32::from_le_bytes(*bytes)));
        }
    }
}
