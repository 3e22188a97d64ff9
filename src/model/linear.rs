//! A linear layer that is applied to one long sequence or to one token of each of many.

use candle_core::{Device, Result, Tensor};

use super::row_matmul::row_matmul;

/// What the rows of an activation are. It decides which product is used, never how many rows there are: so a
/// result does not depend on what else is in the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// Successive tokens of one sequence.
    Sequence,
    /// One token each of independent sequences.
    Batch,
}

/// `y = x w^T + b`; weight `[out, in]`.
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// `x`: `[rows, in]`; returns `[rows, out]`.
    pub fn forward(&self, x: &Tensor, kind: RowKind) -> Result<Tensor> {
        let y = match (kind, x.device()) {
            (RowKind::Batch, Device::Cpu) => row_matmul(x, &self.weight)?,
            _ => x.matmul(&self.weight.t()?)?,
        };
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}
