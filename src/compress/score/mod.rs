//! Scores of entries, one file each. Higher scores are kept.

mod age;
mod attention;
mod column_sums;
mod key_norm;
mod normalisation;
mod random;
mod window;

use std::fmt::Debug;

pub use age::{Earliest, Latest};
pub use attention::add_attention;
pub use column_sums::ColumnSums;
pub use key_norm::{KeyNorm, key_norms};
pub use normalisation::Normalisation;
pub use random::Random;
pub use window::{WindowAttention, WindowShape, window_attention};

use super::group::Grouping;
use super::view::LayerView;
use crate::model::observe::Observe;

/// A score of the entries of one layer.
pub trait Score: Debug + Send + Sync {
    /// What it needs to see of the prefill.
    fn observes(&self) -> Observe {
        Observe::default()
    }

    /// How the scores of the query heads of a group become rankings. None if each KV head has one row of scores.
    fn grouping(&self) -> Option<Grouping> {
        None
    }

    /// Scores of the first `n` entries of one KV head: `[group, n]` where query heads have their own, else `[n]`.
    fn scores(&self, kv_head: usize, n: usize, layer: LayerView<'_>) -> Vec<f32>;

    /// Smooths a row of scores, `[n]`, along the sequence, after grouping.
    fn smooth(&self, row: &[f32]) -> Vec<f32> {
        row.to_vec()
    }

    /// Number of entries that have the highest possible score on any prompt.
    fn always(&self) -> usize {
        0
    }
}
