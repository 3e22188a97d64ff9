//! Compression of caches. `method` defines what a method is, `methods` lists them, `view` is what they see of a
//! prefill. Most are a `recipe`: an `eviction` (by a `score` and a `budget`), and a `writer` each for keys and values.
//! `solve` meets an exact size; `ratio` computes the paper's own ratio.

pub mod budget;
pub mod choice;
pub mod codebook;
pub(crate) mod draws;
mod eviction;
pub mod group;
pub mod learning;
pub mod merge;
pub mod method;
pub mod methods;
pub mod pool;
mod ranking;
pub(crate) mod ratio;
mod recipe;
pub mod score;
pub mod select;
pub mod settings;
pub mod size;
pub mod solve;
pub mod view;
pub mod writer;
