//! Attention of a sequence of tokens. A task takes up to 64 tokens of one KV head, decodes its entries to f32 block by
//! block, and attends all of its tokens to each block.

use std::ops::Range;

use rayon::prelude::*;

use super::keys::Stored;
use super::rule::{Pass, Rule};
use super::scratch::{AttentionScratch, with_scratch};
use super::softmax::Attending;
use crate::store::{LayerStore, Rotate, Run, SEQUENCE_BLOCK, blocks, room};

/// Tokens per task, few enough that a long prefill has many tasks.
const TOKENS: usize = 64;

/// Queries of successive tokens, `[n, heads, head_dim]`, not rotated, at their positions.
#[derive(Clone, Copy)]
pub(super) struct Queries<'a> {
    pub rows: &'a [f32],
    pub positions: &'a [usize],
    /// Whether each token sees the entries up to its own only, which are the last entries held. Else every token sees
    /// every entry.
    pub causal: bool,
}

impl Queries<'_> {
    fn len(&self) -> usize {
        self.positions.len()
    }

    /// Number of last entries that token `t` does not see.
    fn hidden(&self, t: usize) -> usize {
        match self.causal {
            true => self.len() - 1 - t,
            false => 0,
        }
    }
}

/// Attends every query to the entries of the layer. Returns `[n, heads * head_dim]`. Adds the attention that each entry
/// draws to `drawn`, per query head, by the entry's number over all runs.
pub(super) fn attend(
    rule: &Rule,
    layer: &LayerStore,
    queries: Queries<'_>,
    mut drawn: Option<&mut [Vec<f32>]>,
) -> Vec<f32> {
    let (kv_heads, d) = (layer.kv_heads(), layer.head_dim());
    let (count, heads) = (queries.len(), queries.rows.len() / (queries.len() * d));
    let group = heads / kv_heads;
    let draws = drawn.is_some();
    let tasks: Vec<QueryBlock<'_>> = (0..kv_heads)
        .flat_map(|kv_head| {
            (0..count)
                .step_by(TOKENS)
                .map(move |first| (kv_head, first))
        })
        .map(|(kv_head, first)| QueryBlock {
            rule,
            layer,
            queries,
            kv_head,
            group,
            tokens: first..(first + TOKENS).min(count),
        })
        .collect();
    let outputs: Vec<(Vec<f32>, Vec<f32>)> = tasks.par_iter().map(|task| task.run(draws)).collect();
    let mut out = vec![0.0; count * heads * d];
    for (task, (block, _)) in tasks.iter().zip(&outputs) {
        let tokens = task.tokens.len();
        for (row, values) in block.chunks_exact(d).enumerate() {
            let (member, t) = (row / tokens, task.tokens.start + row % tokens);
            let start = (t * heads + task.kv_head * group + member) * d;
            out[start..start + d].copy_from_slice(values);
        }
    }
    for (task, (_, columns)) in tasks.iter().zip(&outputs) {
        let Some(drawn) = &mut drawn else { break };
        let drawn = &mut drawn[task.kv_head * group..(task.kv_head + 1) * group];
        for (sums, columns) in drawn.iter_mut().zip(columns.chunks(columns.len() / group)) {
            sums.resize(columns.len().max(sums.len()), 0.0);
            sums.iter_mut().zip(columns).for_each(|(s, c)| *s += c);
        }
    }
    out
}

/// A task: some tokens of the query heads of one KV head.
struct QueryBlock<'a> {
    rule: &'a Rule,
    layer: &'a LayerStore,
    queries: Queries<'a>,
    kv_head: usize,
    group: usize,
    tokens: Range<usize>,
}

