//! The norm of each key (Knorm).

use super::Score;
use crate::compress::view::LayerView;
use crate::kernel::norm;

/// Scores an entry higher the smaller the norm of its key.
#[derive(Debug)]
pub struct KeyNorm;

impl Score for KeyNorm {
    fn scores(&self, kv_head: usize, n: usize, layer: LayerView<'_>) -> Vec<f32> {
        let keys = layer.kv().keys(kv_head).to_f32();
        let norms = key_norms(&keys, layer.geometry().head_dim);
        norms[..n].iter().map(|norm| -norm).collect()
    }
}

/// Euclidean norms of `keys: [len, head_dim]`. Knorm (kvpress) scores an entry `-norm`, so it keeps low norms.
///
/// # Panics
/// When `keys` is not a whole number of vectors.
pub fn key_norms(keys: &[f32], head_dim: usize) -> Vec<f32> {
    assert!(
        keys.len().is_multiple_of(head_dim),
        "keys are [len, {head_dim}]"
    );
    keys.chunks_exact(head_dim).map(norm).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norms_are_euclidean() {
        assert_eq!(key_norms(&[3.0, 4.0, 0.0, 0.0], 2), [5.0, 0.0]);
    }
}
