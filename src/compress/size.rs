//! How small a method is asked to make a cache.

use super::solve::{Curve, solve};

/// Of `retention` and a method's own knobs, the one that is given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    /// Measured bytes over those of the dense cache.
    Retention(f64),
    /// Entries per query head and layer, on average.
    Budget(usize),
    /// The knob itself.
    Knob(f64),
}

impl Size {
    /// The knob that gives this size on a prompt of `len` tokens, whose cache is as large as the curve says.
    ///
    /// # Errors
    /// A retention that the method cannot reach.
    pub fn knob(self, curve: &Curve<'_>, len: usize, bytes_dense: u64) -> anyhow::Result<f64> {
        match self {
            Self::Retention(target) => solve(curve, target, bytes_dense),
            Self::Budget(entries) => Ok((entries as f64 / len as f64).min(1.0)),
            Self::Knob(knob) => Ok(knob),
        }
    }
}
