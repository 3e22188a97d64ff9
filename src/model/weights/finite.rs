//! Weights that are not finite: a damaged file, or one narrowed to a type that could not hold it.

use anyhow::Result;

use crate::bad_input;
use crate::kernel::first_beyond;

/// Elements looked at together.
const CHUNK: usize = 1 << 14;

/// That every element of a tensor of `shape` is finite; `what` names its file and itself.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) with the place of the first that is not.
pub(super) fn check(elements: &[f32], shape: &[usize], what: impl Fn() -> String) -> Result<()> {
    let Some(chunk) = first_beyond(elements, CHUNK, f32::INFINITY) else {
        return Ok(());
    };
    let rest = &elements[chunk * CHUNK..];
    let at = rest.iter().position(|x| !x.is_finite()).unwrap_or(0);
    Err(bad_input!(
        "{}: element {} of shape {shape:?} is {}, expected finite weights",
        what(),
        chunk * CHUNK + at,
        rest[at]
    ))
}
