//! How a cache is made smaller. `method` says what a method is, `methods` names them, `view` is what they see of a
//! prefill; `eviction` and `coding` are what they are made of, from scores, budgets, selection and codebooks as pure
//! functions over plain slices; `solve` meets an exact size, `ratio` is the paper's own account of one.

pub mod budget;
pub mod codebook;
pub mod coding;
pub mod draws;
pub mod eviction;
pub mod group;
pub mod learn;
pub mod merge;
pub mod method;
pub mod methods;
pub mod pool;
pub mod ranking;
pub mod ratio;
pub mod score;
pub mod select;
pub mod settings;
pub mod size;
pub mod solve;
pub mod view;
