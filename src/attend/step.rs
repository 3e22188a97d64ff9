//! Attention of one decoded token in the space of each form: first to the entries held, then to itself.
//!
//! The token is appended on the way. A form with a codebook compares the new vector with the codewords that attention
//! reads anyway: reading them from memory takes longer than the comparison.

use std::ops::Range;

use rayon::prelude::*;

use super::keys::Stored;
use super::rule::{Pass, Rule};
use super::scratch::{AttentionScratch, with_scratch};
use super::softmax::Attending;
use super::tokens::Tokens;
use crate::kernel::{Left, add_weighted};
use crate::store::{Joining, LayerStore, Part, Rotate, Run, STEP_BLOCK, blocks, room, score_rows};

/// Appends one token to the layer and attends its queries to all entries, its own included. Returns
/// `[heads * head_dim]`.
pub(super) fn attend(rule: &Rule, layer: &mut LayerStore, new: &Tokens<'_>) -> Vec<f32> {
    let (kv_heads, d, position) = (layer.kv_heads(), layer.head_dim(), new.positions[0]);
    let group = new.queries.len() / (kv_heads * d);
    let held: Vec<usize> = (0..kv_heads)
        .map(|kv_head| {
            layer
                .runs()
                .map(|run| run.len(kv_head * run.heads() / kv_heads))
                .sum()
        })
        .collect();
    let keys = layer.keys_of(new.unrotated_keys, new.keys);
    let LayerStore { prompt, open, .. } = layer;
    let (rotate, shared) = (open.rotate, open.parts[0].heads());
    let attended: Vec<Vec<f32>> = open
        .parts
        .par_iter_mut()
        .enumerate()
        .map(|(number, part)| {
            let mut out = Vec::with_capacity(shared * group * d);
            for head in 0..shared {
                let kv_head = number * shared + head;
                let mut queries = new.queries[kv_head * group * d..][..group * d].to_vec();
                if let Some(rope) = &rule.rope {
                    let position = match rotate {
                        Rotate::ByRank => held[kv_head],
                        Rotate::AtWrite | Rotate::ByPosition => position,
                    };
                    queries
                        .chunks_exact_mut(d)
                        .for_each(|query| rope.rotate_in_place(query, position));
                }
                let mut attending = Attending::new(rule, queries, d, 1, Pass::Step);
                let mut rank = 0;
                let step = |rotate, rank| Step {
                    rule,
                    rotate,
                    rank,
                    position,
                    members: 0..group,
                };
                for run in prompt.iter() {
                    attend_run(
                        run,
                        kv_head,
                        kv_heads,
                        step(run.rotate, rank),
                        &mut attending,
                    );
                    rank += run.len(kv_head * run.heads() / kv_heads);
                }
                let (key, value) = (&keys[kv_head * d..][..d], &new.values[kv_head * d..][..d]);
                step(rotate, rank).append(part, head, [key, value], &mut attending);
                out.extend(attending.finish());
            }
            out
        })
        .collect();
    attended.concat()
}

/// One decoded token's attention from some query heads to one head of a part.
struct Step<'a> {
    rule: &'a Rule,
    rotate: Rotate,
    /// Entries attended to before, which is the rank of the first entry here.
    rank: usize,
    /// Position of the token.
    position: usize,
    members: Range<usize>,
}

