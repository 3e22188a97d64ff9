//! Weights that are not finite: a damaged file, or one narrowed to a type that could not hold it.

use anyhow::Result;
use candle_core::{DType, Device, Storage, Tensor};

use crate::bad_input;
use crate::kernel::first_beyond;

/// Elements looked at together.
const CHUNK: usize = 1 << 14;

/// That every element of `tensor` is finite; `what` names its file and itself.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) with the place of the first that is not.
pub(super) fn check(tensor: &Tensor, what: impl Fn() -> String) -> Result<()> {
    let host = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?;
    let host = host.contiguous()?;
    let (storage, layout) = host.storage_and_layout();
    let (Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets())
    else {
        anyhow::bail!("{}: expected elements on the host in one piece", what());
    };
    let elements = &storage.as_slice::<f32>()?[start..end];
    let Some(chunk) = first_beyond(elements, CHUNK, f32::INFINITY) else {
        return Ok(());
    };
    let rest = &elements[chunk * CHUNK..];
    let at = rest.iter().position(|x| !x.is_finite()).unwrap_or(0);
    Err(bad_input!(
        "{}: element {} of shape {:?} is {}, expected finite weights",
        what(),
        chunk * CHUNK + at,
        tensor.dims(),
        rest[at]
    ))
}
