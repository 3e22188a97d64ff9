//! One layer's cache: a prefix (the prompt, whole or compressed) and a tail (what came after, whole).

use rayon::prelude::*;
use std::sync::Arc;

use super::code_space::CodedKv;
use super::column_sums::column_sums;
use super::dense::DenseKv;
use super::evicted::EvictedKv;
use super::fault::Fault;
use super::footprint::Footprint;
use super::rows::StoreType;
use super::softmax::Attending;
use crate::kernel::dot;
use crate::model::rope::Rope;

/// Tokens whose queries one task attends with, so that a long prefill has many tasks.
const TOKENS: usize = 64;

/// How the prompt is held.
#[derive(Debug, Clone)]
pub enum Prefix {
    Dense(Arc<DenseKv>),
    Evicted(EvictedKv),
    Coded(CodedKv),
}

impl Prefix {
    pub fn footprint(&self) -> Footprint {
        match self {
            Self::Dense(dense) => dense.footprint(),
            Self::Evicted(evicted) => evicted.footprint(),
            Self::Coded(coded) => coded.footprint(),
        }
    }

    /// Heads of one group that selected for themselves which entries are held, 1 where they selected together.
    fn selecting(&self) -> usize {
        match self {
            Self::Dense(_) => 1,
            Self::Evicted(evicted) => evicted.selecting(),
            Self::Coded(coded) => coded.selecting(),
        }
    }
}

/// Shape of attention in every layer of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
}

impl Geometry {
    /// Query heads per KV head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }
}

/// New tokens of one sequence in one layer, each `[n, heads of its kind, head_dim]` row-major.
pub struct NewTokens<'a> {
    /// Rotated. Of the last tokens only, where no more are to attend.
    pub queries: &'a [f32],
    pub unrotated_keys: &'a [f32],
    /// Rotated.
    pub keys: &'a [f32],
    pub values: &'a [f32],
    /// Position of the first.
    pub position: usize,
    pub pass: Pass,
}

/// How new tokens come. It decides how they attend, never how many there are: so what a token's result is does not
/// depend on which others are processed beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Successive tokens of a text that is there already: a prompt, a question, an answer that is scored.
    Sequence,
    /// One token, just generated.
    Step,
}

#[derive(Debug, Clone)]
pub struct LayerCache {
    geometry: Geometry,
    prefix: Prefix,
    tail: DenseKv,
    /// Tokens appended since the prefix was made, wherever they are held.
    appended: usize,
}

/// What a layer's cache held when the mark was made.
pub struct LayerMark {
    appended: usize,
    codewords: Vec<[usize; 2]>,
}

impl LayerCache {
    pub fn new(geometry: Geometry, prefix: Prefix, store: StoreType) -> Self {
        let tail = DenseKv::new(geometry.kv_heads, geometry.head_dim, store);
        Self {
            geometry,
            prefix,
            tail,
            appended: 0,
        }
    }

    /// A cache that holds nothing, for a prefill.
    pub fn empty(geometry: Geometry, store: StoreType) -> Self {
        let none = DenseKv::new(geometry.kv_heads, geometry.head_dim, store);
        Self::new(geometry, Prefix::Dense(Arc::new(none)), store)
    }

    /// A cache of the first `len` tokens of an earlier prefill, which go on to be appended to.
    pub fn resume(geometry: Geometry, mut kv: DenseKv, len: usize) -> Self {
        kv.truncate(len);
        let store = kv.keys[0].store();
        Self {
            tail: kv,
            appended: len,
            ..Self::empty(geometry, store)
        }
    }

    pub fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// What was appended, as a dense cache of its own.
    pub fn into_tail(self) -> DenseKv {
        self.tail
    }

    pub fn footprint(&self) -> Footprint {
        let tail = self.tail.footprint();
        let tail = Footprint {
            kept: tail.kept * self.prefix.selecting() as u64,
            ..tail
        };
        [self.prefix.footprint(), tail].into_iter().sum()
    }

    /// Whether the prompt is held in the very cache of a prefill that others hold too.
    pub(super) fn shares_prefix(&self) -> bool {
        matches!(&self.prefix, Prefix::Dense(dense) if Arc::strong_count(dense) > 1)
    }

