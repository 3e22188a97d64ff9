//! What compressors need to see of a prefill besides its cache, gathered layer by layer while it runs.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::attend::{Batch, Rule};
use crate::store::{Geometry, LayerStore, Rows, Run, StoreType};

/// What is gathered in a prefill; the union of what the methods of a run need.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Observe {
    /// Queries of this many last tokens are kept.
    pub window: usize,
    /// The attention that each entry draws from all queries is added up: costs a second pass over the keys.
    pub column_sums: bool,
    /// Keys are also kept as they are before RoPE: half of a dense cache more.
    pub unrotated_keys: bool,
}

impl Observe {
    /// What serves both: the longer window, and whatever either asks for.
    pub fn union(self, other: Self) -> Self {
        Self {
            window: self.window.max(other.window),
            column_sums: self.column_sums || other.column_sums,
            unrotated_keys: self.unrotated_keys || other.unrotated_keys,
        }
    }
}

/// One layer after a prefill.
pub struct PrefilledLayer {
    /// Scale, soft cap, window and RoPE of its attention.
    pub rule: Rule,
    /// The dense cache, keys rotated; shared with every cell that holds it whole.
    pub kv: Arc<Run>,
    /// Keys before RoPE, per KV head `[len, head_dim]`; none where they were not asked for.
    pub unrotated_keys: Vec<Rows>,
    /// Queries of the last `window` tokens, not rotated, `[window, heads, head_dim]`.
    pub queries: Vec<f32>,
    /// Attention that each entry draws from all queries, per query head `[len]`; none where it was not asked for.
    pub column_sums: Vec<Vec<f32>>,
}

/// A dense prefill of one prompt: what every cell of a sample starts from.
pub struct Prefilled {
    /// Layers, heads and head dimension of the model.
    pub geometry: Geometry,
    /// What was gathered.
    pub observe: Observe,
    /// Element type of the cache and of keys before RoPE.
    pub store: StoreType,
    /// One for each layer of the model.
    pub layers: Vec<PrefilledLayer>,
    /// Token ids of the prompt.
    pub tokens: Vec<u32>,
    /// Tokens of the prompt.
    pub len: usize,
    /// Logits of its last position, `[vocab]`.
    pub logits: Vec<f32>,
}

impl Prefilled {
    /// Bytes of the dense KV-head cache in the storage type: what retention divides by.
    pub fn bytes_dense(&self) -> u64 {
        self.layers.iter().map(|layer| self.bytes_of(layer)).sum()
    }

    /// Bytes of one layer of it.
    pub fn bytes_of(&self, layer: &PrefilledLayer) -> u64 {
        layer.kv.footprint(1, self.geometry.kv_heads).bytes.total()
    }

    /// Bytes of what a method that observes this reads: the dense cache, and keys before RoPE where it asks for them.
    pub fn bytes_read(&self, observe: Observe) -> u64 {
        let unrotated = self.layers.iter().flat_map(|layer| &layer.unrotated_keys);
        let unrotated: u64 = unrotated
            .filter(|_| observe.unrotated_keys)
            .map(Rows::bytes)
            .sum();
        self.bytes_dense() + unrotated
    }
}

impl Prefilled {
    /// Returns how many leading tokens a prefill of `tokens` can take over from this one: the length of their common
    /// prefix, cut so that the last `window` tokens (1 at least) are processed again for their queries and logits.
    /// Returns 0 if `observe` or `store` differs from this prefill's, or if column sums are observed, which belong to
    /// the whole prompt.
    pub fn common(&self, tokens: &[u32], observe: Observe, store: StoreType) -> usize {
        if self.observe != observe || self.store != store || observe.column_sums {
            return 0;
        }
        let pairs = self.tokens.iter().zip(tokens);
        let common = pairs.take_while(|(a, b)| a == b).count();
        common.min(tokens.len().saturating_sub(observe.window.max(1)))
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
    column_sums: Vec<Vec<f32>>,
}

impl Observer {
    pub(super) fn new(observe: Observe, geometry: Geometry, store: StoreType, len: usize) -> Self {
        let layer = || Observed {
            unrotated_keys: (0..geometry.kv_heads)
                .filter(|_| observe.unrotated_keys)
                .map(|_| Rows::with_capacity(geometry.head_dim, store, len))
                .collect(),
            queries: Vec::new(),
            column_sums: (0..geometry.heads)
                .filter(|_| observe.column_sums)
                .map(|_| Vec::with_capacity(len))
                .collect(),
        };
        Self {
            observe,
            layers: (0..geometry.layers).map(|_| layer()).collect(),
        }
    }

    /// Goes on from the keys before RoPE of an earlier prefill's first `len` tokens.
    pub(super) fn resume(&mut self, earlier: Vec<Vec<Rows>>, len: usize) {
        for (observed, mut keys) in self.layers.iter_mut().zip(earlier) {
            keys.iter_mut().for_each(|rows| rows.truncate(len));
            observed.unrotated_keys = keys;
        }
    }

    /// Sees the new tokens of a layer before they are attended to.
    ///
    /// # Errors
    /// If a tensor cannot be read.
    pub(super) fn see(&mut self, layer: usize, new: &Batch<'_>) -> Result<()> {
        let host = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let observed = &mut self.layers[layer];
        let heads = observed.unrotated_keys.len();
        if heads > 0 {
            let keys = host(new.keys)?;
            for (head, rows) in observed.unrotated_keys.iter_mut().enumerate() {
                let keys = keys.chunks_exact(rows.dim()).skip(head).step_by(heads);
                keys.for_each(|key| rows.push(key));
            }
        }
        let (tokens, width) = new.queries.dims2()?;
        let window = self.observe.window.min(tokens);
        if window > 0 {
            let last = new.queries.narrow(0, tokens - window, window)?;
            observed.queries.extend(host(&last)?);
            let wanted = self.observe.window * width;
            let surplus = observed.queries.len().saturating_sub(wanted);
            observed.queries.drain(..surplus);
        }
        Ok(())
    }

    /// How many of the last of `n` tokens attend in the last layer: those whose queries are gathered, and the one whose
    /// logits are wanted.
    pub(super) fn attending(&self, n: usize) -> usize {
        match self.observe.column_sums {
            true => n,
            false => self.observe.window.max(1).min(n),
        }
    }

    /// The running column sums of a layer, per query head, where they are asked for.
    pub(super) fn column_sums(&mut self, layer: usize) -> Option<&mut [Vec<f32>]> {
        let sums = &mut self.layers[layer].column_sums;
        self.observe.column_sums.then_some(sums)
    }

    /// `rules`: how each layer attends.
    pub(super) fn finish(self, layers: Vec<LayerStore>, rules: &[Rule]) -> Vec<PrefilledLayer> {
        layers
            .into_iter()
            .zip(self.layers)
            .zip(rules)
            .map(|((layer, observed), rule)| PrefilledLayer {
                rule: rule.clone(),
                kv: Arc::new(layer.open),
                unrotated_keys: observed.unrotated_keys,
                queries: observed.queries,
                column_sums: observed.column_sums,
            })
            .collect()
    }
}
