//! The KV cache of one sequence.

use super::fault::Fault;
use super::footprint::Footprint;
use super::layer::LayerStore;

/// The KV cache of one sequence, all layers.
#[derive(Debug)]
pub struct Cache {
    /// What each layer of the model holds.
    pub layers: Vec<LayerStore>,
    /// Tokens the sequence has had so far, which is the next token's position; not the number of entries held.
    pub seen: usize,
    /// The first value found that is not finite or cannot be held. What is computed from the cache then is not to be
    /// used; other caches of a batch are not touched by it.
    pub fault: Option<Fault>,
}

impl Cache {
    /// A cache of `layers` after `seen` tokens.
    pub fn new(layers: Vec<LayerStore>, seen: usize) -> Self {
        Self {
            layers,
            seen,
            fault: None,
        }
    }

    /// Another one like it, that goes on by itself. What the prompt brought is shared.
    pub fn fork(&self) -> Self {
        Self {
            layers: self.layers.iter().map(LayerStore::fork).collect(),
            seen: self.seen,
            fault: self.fault.clone(),
        }
    }

    /// Notes a fault of the logits after the tokens from `token` on, `[n, vocab]`.
    pub fn check_logits(&mut self, logits: &[f32], vocab: usize, token: usize) {
        self.note(Fault::of_rows("logits", logits, vocab, token));
    }

    /// Notes a fault, unless there was one before.
    pub fn note(&mut self, fault: Option<Fault>) {
        if self.fault.is_none() {
            self.fault = fault;
        }
    }

    /// Tokens that may be appended at once, see [`LayerStore::chunk`].
    pub fn chunk(&self) -> usize {
        let layers = self.layers.iter().map(LayerStore::chunk);
        layers.min().unwrap_or(usize::MAX)
    }

    /// Counts and bytes held, summed over the layers.
    pub fn footprint(&self) -> Footprint {
        self.layers.iter().map(LayerStore::footprint).sum()
    }

    /// Bytes that are freed with it: all but a prefill's own cache where it is held whole.
    pub fn bytes_own(&self) -> u64 {
        self.layers.iter().map(LayerStore::bytes_own).sum()
    }
}
