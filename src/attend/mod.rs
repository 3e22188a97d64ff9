//! How new tokens attend to what a layer holds. `host` does it on the processor, in the stored forms; `plain` reads every
//! entry back and is what tests compare with.

mod host;
mod keys;
mod lanes;
mod plain;
pub mod rope;
mod rule;
mod scratch;
mod sequence;
mod softmax;
mod state;
mod step;
mod tokens;

use std::ops::Range;

use candle_core::{Result, Tensor};

pub use host::{Host, attend_held};
pub use plain::{Plain, held};
pub use rule::{Pass, Rule};

use crate::store::{Fault, LayerStore};

/// New tokens of one or several sequences in one layer, sequence after sequence, none of them rotated.
pub struct Batch<'a> {
    /// `[m, heads * head_dim]`: of all tokens or, of a single sequence, of its last ones, where no more are to attend.
    pub queries: &'a Tensor,
    /// `[n, kv_heads * head_dim]`, as are the values.
    pub keys: &'a Tensor,
    pub values: &'a Tensor,
    /// The tokens of each sequence.
    pub spans: &'a [Range<usize>],
    /// Of each token, ascending within a sequence.
    pub positions: &'a [usize],
    pub pass: Pass,
}

/// What came of a batch.
pub struct Attended {
    /// `[m, heads * head_dim]`.
    pub output: Tensor,
    /// The first fault of each sequence.
    pub faults: Vec<Option<Fault>>,
}

/// A way to attend.
pub trait Attention: Send + Sync {
    /// Appends the new tokens of each sequence to its layer and attends their queries causally to all that it holds.
    /// The attention that each entry draws is added to `drawn`, for each query head, where it is asked for: in a batch
    /// of one sequence.
    ///
    /// # Errors
    /// If a tensor cannot be read or made.
    fn attend(
        &self,
        rule: &Rule,
        new: &Batch<'_>,
        layers: &mut [&mut LayerStore],
        drawn: Option<&mut [Vec<f32>]>,
    ) -> Result<Attended>;
}
