//! spindle compares KV-cache compression methods on real models.
//!
//! Data flows one way, and a module uses only those before it:
//!
//! `terminal`, `files`, `archive`, `memory`, `disk`, `guard` (what is printed, what is read, what fits, what may panic) ->
//! `kernel` (arithmetic over slices) -> `source` (files of a model) -> `model` and `cache` (one decoder, pluggable
//! caches) -> `compress` (methods) -> `generate` (prefill once, decode cells together) -> `dataset`, `task` (samples and
//! metrics) -> `experiment` (TOML to cells) -> `run` (the loop) -> `record` (CSV) -> `report`, `inspect` (facts of one
//! prompt), `plot`; `cli` and `cmd` are the program around it.

pub mod archive;
pub mod cache;
pub mod cli;
pub mod cmd;
pub mod compress;
pub mod dataset;
pub mod disk;
pub mod error;
pub mod experiment;
pub mod files;
pub mod generate;
pub mod guard;
pub mod inspect;
pub mod kernel;
pub mod load;
pub mod memory;
pub mod model;
pub mod plot;
pub mod profile;
pub mod record;
pub mod report;
pub mod run;
pub mod source;
pub mod task;
pub mod terminal;