impl QueryBlock<'_> {
    /// Returns the attention outputs, per query head `[tokens, head_dim]`, and, if `draws`, the attention that each
    /// entry draws, `[group, entries]`.
    fn run(&self, draws: bool) -> (Vec<f32>, Vec<f32>) {
        let mut attending = self.attending();
        let mut rank = 0;
        for (run, grows) in self.runs() {
            self.absorb(run, grows, rank, &mut attending);
            rank += run.len(self.kv_head * run.heads() / self.layer.kv_heads());
        }
        let columns = match draws {
            true => self.drawn(&mut attending),
            false => Vec::new(),
        };
        (attending.finish(), columns)
    }

    /// The runs of the layer, each with whether new tokens were appended to it.
    fn runs(&self) -> impl Iterator<Item = (&Run, bool)> {
        let prompt = self.layer.prompt.iter().map(|run| (&**run, false));
        prompt.chain([(&self.layer.open, self.queries.causal)])
    }

    /// Position of token `t` of the task.
    fn position(&self, t: usize) -> usize {
        self.queries.positions[self.tokens.start + t]
    }

    fn attending(&self) -> Attending {
        let d = self.layer.head_dim();
        let heads = self.layer.kv_heads() * self.group;
        let by_rank = self.layer.open.rotate == Rotate::ByRank;
        let held: usize = self.layer.runs().map(|run| run.len(self.kv_head)).sum();
        let mut rows = Vec::with_capacity(self.group * self.tokens.len() * d);
        for member in 0..self.group {
            for t in self.tokens.clone() {
                let start = (t * heads + self.kv_head * self.group + member) * d;
                let at = rows.len();
                rows.extend_from_slice(&self.queries.rows[start..start + d]);
                if let Some(rope) = &self.rule.rope {
                    let position = match by_rank {
                        true => held - 1 - self.queries.hidden(t),
                        false => self.queries.positions[t],
                    };
                    rope.rotate_in_place(&mut rows[at..], position);
                }
            }
        }
        Attending::new(self.rule, rows, d, self.tokens.len(), Pass::Sequence)
    }

    /// Attends to one run. `rank`: entries in the runs before it.
    fn absorb(&self, run: &Run, grows: bool, rank: usize, attending: &mut Attending) {
        let copies = run.heads() / self.layer.kv_heads();
        for copy in 0..copies {
            let (part, head) = run.place(self.kv_head * copies + copy);
            let stored = Stored {
                part,
                head,
                rotate: run.rotate,
                rule: self.rule,
                rank,
            };
            let entries = &part.entries[head];
            let members = match copies {
                1 => 0..self.group,
                _ => copy..copy + 1,
            };
            if entries.lists.is_none() {
                self.absorb_entries(&stored, grows, members, None, attending);
                continue;
            }
            for member in members {
                let mut seen = with_scratch(|scratch| std::mem::take(&mut scratch.seen));
                entries.seen(member, stored.len(), &mut seen);
                self.absorb_entries(&stored, grows, member..member + 1, Some(&seen), attending);
                with_scratch(|scratch| scratch.seen = seen);
            }
        }
    }

    /// Attends some query heads to the entries `listed`, or to all entries of the head.
    fn absorb_entries(
        &self,
        stored: &Stored<'_>,
        grows: bool,
        members: Range<usize>,
        listed: Option<&[u32]>,
        attending: &mut Attending,
    ) {
        let all = listed.map_or(stored.len(), <[u32]>::len);
        let visible = |t: usize| self.visible(stored, grows, listed, all, t);
        let last = (0..self.tokens.len())
            .map(|t| visible(t).end)
            .max()
            .unwrap_or(0);
        with_scratch(|AttentionScratch { keys, values, .. }| {
            for block in blocks(0..last, SEQUENCE_BLOCK) {
                let start = block.start;
                let keys = read_keys(stored, listed, block.clone(), keys);
                let values = read_values(stored, listed, block, values);
                attending.absorb(members.clone(), keys, values, |t| {
                    let Range { start: from, end } = visible(t);
                    from.saturating_sub(start)..end.saturating_sub(start)
                });
            }
        });
    }

    /// The entries that token `t` sees, of the `all` entries of a list or of the head.
    fn visible(
        &self,
        stored: &Stored<'_>,
        grows: bool,
        listed: Option<&[u32]>,
        all: usize,
        t: usize,
    ) -> Range<usize> {
        let hidden = match grows {
            true => self.queries.hidden(self.tokens.start + t),
            false => 0,
        };
        let end = all - hidden;
        let entry = |i: usize| listed.map_or(i, |listed| listed[i] as usize);
        stored.first_in_window(end, entry, self.position(t))..end
    }

    /// The attention that each entry draws from each query head, `[group, entries]` (H2O's heavy hitters). Makes a
    /// second pass over the keys with the final softmax sums, so that no matrix of `queries x entries` is held.
    ///
    /// # Panics
    /// If query heads see different entries: an entry then has no single number.
    fn drawn(&self, attending: &mut Attending) -> Vec<f32> {
        let entries: usize = self.layer.runs().map(|run| run.len(self.kv_head)).sum();
        let mut sums = vec![0.0; self.group * entries];
        let (mut scratch, mut rank) = (Vec::new(), 0);
        for (run, grows) in self.runs() {
            let (part, head) = run.place(self.kv_head);
            assert!(
                run.heads() == self.layer.kv_heads() && part.entries[head].lists.is_none(),
                "attention drawn from entries that query heads do not share"
            );
            let stored = Stored {
                part,
                head,
                rotate: run.rotate,
                rule: self.rule,
                rank,
            };
            let all = stored.len();
            for block in blocks(0..all, SEQUENCE_BLOCK) {
                let (start, n) = (block.start, block.len());
                let keys = read_keys(&stored, None, block, &mut scratch);
                for (member, sums) in sums.chunks_exact_mut(entries).enumerate() {
                    let visible = |t: usize| {
                        let Range { start: from, end } = self.visible(&stored, grows, None, all, t);
                        from.saturating_sub(start)..end.saturating_sub(start)
                    };
                    attending.add_drawn(member, keys, visible, &mut sums[rank + start..][..n]);
                }
            }
            rank += all;
        }
        sums
    }
}

/// Decodes and rotates the keys of entries `block` of a list or of all, `[block, head_dim]`.
fn read_keys<'s>(
    stored: &'s Stored<'_>,
    listed: Option<&[u32]>,
    block: Range<usize>,
    scratch: &'s mut Vec<f32>,
) -> &'s [f32] {
    let (form, head) = (&stored.part.keys, stored.head);
    let is_rotated = stored.rotate == Rotate::AtWrite || stored.rule.rope.is_none();
    if listed.is_none() && is_rotated {
        return form.block(head, block, scratch);
    }
    let all: Vec<u32>;
    let entries = match listed {
        Some(listed) => &listed[block.clone()],
        None => {
            all = (block.start as u32..block.end as u32).collect();
            &all
        }
    };
    let keys = room(scratch, entries.len() * form.dim());
    form.read(head, entries, keys);
    stored.rotate(keys, entries, block.start);
    keys
}

/// Decodes the values of the same entries, `[block, head_dim]`.
fn read_values<'s>(
    stored: &'s Stored<'_>,
    listed: Option<&[u32]>,
    block: Range<usize>,
    scratch: &'s mut Vec<f32>,
) -> &'s [f32] {
    let (form, head) = (&stored.part.values, stored.head);
    let Some(listed) = listed else {
        return form.block(head, block, scratch);
    };
    let values = room(scratch, block.len() * form.dim());
    form.read(head, &listed[block], values);
    values
}
