//! A single token attends to one KV head in code space: keys are rebuilt once for all query heads of the group (codewords
//! that carry their rotation are scored once each), and values by one weight per codeword.
//!
//! A token that joins the codebooks itself is compared with their codewords where they are read to attend anyway: from
//! memory, they take longer to read than to use.

use std::ops::Range;

use super::code_attention::HeadView;
use super::code_space::CodedBook;
use super::coded::Joining;
use super::dense::STEP_BLOCK;
use super::scratch::{Scratch, room, with_scratch};
use super::softmax::{Attending, add_weighted};
use crate::kernel::{Left, dots};
use crate::model::rope::Rope;

impl CodedBook {
    /// Appends one decoded token to a head, `[head_dim]` each, the key before RoPE where the head keeps positions, and
    /// attends the head's group to all that is then held.
    pub fn step(
        &mut self,
        head: usize,
        [key, value]: [&[f32]; 2],
        position: usize,
        rope: &Rope,
        attending: &mut Attending,
    ) {
        let (mut key, mut value) = (Joining::new(key), Joining::new(value));
        if self.heads.len() > 1 {
            // What is scored are the codewords of this head's entries, which are all only where it is alone.
            self.keys.compare_all(&mut key);
        }
        let entries = self.heads[head].len();
        with_scratch(|scratch| {
            self.view(head, rope)
                .score(attending, 0..entries, Some(&mut key), scratch);
            self.heads[head].push_key(&mut self.keys, &key, position);
            let view = self.view(head, rope);
            view.score(attending, entries..entries + 1, None, scratch);
            let newest = view.weigh(attending, scratch);
            view.add_values(attending, Some(&mut value), scratch);
            self.heads[head].push_value(&mut self.values, &value);
            self.view(head, rope).add_newest(attending, newest, scratch);
            let sums = &scratch.sums[..attending.members() * self.values.dim()];
            attending.add_sums(0..attending.members(), sums);
        });
    }
}

