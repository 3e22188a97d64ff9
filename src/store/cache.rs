//! The KV cache of one sequence.

use super::fault::Fault;
use super::footprint::Footprint;
use super::layer::LayerStore;

/// The KV cache of one sequence, all layers.
#[derive(Debug)]
pub struct Cache {
    /// What each layer of the model holds.
    pub layers: Vec<LayerStore>,
    /// Tokens of the sequence so far, which is the next token's position. Entries held can be fewer.
    pub seen: usize,
    /// The first value found that is not finite or cannot be held. Results from the cache are then invalid; other
    /// caches of a batch are not affected.
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

    /// A copy that grows on its own: of each layer the runs of the prompt are shared and the open run is copied.
    pub fn fork(&self) -> Self {
        Self {
            layers: self.layers.iter().map(LayerStore::fork).collect(),
            seen: self.seen,
            fault: self.fault.clone(),
        }
    }

    /// Notes a fault in the logits `[n, vocab]` after the tokens from number `token` on.
    pub fn check_logits(&mut self, logits: &[f32], vocab: usize, token: usize) {
        self.note(Fault::of_rows("logits", logits, vocab, token));
    }

    /// Notes a fault, unless there was one before.
    pub fn note(&mut self, fault: Option<Fault>) {
        if self.fault.is_none() {
            self.fault = fault;
        }
    }

    /// Number of tokens that may be appended at once, see [`LayerStore::chunk`].
    pub fn chunk(&self) -> usize {
        let layers = self.layers.iter().map(LayerStore::chunk);
        layers.min().unwrap_or(usize::MAX)
    }

    /// Counts and bytes held, summed over the layers.
    pub fn footprint(&self) -> Footprint {
        self.layers.iter().map(LayerStore::footprint).sum()
    }

    /// Bytes that are freed when the cache is dropped: all but those of runs that others share.
    pub fn bytes_own(&self) -> u64 {
        self.layers.iter().map(LayerStore::bytes_own).sum()
    }
}
