//! spindle compares KV-cache compression methods on real models.
//!
//! Data flows one way, and a module uses only those before it:
//!
//! `source` (files of a model) -> `model` and `cache` (one decoder, pluggable caches) -> `compress`
//! (methods) -> `generate` (prefill once, decode cells together) -> `dataset` (texts as tokens) ->
//! `task` (samples and metrics) -> `experiment` (TOML to cells) -> `run` (the loop) -> `record` (CSV)
//! -> `report`, `plot`.

pub mod cache;
pub mod compress;
pub mod dataset;
pub mod error;
pub mod generate;
pub mod model;
pub mod plot;
pub mod record;
pub mod report;
pub mod source;
pub mod task;