impl HeadView<'_> {
    /// Attends one token of each query head that is not coded itself.
    pub fn absorb_step(&self, attending: &mut Attending) {
        with_scratch(|scratch| {
            self.score(attending, 0..self.head.len(), None, scratch);
            self.weigh(attending, scratch);
            self.add_values(attending, None, scratch);
            let sums = &scratch.sums[..attending.members() * self.values.dim()];
            attending.add_sums(0..attending.members(), sums);
        });
    }

    /// Puts the scores of `entries`, for each query head, behind those of the entries before them. A key that is to join
    /// the codewords is compared with those of these entries.
    fn score(
        &self,
        attending: &Attending,
        entries: Range<usize>,
        joining: Option<&mut Joining>,
        scratch: &mut Scratch,
    ) {
        let Scratch {
            keys,
            values,
            codes,
            positions,
            factors,
            scores,
            ..
        } = scratch;
        scores.resize(attending.members(), Vec::new());
        scores
            .iter_mut()
            .for_each(|scores| scores.resize(entries.end, 0.0));
        let mut scores: Vec<&mut [f32]> = scores
            .iter_mut()
            .map(|scores| &mut scores[entries.clone()])
            .collect();
        let rows = self.head.keys();
        rows.indices().read(entries.clone(), codes);
        match self.head.positions() {
            None if codes.len() >= self.keys.len() => {
                let words = self.keys.block(0..self.keys.len(), keys);
                let products = room(values, self.keys.len());
                self.score_codewords(attending, words, codes, joining, products, &mut scores);
            }
            held => {
                if let Some(held) = held {
                    held.read(entries.clone(), positions);
                }
                let positions = held.map(|_| &positions[..]);
                self.score_entries(attending, codes, positions, joining, keys, &mut scores);
            }
        }
        let factors = rows.factors(entries, factors);
        for scores in scores {
            for (score, factor) in scores.iter_mut().zip(factors) {
                *score *= factor;
            }
        }
    }

    /// Products with each codeword, once, given to the entries it stands for.
    fn score_codewords(
        &self,
        attending: &Attending,
        words: &[f32],
        codes: &[u32],
        joining: Option<&mut Joining>,
        products: &mut [f32],
        scores: &mut [&mut [f32]],
    ) {
        if let Some(joining) = joining {
            self.keys.compare(joining, words, 0..products.len());
        }
        for (member, scores) in scores.iter_mut().enumerate() {
            dots(attending.query(member, 0), words, products);
            for (score, &code) in scores.iter_mut().zip(codes) {
                *score = products[code as usize];
            }
        }
    }

    /// Products with the codeword of each entry, rotated to the entry's position.
    fn score_entries(
        &self,
        attending: &Attending,
        codes: &[u32],
        positions: Option<&[u32]>,
        mut joining: Option<&mut Joining>,
        keys: &mut Vec<f32>,
        scores: &mut [&mut [f32]],
    ) {
        for start in (0..codes.len()).step_by(STEP_BLOCK) {
            let block = start..(start + STEP_BLOCK).min(codes.len());
            let codes = &codes[block.clone()];
            let keys = room(keys, codes.len() * self.keys.dim());
            self.keys.read_all(codes, keys);
            if let Some(joining) = joining.as_deref_mut() {
                let codes = codes.iter().map(|&code| code as usize);
                self.keys.compare(joining, keys, codes);
            }
            if let Some(positions) = positions {
                self.rope.rotate_all(keys, &positions[block.clone()]);
            }
            for (member, scores) in scores.iter_mut().enumerate() {
                dots(attending.query(member, 0), keys, &mut scores[block.clone()]);
            }
        }
    }

    /// Makes of the scores the weight that each codeword of values gets, `[members, codewords]`. Returns those of an
    /// entry at the end whose value is not coded yet, `[members]`.
    fn weigh(&self, attending: &mut Attending, scratch: &mut Scratch) -> Vec<f32> {
        let Scratch {
            codes,
            factors,
            scores,
            seen,
            seen_scores,
            weights,
            ..
        } = scratch;
        let rows = self.head.values();
        let coded = rows.len();
        rows.indices().read(0..coded, codes);
        let factors = rows.factors(0..coded, factors);
        let weights = room(weights, attending.members() * self.values.len());
        weights.fill(0.0);
        let mut newest = Vec::with_capacity(attending.members());
        for (member, scores) in scores.iter_mut().enumerate() {
            let weights = &mut weights[member * self.values.len()..][..self.values.len()];
            let whole = match self.head.lists() {
                None => {
                    attending.weigh(member, 0, scores);
                    for ((score, factor), &code) in scores.iter().zip(factors).zip(&*codes) {
                        weights[code as usize] += score * factor;
                    }
                    &scores[coded..]
                }
                Some(_) => {
                    self.head.seen(member, self.head.appended(), seen);
                    seen_scores.clear();
                    seen_scores.extend(seen.iter().map(|&entry| scores[entry as usize]));
                    attending.weigh(member, 0, seen_scores);
                    let coded = seen.partition_point(|&entry| (entry as usize) < coded);
                    for (score, &entry) in seen_scores.iter().zip(&seen[..coded]) {
                        let code = codes[entry as usize] as usize;
                        weights[code] += score * factors[entry as usize];
                    }
                    &seen_scores[coded..]
                }
            };
            newest.extend(whole);
        }
        newest
    }

    /// Adds the codewords of values, weighted as [`weigh`](Self::weigh) found. A value that is to join them is compared
    /// with each.
    fn add_values(
        &self,
        attending: &Attending,
        mut joining: Option<&mut Joining>,
        scratch: &mut Scratch,
    ) {
        let Scratch {
            values,
            weights,
            sums,
            ..
        } = scratch;
        let (members, count, d) = (attending.members(), self.values.len(), self.values.dim());
        let weights = &weights[..members * count];
        let sums = room(sums, members * d);
        sums.fill(0.0);
        for start in (0..count).step_by(STEP_BLOCK) {
            let end = (start + STEP_BLOCK).min(count);
            let block = self.values.block(start..end, values);
            if let Some(joining) = joining.as_deref_mut() {
                self.values.compare(joining, block, start..end);
            }
            let weights = Left {
                data: &weights[start..],
                row: count,
                step: 1,
            };
            add_weighted(weights, [members, end - start, d], block, sums, d);
        }
    }

    /// Adds the value of the newest entry alone, with these `weights`, `[members]`.
    fn add_newest(&self, attending: &Attending, mut weights: Vec<f32>, scratch: &mut Scratch) {
        let entry = self.head.len() - 1;
        let rows = self.head.values();
        let factor = rows.factors(entry..entry + 1, &mut scratch.factors)[0];
        weights.iter_mut().for_each(|weight| *weight *= factor);
        let code = rows.indices().get(entry);
        let value = self.values.block(code..code + 1, &mut scratch.values);
        let d = self.values.dim();
        let weights = Left {
            data: &weights,
            row: 1,
            step: 1,
        };
        let shape = [attending.members(), 1, d];
        add_weighted(weights, shape, value, &mut scratch.sums, d);
    }
}
