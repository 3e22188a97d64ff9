//! Attention of new tokens to the entries of a layer. `host` computes it on the processor in the stored forms. `plain`
//! decodes every entry; tests compare `host` with it.

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

/// New tokens of one or several sequences in one layer, sequence after sequence. Nothing is rotated yet.
pub struct Batch<'a> {
    /// Queries before RoPE, `[m, heads * head_dim]`. `m` is the number of new tokens. In a batch of one sequence it may
    /// be less: then only the last `m` tokens attend.
    pub queries: &'a Tensor,
    /// Keys before RoPE, `[n, kv_heads * head_dim]`, for `n` new tokens over all sequences.
    pub keys: &'a Tensor,
    /// Values, `[n, kv_heads * head_dim]`.
    pub values: &'a Tensor,
    /// For each sequence, which of the `n` tokens are its own.
    pub spans: &'a [Range<usize>],
    /// Position of each token in its text, `[n]`, ascending within a sequence.
    pub positions: &'a [usize],
    /// Whether the tokens are given or were just generated. It sets the order of the arithmetic.
    pub pass: Pass,
}

/// The result of a batch.
pub struct Attended {
    /// Attention output of each query, `[m, heads * head_dim]`.
    pub output: Tensor,
    /// For each sequence, the first value found that is not finite, or that its cache cannot hold.
    pub faults: Vec<Option<Fault>>,
}

/// An implementation of attention.
pub trait Attention: Send + Sync {
    /// Appends the new tokens of each sequence to its layer and attends their queries causally to all entries held. If
    /// `drawn` is given, adds to it the attention that each entry draws, per query head; the batch must then be one
    /// sequence.
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
