//! spindle compares KV-cache compression methods on real models.
//!
//! Data flows one way. A module uses only those before it in this list, which `tests/library/structure.rs` checks:
//!
//! - `error`, `profile`, `terminal`, `layout`, `memory`, `disk`, `files`, `archive`, `guard`, `typed`, `toml_text`:
//!   errors, timing, printing, limits of memory and disk, reading of files, panics
//! - `kernel`: arithmetic over slices
//! - `source`: the files of a model
//! - `store`, `attend`, `model`, `load`: the cache, attention to it, and one decoder
//! - `compress`: the methods
//! - `generate`: one prefill, compressed for every cell; caches decoded together
//! - `dataset`, `task`: samples and metrics
//! - `experiment`: TOML to cells
//! - `record`: rows of CSV
//! - `run`: the loop over samples
//! - `report`, `inspect`, `plot`: tables, facts of one prompt, figures
//! - `cli`, `cmd`: the program around it

mod archive;
pub mod attend;
pub mod cli;
pub mod cmd;
pub mod compress;
pub mod dataset;
mod disk;
pub mod error;
pub mod experiment;
pub mod files;
pub mod generate;
pub mod guard;
mod inspect;
pub mod kernel;
mod layout;
pub mod load;
mod memory;
pub mod model;
pub mod plot;
mod profile;
pub mod record;
pub mod report;
mod run;
pub mod source;
pub mod store;
pub mod task;
pub mod terminal;
mod toml_text;
mod typed;
