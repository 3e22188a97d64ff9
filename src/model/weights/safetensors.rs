//! Safetensors files, memory-mapped.

use std::collections::HashMap;
use std::path::PathBuf;

use anyhow::Result;
use candle_core::safetensors::{Load, MmapedSafetensors};
use candle_core::{DType, Device, Tensor};

use super::cause;
use crate::bad_input;

pub(super) struct SafetensorsFiles {
    files: Vec<(String, MmapedSafetensors)>,
    /// Which file holds a tensor.
    place: HashMap<String, usize>,
}

impl SafetensorsFiles {
    pub(super) fn open(paths: &[PathBuf]) -> Result<Self> {
        let mut files: Vec<(String, MmapedSafetensors)> = Vec::with_capacity(paths.len());
        let mut place = HashMap::new();
        for (index, path) in paths.iter().enumerate() {
            let name = path.display().to_string();
            // SAFETY: mapping a file is unsound only if another process rewrites it meanwhile;
            // model files are written once.
            let file = unsafe { MmapedSafetensors::new(path) }.map_err(|e| {
                let cause = cause(e);
                bad_input!("{name}: {cause}, expected a complete and readable safetensors file")
            })?;
            for (tensor, _) in file.tensors() {
                if let Some(other) = place.insert(tensor.clone(), index) {
                    return Err(bad_input!(
                        "{name}: tensor {tensor} is also in {}, expected each tensor once",
                        files[other].0
                    ));
                }
            }
            files.push((name, file));
        }
        Ok(Self { files, place })
    }

    pub(super) fn holds(&self, name: &str) -> bool {
        self.place.contains_key(name)
    }

    /// The name of the file that holds a tensor.
    pub(super) fn file_of(&self, name: &str) -> &str {
        let index = self.place.get(name);
        index.map_or("", |&index| &self.files[index].0)
    }

    pub(super) fn tensor(
        &self,
        name: &str,
        shape: &[usize],
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let Some((file, tensors)) = self.place.get(name).map(|&index| &self.files[index]) else {
            let files: Vec<&str> = self.files.iter().map(|(name, _)| name.as_str()).collect();
            return Err(bad_input!(
                "{}: tensor {name} is missing, expected it with shape {shape:?}",
                files.join(", ")
            ));
        };
        let view = tensors.get(name)?;
        if view.shape() != shape {
            return Err(bad_input!(
                "{file}: tensor {name} has shape {:?}, expected {shape:?}",
                view.shape()
            ));
        }
        match DType::try_from(view.dtype()) {
            Ok(DType::F32 | DType::F16 | DType::BF16) => {}
            _ => {
                return Err(bad_input!(
                    "{file}: tensor {name} has element type {:?}, expected F32, F16 or BF16",
                    view.dtype()
                ));
            }
        }
        Ok(view.load(device)?.to_dtype(dtype)?)
    }
}
