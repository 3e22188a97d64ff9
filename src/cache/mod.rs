//! What is held of a prompt, and how it is attended to: `layer` puts together a prefix in one of three
//! representations (`dense`, `evicted`, `code_space`) and a tail of whole entries; each attends in its own form
//! and counts its own bytes.

mod code_attention;
mod code_space;
mod code_step;
mod coded;
mod column_sums;
mod dense;
mod evicted;
mod fault;
mod footprint;
mod indices;
mod lanes;
mod layer;
mod rows;
mod scratch;
mod softmax;

pub use code_space::{CodedBook, CodedHead, CodedKv};
pub use coded::{CodedRows, Codewords};
pub use dense::DenseKv;
pub use evicted::{EvictedKv, places, union};
pub use fault::Fault;
pub use footprint::Footprint;
pub use indices::Indices;
pub use layer::{Geometry, LayerCache, LayerMark, NewTokens, Pass, Prefix};
pub use rows::{Rows, StoreType};

use std::sync::Arc;

use crate::model::rope::Rope;

/// The KV cache of one sequence, all layers.
#[derive(Clone)]
pub struct Cache {
    pub layers: Vec<LayerCache>,
    pub rope: Arc<Rope>,
    /// Tokens the sequence has had so far, which is the next token's position; not the number of entries held.
    pub seen: usize,
    /// The first value found that is not finite or cannot be held. What is computed from the cache then is not to be
    /// used; other caches of a batch are not touched by it.
    pub fault: Option<Fault>,
}

/// What a cache held when the mark was made.
pub struct Mark {
    layers: Vec<LayerMark>,
    seen: usize,
}

impl Cache {
    /// A cache of `layers` after `seen` tokens.
    pub fn new(layers: Vec<LayerCache>, rope: Arc<Rope>, seen: usize) -> Self {
        Self {
            layers,
            rope,
            seen,
            fault: None,
        }
    }

    /// Appends new tokens to layer `layer` and attends their queries, see [`LayerCache::attend`]; in a prefill that adds
    /// up the attention that entries draw, see [`LayerCache::attend_summing`], to `sums`. Returns
    /// `[n, heads * head_dim]`, and notes a fault.
    pub fn attend(
        &mut self,
        layer: usize,
        new: &NewTokens<'_>,
        sums: Option<&mut [Vec<f32>]>,
    ) -> Vec<f32> {
        let cache = &mut self.layers[layer];
        let mut fault = cache.fault(new);
        let attended = match sums {
            Some(sums) => cache.attend_summing(new, &self.rope, sums),
            None => cache.attend(new, &self.rope),
        };
        fault = fault.or_else(|| cache.fault_of_output(new, &attended));
        self.note(fault.map(|fault| fault.in_layer(layer)));
        attended
    }

    /// Notes a fault of the logits after the tokens from `token` on, `[n, vocab]`.
    pub fn check_logits(&mut self, logits: &[f32], vocab: usize, token: usize) {
        self.note(Fault::of_rows("logits", logits, vocab, token));
    }

    fn note(&mut self, fault: Option<Fault>) {
        if self.fault.is_none() {
            self.fault = fault;
        }
    }

    /// What is held now, to go back to.
    pub fn mark(&self) -> Mark {
        Mark {
            layers: self.layers.iter().map(LayerCache::mark).collect(),
            seen: self.seen,
        }
    }

    /// Forgets everything appended since `mark` was made of this cache.
    pub fn rewind(&mut self, mark: &Mark) {
        for (layer, mark) in self.layers.iter_mut().zip(&mark.layers) {
            layer.rewind(mark);
        }
        self.seen = mark.seen;
    }

    pub fn footprint(&self) -> Footprint {
        self.layers.iter().map(LayerCache::footprint).sum()
    }

    /// Bytes that are freed with it: all but a prefill's own cache where it is held whole.
    pub fn bytes_own(&self) -> u64 {
        let layers = self.layers.iter();
        let own = layers.filter(|layer| !layer.shares_prefix());
        own.map(|layer| layer.footprint().bytes()).sum()
    }
}