    /// Appends new tokens and attends their queries causally to everything held. Returns `[n, heads * head_dim]`.
    pub fn attend(&mut self, new: &NewTokens<'_>, rope: &Rope) -> Vec<f32> {
        if let (Pass::Step, Prefix::Coded(coded)) = (new.pass, &mut self.prefix)
            && coded.codes_decoded
        {
            self.appended += 1;
            return coded.step(new, rope);
        }
        self.append(new);
        let before = self.appended - self.tokens(new.queries);
        self.attend_rows(new.queries, new.pass, rope, |t| before + t + 1, None)
    }

    /// Attends queries `[n, heads, head_dim]`, rotated, each to everything held, and appends nothing. Returns
    /// `[n, heads * head_dim]`.
    pub fn attend_held(&self, queries: &[f32], rope: &Rope) -> Vec<f32> {
        self.attend_rows(queries, Pass::Sequence, rope, |_| self.appended, None)
    }

    /// As [`LayerCache::attend`] in a prefill, which starts from an empty cache: also adds the attention that each
    /// entry draws to `sums`, per query head, which grow with the entries.
    pub fn attend_summing(
        &mut self,
        new: &NewTokens<'_>,
        rope: &Rope,
        sums: &mut [Vec<f32>],
    ) -> Vec<f32> {
        self.append(new);
        let before = self.appended - self.tokens(new.queries);
        self.attend_rows(new.queries, new.pass, rope, |t| before + t + 1, Some(sums))
    }

    /// The first of the new tokens with a key or a value that is not finite or that this cache cannot hold. Where they
    /// are coded, their norms are what must be held.
    pub fn fault(&self, new: &NewTokens<'_>) -> Option<Fault> {
        let Geometry {
            kv_heads, head_dim, ..
        } = self.geometry;
        let store = self.tail.keys[0].store();
        let stored =
            |what, rows: &[f32], width| Fault::of_stored(what, rows, width, new.position, store);
        match &self.prefix {
            Prefix::Coded(coded) if coded.codes_decoded => {
                let keys = norms(coded.keys_of(new.unrotated_keys, new.keys), head_dim);
                stored("norms of keys", &keys, kv_heads)
                    .or_else(|| stored("norms of values", &norms(new.values, head_dim), kv_heads))
            }
            _ => {
                let width = kv_heads * head_dim;
                stored("keys", new.keys, width).or_else(|| stored("values", new.values, width))
            }
        }
    }

    /// The first of the new tokens whose attention output, of `[n, heads * head_dim]`, is not finite.
    pub fn fault_of_output(&self, new: &NewTokens<'_>, output: &[f32]) -> Option<Fault> {
        let Geometry {
            heads,
            kv_heads,
            head_dim,
            ..
        } = self.geometry;
        // Only the last of the tokens may attend.
        let first = new.keys.len() / (kv_heads * head_dim) - self.tokens(output);
        Fault::of_rows("attention", output, heads * head_dim, new.position + first)
    }

    /// Tokens of queries `[n, heads, head_dim]`.
    fn tokens(&self, queries: &[f32]) -> usize {
        queries.len() / (self.geometry.heads * self.geometry.head_dim)
    }

    /// What is held now, to go back to.
    pub fn mark(&self) -> LayerMark {
        LayerMark {
            appended: self.appended,
            codewords: match &self.prefix {
                Prefix::Coded(coded) if coded.codes_decoded => coded.codewords(),
                _ => Vec::new(),
            },
        }
    }

    /// Forgets everything appended since `mark` was made of this cache.
    pub fn rewind(&mut self, mark: &LayerMark) {
        match &mut self.prefix {
            Prefix::Coded(coded) if coded.codes_decoded => {
                coded.truncate(mark.appended, &mark.codewords);
            }
            _ => self.tail.truncate(mark.appended),
        }
        self.appended = mark.appended;
    }

    fn append(&mut self, new: &NewTokens<'_>) {
        let width = self.geometry.kv_heads * self.geometry.head_dim;
        let count = new.keys.len() / width;
        for t in 0..count {
            let span = t * width..(t + 1) * width;
            let (keys, values) = (&new.keys[span.clone()], &new.values[span.clone()]);
            match &mut self.prefix {
                Prefix::Coded(coded) if coded.codes_decoded => {
                    coded.push(&new.unrotated_keys[span], keys, values, new.position + t);
                }
                _ => self.tail.push(keys, values),
            }
        }
        self.appended += count;
    }

