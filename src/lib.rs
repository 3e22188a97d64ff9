//! spindle compares KV-cache compression methods on real models.
//!
//! Data flows one way, and a module uses only those before it, which `tests/library/structure.rs` checks:
//!
//! `error`, `profile`, `terminal`, `layout`, `memory`, `disk`, `files`, `archive`, `guard`, `typed`, `toml_text` (what is bad input,
//! what took how long, what is printed and how wide, what fits, what is read, what may panic) -> `kernel` (arithmetic over
//! slices) -> `source` (files of a model) -> `store` (what a cache holds), `attend` (how it is attended to), `model`, `load`
//! (one decoder) -> `compress` (methods) -> `generate` (prefill once, decode cells together) -> `dataset`, `task` (samples
//! and metrics) -> `experiment` (TOML to cells) -> `record` (CSV) -> `run` (the loop) -> `report`, `inspect` (facts of one
//! prompt), `plot`;
//! `cli` and `cmd` are the program around it.

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
