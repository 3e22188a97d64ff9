//! The KV cache of a sequence. Every layer has runs of entries; a run has a form of keys and a form of values. A form
//! of keys, a form of values and a selection of entries can be combined freely.

mod blocks;
mod cache;
mod coded;
mod codewords;
mod entries;
mod fault;
mod footprint;
mod form;
mod indices;
mod layer;
mod rows;
mod run;
mod scratch;
mod whole;

pub use blocks::{SEQUENCE_BLOCK, STEP_BLOCK, blocks};
pub use cache::Cache;
pub use coded::{Coded, CodedRows};
pub use codewords::{Codewords, Joining};
pub use entries::{Entries, places, union};
pub use fault::{Fault, Wrong};
pub use footprint::{Bytes, Content, Footprint};
pub use form::{Form, Side, score_rows};
pub use indices::Indices;
pub use layer::{Decoded, Geometry, LayerStore};
pub use rows::{Rows, StoreType};
pub use run::{Part, Rotate, Run};
pub use scratch::{lend, room};
pub use whole::Whole;
