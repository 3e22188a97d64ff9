//! (being written)

pub mod config;
pub mod rope;
pub mod weights;
