//! How a cache is made smaller: scores, budgets, selection and codebooks as pure functions over plain slices.

pub mod budget;
pub mod codebook;
pub mod group;
mod matmul;
pub mod pool;
pub mod score;
pub mod select;