    /// Every query head of every query, by KV head and block of tokens. Token `t` sees the first `seen(t)`
    /// entries appended.
    fn attend_rows(
        &self,
        queries: &[f32],
        pass: Pass,
        rope: &Rope,
        seen: impl Fn(usize) -> usize + Sync,
        mut sums: Option<&mut [Vec<f32>]>,
    ) -> Vec<f32> {
        let Geometry {
            heads,
            kv_heads,
            head_dim,
            ..
        } = self.geometry;
        let group = self.geometry.group();
        let count = self.tokens(queries);
        let summing = sums.is_some();
        let blocks: Vec<(usize, usize)> = (0..kv_heads)
            .flat_map(|h| (0..count).step_by(TOKENS).map(move |t| (h, t)))
            .collect();
        let outputs: Vec<(Vec<f32>, Vec<f32>)> = blocks
            .par_iter()
            .map(|&(kv_head, first)| {
                let tokens = TOKENS.min(count - first);
                let mut rows = Vec::with_capacity(group * tokens * head_dim);
                for member in 0..group {
                    for t in first..first + tokens {
                        let start = (t * heads + kv_head * group + member) * head_dim;
                        rows.extend_from_slice(&queries[start..start + head_dim]);
                    }
                }
                let mut attending = Attending::new(rows, head_dim, tokens, pass);
                let seen = |t: usize| seen(first + t);
                self.absorb(kv_head, &mut attending, rope, seen);
                let columns = match summing {
                    true => column_sums(&self.tail, kv_head, &mut attending, seen),
                    false => Vec::new(),
                };
                (attending.finish(), columns)
            })
            .collect();
        let mut out = vec![0.0; count * heads * head_dim];
        for (&(kv_head, first), (block, _)) in blocks.iter().zip(&outputs) {
            let tokens = TOKENS.min(count - first);
            for (row, values) in block.chunks_exact(head_dim).enumerate() {
                let (member, t) = (row / tokens, first + row % tokens);
                let start = (t * heads + kv_head * group + member) * head_dim;
                out[start..start + head_dim].copy_from_slice(values);
            }
        }
        for (&(kv_head, _), (_, columns)) in blocks.iter().zip(&outputs) {
            let Some(sums) = &mut sums else { break };
            let sums = &mut sums[kv_head * group..(kv_head + 1) * group];
            for (sums, columns) in sums.iter_mut().zip(columns.chunks(columns.len() / group)) {
                sums.resize(columns.len().max(sums.len()), 0.0);
                sums.iter_mut().zip(columns).for_each(|(s, c)| *s += c);
            }
        }
        out
    }

    fn absorb(
        &self,
        kv_head: usize,
        attending: &mut Attending,
        rope: &Rope,
        appended: impl Fn(usize) -> usize,
    ) {
        let group = attending.members();
        match &self.prefix {
            Prefix::Dense(dense) => {
                let len = dense.len(kv_head);
                dense.absorb(kv_head, attending, 0..group, |_| len);
            }
            Prefix::Evicted(evicted) => evicted.absorb(kv_head, attending),
            Prefix::Coded(coded) if coded.codes_decoded => {
                return coded.absorb(kv_head, rope, attending, appended);
            }
            Prefix::Coded(coded) => coded.absorb(kv_head, rope, attending, |_| 0),
        }
        if attending.pass() == Pass::Step {
            let len = self.tail.len(kv_head);
            let (members, held) = (0..group, len - 1);
            return self
                .tail
                .absorb_step(kv_head, attending, members, len, None, held);
        }
        self.tail.absorb(kv_head, attending, 0..group, appended);
    }

    /// Keys (rotated) and values that one query head attends to, `[n, head_dim]` each, as plain vectors: slow, the
    /// oracle of [`LayerCache::attend`].
    pub fn materialize(&self, head: usize, rope: &Rope) -> (Vec<f32>, Vec<f32>) {
        let group = self.geometry.group();
        let kv_head = head / group;
        let (mut keys, mut values) = match &self.prefix {
            Prefix::Dense(dense) => (dense.keys[kv_head].to_f32(), dense.values[kv_head].to_f32()),
            Prefix::Evicted(evicted) => evicted.materialize(head),
            Prefix::Coded(coded) => coded.materialize(kv_head, head % group, rope),
        };
        keys.extend(self.tail.keys[kv_head].to_f32());
        values.extend(self.tail.values[kv_head].to_f32());
        (keys, values)
    }
}

/// The norm of each vector of `rows`, `[n, head_dim]`.
fn norms(rows: &[f32], head_dim: usize) -> Vec<f32> {
    let norm = |row: &[f32]| dot(row, row).sqrt();
    rows.chunks_exact(head_dim).map(norm).collect()
}