impl Step<'_> {
    fn stored<'p>(&'p self, part: &'p Part, head: usize) -> Stored<'p> {
        Stored {
            part,
            head,
            rotate: self.rotate,
            rule: self.rule,
            rank: self.rank,
        }
    }

    /// Attends to all entries of a head in a run of the prompt.
    fn held(&self, part: &Part, head: usize, attending: &mut Attending) {
        let len = part.len(head);
        with_scratch(|scratch| {
            let stored = self.stored(part, head);
            self.score(&stored, 0..len, len, None, attending, scratch);
            self.weigh(&stored, len, attending, scratch);
            self.sum(part, head, [len, len], None, attending.dim(), scratch);
            attending.add_sums(self.members.clone(), &scratch.out);
        });
    }

    /// Appends a token's key and value, `[head_dim]` each, and attends to all entries, its own included.
    fn append(
        &self,
        part: &mut Part,
        head: usize,
        [key, value]: [&[f32]; 2],
        attending: &mut Attending,
    ) {
        let (mut key, mut value) = (part.keys.join(key), part.values.join(value));
        let held = part.len(head);
        let stride = held + 1;
        with_scratch(|scratch| {
            let stored = self.stored(part, head);
            self.score(&stored, 0..held, stride, Some(&mut key), attending, scratch);
            part.keys.append(head, &mut key);
            part.entries[head].append(self.position, held);
            let stored = self.stored(part, head);
            self.score(&stored, held..stride, stride, None, attending, scratch);
            self.weigh(&stored, stride, attending, scratch);
            self.sum(
                part,
                head,
                [held, stride],
                Some(&mut value),
                attending.dim(),
                scratch,
            );
            part.values.append(head, &mut value);
            self.add_newest(part, head, held, attending.dim(), scratch);
            attending.add_sums(self.members.clone(), &scratch.out);
        });
    }

    /// Writes the products of entries `span` with each query to columns `span` of the scores, `[members, stride]`.
    fn score(
        &self,
        stored: &Stored<'_>,
        span: Range<usize>,
        stride: usize,
        mut joining: Option<&mut Joining>,
        attending: &Attending,
        scratch: &mut AttentionScratch,
    ) {
        let AttentionScratch {
            keys,
            factors,
            positions,
            scores,
            ..
        } = scratch;
        let (form, head) = (&stored.part.keys, stored.head);
        let queries = attending.queries(self.members.clone());
        let scores = room(scores, self.members.len() * stride);
        let Some(rope) = self
            .rule
            .rope
            .as_ref()
            .filter(|_| self.rotate != Rotate::AtWrite)
        else {
            return form.scores(head, queries, span, joining, scores, stride);
        };
        for block in blocks(span, STEP_BLOCK) {
            let keys = room(keys, block.len() * form.dim());
            let factors = room(factors, block.len());
            form.rows(head, block.clone(), keys, factors, joining.as_deref_mut());
            stored.positions(block.clone(), positions);
            rope.rotate_all(keys, positions);
            score_rows(queries, keys, factors, block, scores, stride);
        }
    }

    /// Turns the scores of `len` entries into weights. Entries that a query head does not see get 0.
    fn weigh(
        &self,
        stored: &Stored<'_>,
        len: usize,
        attending: &mut Attending,
        scratch: &mut AttentionScratch,
    ) {
        let AttentionScratch {
            scores,
            seen,
            seen_scores,
            ..
        } = scratch;
        let entries = &stored.part.entries[stored.head];
        let all = entries.lists.is_none() && self.rule.window.is_none();
        for (i, member) in self.members.clone().enumerate() {
            let scores = &mut scores[i * len..(i + 1) * len];
            if all {
                attending.weigh(member, 0, scores);
                continue;
            }
            entries.seen(member, len, seen);
            let first = stored.first_in_window(seen.len(), |i| seen[i] as usize, self.position);
            let seen = &seen[first..];
            seen_scores.clear();
            seen_scores.extend(seen.iter().map(|&entry| scores[entry as usize]));
            attending.weigh(member, 0, seen_scores);
            scores.fill(0.0);
            for (&entry, &weight) in seen.iter().zip(&*seen_scores) {
                scores[entry as usize] = weight;
            }
        }
    }

    /// Computes the weighted sum of the first `held` values for each query head, by weights of `stride` columns.
    fn sum(
        &self,
        part: &Part,
        head: usize,
        [held, stride]: [usize; 2],
        joining: Option<&mut Joining>,
        d: usize,
        scratch: &mut AttentionScratch,
    ) {
        let AttentionScratch {
            scores, sums, out, ..
        } = scratch;
        let members = self.members.len();
        out.clear();
        out.resize(members * d, 0.0);
        sums.clear();
        sums.resize(members * part.values.width(head), 0.0);
        let weights = &scores[..members * stride];
        part.values.add(head, weights, stride, 0..held, sums);
        part.values.finish(head, sums, joining, out);
    }

    /// Adds the weighted value of the newest entry, number `held`.
    fn add_newest(
        &self,
        part: &Part,
        head: usize,
        held: usize,
        d: usize,
        scratch: &mut AttentionScratch,
    ) {
        let AttentionScratch {
            values,
            factors,
            scores,
            out,
            ..
        } = scratch;
        let (value, factor) = (room(values, d), room(factors, 1));
        part.values.rows(head, held..held + 1, value, factor, None);
        let mut weights: Vec<f32> = scores
            .chunks_exact(held + 1)
            .take(self.members.len())
            .map(|weights| weights[held])
            .collect();
        weights.iter_mut().for_each(|weight| *weight *= factor[0]);
        let left = Left {
            data: &weights,
            row: 1,
            step: 1,
        };
        add_weighted(left, [weights.len(), 1, d], value, out, d);
    }
}

/// Attends to the entries that a run holds for one KV head.
fn attend_run(
    run: &Run,
    kv_head: usize,
    kv_heads: usize,
    step: Step<'_>,
    attending: &mut Attending,
) {
    let copies = run.heads() / kv_heads;
    for copy in 0..copies {
        let (part, head) = run.place(kv_head * copies + copy);
        let members = match copies {
            1 => step.members.clone(),
            _ => copy..copy + 1,
        };
        Step { members, ..step }.held(part, head, attending);
    }
}
