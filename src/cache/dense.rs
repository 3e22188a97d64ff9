//! Every entry stored whole, one matrix of keys and one of values per head.

use std::ops::Range;

use super::footprint::Footprint;
use super::indices::Indices;
use super::layer::Pass;
use super::rows::{Rows, StoreType};
use super::scratch::{Scratch, room, with_scratch};
use super::softmax::{Attending, add_weighted};
use crate::kernel::{Left, dots};

/// Entries converted to f32 and attended to at once: scores of a panel of queries stay in the level-1 cache, the
/// entries themselves in the level-2 cache.
pub const BLOCK: usize = 192;
/// The same for a decoded token, which goes over keys and values apart: a block of either stays in the level-1 cache.
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
        if attending.pass() == Pass::Step {
            return self.absorb_step(head, attending, members, last, None, last);
        }
        with_scratch(|scratch| {
            for start in (0..last).step_by(BLOCK) {
                let end = (start + BLOCK).min(last);
                let keys = self.keys[head].block(start..end, &mut scratch.keys);
                let values = self.values[head].block(start..end, &mut scratch.values);
                attending.absorb(members.clone(), keys, values, |t| {
                    visible(t).saturating_sub(start)
                });
            }
        });
    }

    /// Attends the single token of some query heads to the first `len` entries of `head`, or to those of them that each
    /// member's list names: scores of all, then weights, then the weighted sum. Those after the first `held` are added to
    /// the sum by themselves.
    pub fn absorb_step(
        &self,
        head: usize,
        attending: &mut Attending,
        members: Range<usize>,
        len: usize,
        lists: Option<&[Indices]>,
        held: usize,
    ) {
        with_scratch(|scratch| {
            let Scratch {
                keys,
                values,
                weights,
                seen,
                seen_scores,
                sums,
                ..
            } = scratch;
            let weights = room(weights, members.len() * len);
            for start in (0..len).step_by(STEP_BLOCK) {
                let block = start..(start + STEP_BLOCK).min(len);
                let keys = self.keys[head].block(block.clone(), keys);
                for (scores, member) in weights.chunks_exact_mut(len).zip(members.clone()) {
                    dots(attending.query(member, 0), keys, &mut scores[block.clone()]);
                }
            }
            for (i, member) in members.clone().enumerate() {
                let scores = &mut weights[i * len..(i + 1) * len];
                let Some(lists) = lists else {
                    attending.weigh(member, 0, scores);
                    continue;
                };
                lists[i].read(0..lists[i].len(), seen);
                seen_scores.clear();
                seen_scores.extend(seen.iter().map(|&entry| scores[entry as usize]));
                attending.weigh(member, 0, seen_scores);
                scores.fill(0.0);
                for (&entry, &weight) in seen.iter().zip(&*seen_scores) {
                    scores[entry as usize] = weight;
                }
            }
            let d = self.values[head].dim();
            let sums = room(sums, members.len() * d);
            sums.fill(0.0);
            let blocks = (0..held).step_by(STEP_BLOCK);
            let blocks = blocks.map(|start| start..(start + STEP_BLOCK).min(held));
            for block in blocks.chain((held < len).then_some(held..len)) {
                let weights = Left {
                    data: &weights[block.start..],
                    row: len,
                    step: 1,
                };
                let shape = [members.len(), block.len(), d];
                let values = self.values[head].block(block, values);
                add_weighted(weights, shape, values, sums, d);
            }
            attending.add_sums(members, sums);
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
