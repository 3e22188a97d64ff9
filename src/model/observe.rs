//! What compressors need to see of a prefill besides its cache, gathered layer by layer while it runs.

use std::sync::Arc;

use crate::cache::{DenseKv, Geometry, LayerCache, Rows, StoreType};

/// What is gathered in a prefill; the union of what the methods of a run need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Observe {
    /// Queries of this many last tokens are kept.
    pub window: usize,
}

impl Observe {
    pub fn union(self, other: Self) -> Self {
        Self {
            window: self.window.max(other.window),
        }
    }
}

/// One layer after a prefill.
pub struct PrefilledLayer {
    /// The dense cache, keys rotated; shared with every cell that holds it whole.
    pub kv: Arc<DenseKv>,
    /// Keys before RoPE, per KV head `[len, head_dim]`.
    pub unrotated_keys: Vec<Rows>,
    /// Rotated queries of the last `window` tokens, `[window, heads, head_dim]`.
    pub queries: Vec<f32>,
}

/// A dense prefill of one prompt: what every cell of a sample starts from.
pub struct Prefilled {
    pub geometry: Geometry,
    pub store: StoreType,
    pub layers: Vec<PrefilledLayer>,
    /// Tokens of the prompt.
    pub len: usize,
    /// Logits of its last position, `[vocab]`.
    pub logits: Vec<f32>,
}

impl Prefilled {
    /// Bytes of the dense KV-head cache in the storage type: what retention divides by.
    pub fn bytes_dense(&self) -> u64 {
        self.layers
            .iter()
            .map(|layer| layer.kv.footprint().bytes())
            .sum()
    }
}

/// Gathers while a prefill runs.
pub(super) struct Observer {
    observe: Observe,
    layers: Vec<Observed>,
}

struct Observed {
    unrotated_keys: Vec<Rows>,
    queries: Vec<f32>,
}

impl Observer {
    pub fn new(observe: Observe, geometry: Geometry, store: StoreType, len: usize) -> Self {
        let layer = || Observed {
            unrotated_keys: (0..geometry.kv_heads)
                .map(|_| Rows::with_capacity(geometry.head_dim, store, len))
                .collect(),
            queries: Vec::new(),
        };
        Self {
            observe,
            layers: (0..geometry.layers).map(|_| layer()).collect(),
        }
    }

    /// `keys`: `[n, kv_heads, head_dim]` before RoPE; `queries`: `[n, heads, head_dim]` rotated, `width` a token.
    pub fn see(&mut self, layer: usize, keys: &[f32], queries: &[f32], width: usize) {
        let observed = &mut self.layers[layer];
        let d = observed.unrotated_keys[0].dim();
        let heads = observed.unrotated_keys.len();
        for token in keys.chunks_exact(heads * d) {
            for (rows, key) in observed
                .unrotated_keys
                .iter_mut()
                .zip(token.chunks_exact(d))
            {
                rows.push(key);
            }
        }
        let wanted = self.observe.window * width;
        observed
            .queries
            .extend_from_slice(&queries[queries.len().saturating_sub(wanted)..]);
        let surplus = observed.queries.len().saturating_sub(wanted);
        observed.queries.drain(..surplus);
    }

    pub fn finish(self, caches: Vec<LayerCache>) -> Vec<PrefilledLayer> {
        caches
            .into_iter()
            .zip(self.layers)
            .map(|(cache, observed)| PrefilledLayer {
                kv: Arc::new(cache.into_tail()),
                unrotated_keys: observed.unrotated_keys,
                queries: observed.queries,
            })
            .collect()
    }
}
