//! Attention over one KV head in coded form. A decoded token is attended in code space: keys are rebuilt once for all
//! query heads of the group (codewords that carry their rotation are scored once each), and values by one weight per
//! codeword. The tokens of a sequence, many to an entry, attend to entries rebuilt block by block.

use super::code_space::CodedHead;
use super::coded::Codewords;
use super::dense::{BLOCK, STEP_BLOCK};
use super::layer::Pass;
use super::scratch::{Scratch, room, with_scratch};
use super::softmax::Attending;
use crate::kernel::dots;
use crate::model::rope::Rope;

/// One KV head and the codebooks it is written in.
pub struct HeadView<'a> {
    pub keys: &'a Codewords,
    pub values: &'a Codewords,
    pub head: &'a CodedHead,
    pub rope: &'a Rope,
}

impl HeadView<'_> {
    /// Attends the rows of the group; token `t` sees the first `appended(t)` entries added since the prompt.
    pub fn absorb(&self, attending: &mut Attending, appended: impl Fn(usize) -> usize) {
        match attending.pass() {
            Pass::Step => self.absorb_step(attending, appended(0)),
            Pass::Sequence => self.absorb_sequence(attending, appended),
        }
    }

    fn absorb_sequence(&self, attending: &mut Attending, appended: impl Fn(usize) -> usize) {
        let group = attending.members();
        let alike = if self.head.lists().is_none() {
            group
        } else {
            1
        };
        for first in (0..group).step_by(alike) {
            let entries = self.head.seen(first, self.head.appended());
            let of_prompt = entries.len() - self.head.appended();
            with_scratch(|Scratch { keys, values }| {
                for (number, block) in entries.chunks(BLOCK).enumerate() {
                    let keys = self.rebuild_keys(block, keys);
                    let values = self.rebuild_values(block, values);
                    attending.absorb(first..first + alike, keys, values, |t| {
                        (of_prompt + appended(t)).saturating_sub(number * BLOCK)
                    });
                }
            });
        }
    }

    /// Keys of entries, rotated, `[entries, head_dim]`.
    fn rebuild_keys<'s>(&self, entries: &[u32], out: &'s mut Vec<f32>) -> &'s [f32] {
        let d = self.keys.dim();
        let out = room(out, entries.len() * d);
        for (key, &entry) in out.chunks_exact_mut(d).zip(entries) {
            self.head.keys().rebuild(self.keys, entry as usize, key);
            if let Some(positions) = self.head.positions() {
                self.rope
                    .rotate_in_place(key, positions.get(entry as usize));
            }
        }
        out
    }

    /// Values of entries, `[entries, head_dim]`.
    fn rebuild_values<'s>(&self, entries: &[u32], out: &'s mut Vec<f32>) -> &'s [f32] {
        let d = self.values.dim();
        let out = room(out, entries.len() * d);
        for (value, &entry) in out.chunks_exact_mut(d).zip(entries) {
            self.head
                .values()
                .rebuild(self.values, entry as usize, value);
        }
        out
    }

    /// One token of each query head. Scores are of all entries, those a query head does not see taken out after.
    fn absorb_step(&self, attending: &mut Attending, appended: usize) {
        let entries = self.head.prompt_entries() + appended;
        if entries == 0 {
            return;
        }
        let mut scores = self.scores(attending, entries);
        let value_codes = self.head.values().indices();
        let factors = self.head.values().factors();
        let mut weights = vec![0.0; attending.members() * self.values.len()];
        let rows = scores.chunks_exact_mut(entries);
        for (member, (scores, weights)) in rows
            .zip(weights.chunks_exact_mut(self.values.len()))
            .enumerate()
        {
            if let Some(lists) = self.head.lists() {
                let mut seen = vec![f32::NEG_INFINITY; entries];
                let listed = lists[member].iter();
                for entry in listed.chain(self.head.prompt_entries()..entries) {
                    seen[entry] = scores[entry];
                }
                scores.copy_from_slice(&seen);
            }
            attending.weigh(member, 0, scores);
            for ((score, factor), &code) in scores.iter().zip(&factors).zip(&value_codes) {
                weights[code as usize] += score * factor;
            }
        }
        with_scratch(|scratch| {
            for start in (0..self.values.len()).step_by(STEP_BLOCK) {
                let end = (start + STEP_BLOCK).min(self.values.len());
                let block = self.values.block(start..end, &mut scratch.values);
                attending.add_values(&weights, self.values.len(), start, block);
            }
        });
    }

    /// Scores of the first `entries`, per query head `[members, entries]`.
    fn scores(&self, attending: &Attending, entries: usize) -> Vec<f32> {
        let d = self.keys.dim();
        let codes = self.head.keys().indices();
        let mut scores = vec![0.0; attending.members() * entries];
        match self.head.positions() {
            Some(positions) => with_scratch(|scratch| {
                let positions = positions.to_vec();
                for start in (0..entries).step_by(STEP_BLOCK) {
                    let end = (start + STEP_BLOCK).min(entries);
                    let keys = room(&mut scratch.keys, (end - start) * d);
                    self.keys.read_all(&codes[start..end], keys);
                    self.rope.rotate_all(keys, &positions[start..end]);
                    for (member, scores) in scores.chunks_exact_mut(entries).enumerate() {
                        dots(attending.query(member, 0), keys, &mut scores[start..end]);
                    }
                }
            }),
            None => with_scratch(|scratch| {
                let keys = self.keys.block(0..self.keys.len(), &mut scratch.keys);
                let mut products = vec![0.0; self.keys.len()];
                for (member, scores) in scores.chunks_exact_mut(entries).enumerate() {
                    dots(attending.query(member, 0), keys, &mut products);
                    for (score, &code) in scores.iter_mut().zip(&codes) {
                        *score = products[code as usize];
                    }
                }
            }),
        }
        let factors = self.head.keys().factors();
        for scores in scores.chunks_exact_mut(entries) {
            for (score, factor) in scores.iter_mut().zip(&factors) {
                *score *= factor;
            }
        }
        scores
    }
}
