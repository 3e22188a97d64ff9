//! Every entry stored whole, one matrix of keys and one of values per head.

use std::ops::Range;

use super::footprint::Footprint;
use super::layer::Pass;
use super::rows::{Rows, StoreType};
use super::scratch::with_scratch;
use super::softmax::Attending;

/// Entries converted to f32 and attended to at once: scores of a panel of queries stay in the level-1 cache, the
/// entries themselves in the level-2 cache.
pub const BLOCK: usize = 192;
/// The same for a decoded token, whose scores are few: the entries themselves stay in the level-1 cache.
pub const STEP_BLOCK: usize = 64;

/// Keys (rotated) and values, per head `[len, head_dim]`.
#[derive(Debug, Clone, PartialEq)]
pub struct DenseKv {
    pub keys: Vec<Rows>,
    pub values: Vec<Rows>,
}

impl DenseKv {
    pub fn new(heads: usize, head_dim: usize, store: StoreType) -> Self {
        let rows = vec![Rows::new(head_dim, store); heads];
        Self {
            keys: rows.clone(),
            values: rows,
        }
    }

    pub fn heads(&self) -> usize {
        self.keys.len()
    }

    /// Entries of one head.
    pub fn len(&self, head: usize) -> usize {
        self.keys[head].len()
    }

    /// Appends one token: `keys` and `values` are `[heads, head_dim]`.
    pub fn push(&mut self, keys: &[f32], values: &[f32]) {
        let d = self.keys[0].dim();
        for (rows, key) in self.keys.iter_mut().zip(keys.chunks_exact(d)) {
            rows.push(key);
        }
        for (rows, value) in self.values.iter_mut().zip(values.chunks_exact(d)) {
            rows.push(value);
        }
    }

    /// Attends the rows of some query heads to the entries of `head`; token `t` sees the first `visible(t)`.
    pub fn absorb(
        &self,
        head: usize,
        attending: &mut Attending,
        members: Range<usize>,
        visible: impl Fn(usize) -> usize,
    ) {
        let last = (0..attending.tokens()).map(&visible).max().unwrap_or(0);
        let block = match attending.pass() {
            Pass::Sequence => BLOCK,
            Pass::Step => STEP_BLOCK,
        };
        with_scratch(|scratch| {
            for start in (0..last).step_by(block) {
                let end = (start + block).min(last);
                let keys = self.keys[head].block(start..end, &mut scratch.keys);
                let values = self.values[head].block(start..end, &mut scratch.values);
                attending.absorb(members.clone(), keys, values, |t| {
                    visible(t).saturating_sub(start)
                });
            }
        });
    }

    /// Keeps the first `len` entries of each head.
    pub fn truncate(&mut self, len: usize) {
        for rows in self.keys.iter_mut().chain(&mut self.values) {
            rows.truncate(len);
        }
    }

    pub fn footprint(&self) -> Footprint {
        let entries = self.keys.iter().map(|rows| rows.len() as u64).sum();
        let rows = self.keys.iter().chain(&self.values);
        Footprint {
            entries,
            kept: entries,
            bytes_entries: rows.map(Rows::bytes).sum(),
            ..Footprint::default()
        }
    }
}
