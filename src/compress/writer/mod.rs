//! Writers: the forms that keys and values of a prompt can be written in. Each goes with any selection of entries.

mod codebook;
mod int8;
mod whole;
mod write;

pub(super) use codebook::{CodebookWriter, Scope};
pub use whole::WholeWriter;
pub use write::{Measured, SideView, Writer, WriterEntry, WriterPlan, Written};

use anyhow::Result;

use crate::bad_input;
use crate::store::Side;

/// Every writer that `keys-as` and `values-as` accept.
pub const WRITERS: [WriterEntry; 3] = [whole::ENTRY, codebook::ENTRY, int8::ENTRY];

/// Their names.
pub const NAMES: [&str; WRITERS.len()] = {
    let mut names = [""; WRITERS.len()];
    let mut i = 0;
    while i < names.len() {
        names[i] = WRITERS[i].name;
        i += 1;
    }
    names
};

/// The writer `name`, with its default settings.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) for a name that is not known.
pub fn make(name: &str, side: Side) -> Result<Box<dyn Writer>> {
    let entry = WRITERS.iter().find(|entry| entry.name == name);
    let entry = entry.ok_or_else(|| {
        bad_input!(
            "form \"{name}\" is not known, expected {}",
            NAMES.join(", ")
        )
    })?;
    Ok((entry.make)(side))
}
