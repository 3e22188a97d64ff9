//! What a way to store vectors must offer, and what it gets for it.

use std::fmt::Debug;
use std::ops::Range;

use super::blocks::{STEP_BLOCK, blocks};
use super::codewords::Joining;
use super::fault::Fault;
use super::footprint::Bytes;
use super::rows::Rows;
use super::scratch::{Scratch, room, with_scratch};
use crate::kernel::{Left, add_weighted, dots};

/// Keys or values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Keys, to which RoPE is applied.
    Keys,
    /// Values, to which it is not.
    Values,
}

impl Side {
    /// The side's name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Values => "values",
        }
    }
}

/// The keys or the values of some KV heads, each head with a number of its own, in the form that they are stored in.
///
/// Every form can be read back, which is the oracle of all else. A decoded token attends in the form's own space:
/// [`scores`](Form::scores), then weights, then [`add`](Form::add) into an accumulator that [`finish`](Form::finish)
/// turns into the weighted sum.
pub trait Form: Debug + Send + Sync {
    /// Elements of a vector.
    fn dim(&self) -> usize;

    /// Vectors of a head.
    fn len(&self, head: usize) -> usize;

    /// Bytes that all heads hold, by what they are spent on.
    fn bytes(&self) -> Bytes;

    /// Codewords that the vectors are written in. None: they are written otherwise.
    fn codewords(&self) -> Option<usize> {
        None
    }

    /// The vectors `entries` of a head, `[entries, dim]`, as whoever attends to them sees them.
    fn read(&self, head: usize, entries: &[u32], out: &mut [f32]);

    /// Vectors `span` of a head, each up to a factor: `rows`, `[span, dim]`, times `factors`, `[span]`. A vector that is
    /// to join those that are stored is compared with what is read.
    fn rows(
        &self,
        head: usize,
        span: Range<usize>,
        rows: &mut [f32],
        factors: &mut [f32],
        _joining: Option<&mut Joining>,
    ) {
        let entries: Vec<u32> = (span.start as u32..span.end as u32).collect();
        self.read(head, &entries, rows);
        factors.fill(1.0);
    }

    /// Vectors `span` of a head, `[span, dim]`: borrowed where they are stored so, else put into `scratch`.
    fn block<'a>(
        &'a self,
        head: usize,
        span: Range<usize>,
        scratch: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        let out = room(scratch, span.len() * self.dim());
        with_scratch(|Scratch { factors, .. }| {
            let factors = room(factors, span.len());
            self.rows(head, span, out, factors, None);
            scale_rows(out, factors);
        });
        out
    }

    /// The vectors of a head where they are stored whole.
    fn whole(&self, _head: usize) -> Option<&Rows> {
        None
    }

    /// Products of the vectors `span` of a head with `queries`, `[members, dim]`: columns `span` of `scores`,
    /// `[members, stride]`. A vector that is to join is compared as in [`rows`](Form::rows).
    fn scores(
        &self,
        head: usize,
        queries: &[f32],
        span: Range<usize>,
        joining: Option<&mut Joining>,
        scores: &mut [f32],
        stride: usize,
    ) {
        scores_by_rows(self, head, queries, span, joining, scores, stride);
    }

    /// Elements of the accumulator of a head, for each query head.
    fn width(&self, _head: usize) -> usize {
        self.dim()
    }

    /// Adds the vectors `span` of a head to `sums`, `[members, width]`, weighted by columns `span` of `weights`,
    /// `[members, stride]`.
    fn add(
        &self,
        head: usize,
        weights: &[f32],
        stride: usize,
        span: Range<usize>,
        sums: &mut [f32],
    ) {
        let d = self.dim();
        with_scratch(|Scratch { rows, factors, .. }| {
            for block in blocks(span, STEP_BLOCK) {
                let (rows, factors) = (room(rows, block.len() * d), room(factors, block.len()));
                self.rows(head, block.clone(), rows, factors, None);
                scale_rows(rows, factors);
                let shape = [sums.len() / d, block.len(), d];
                let left = Left {
                    data: &weights[block.start..],
                    row: stride,
                    step: 1,
                };
                add_weighted(left, shape, rows, sums, d);
            }
        });
    }

    /// Adds what `sums`, `[members, width]`, stand for to `out`, `[members, dim]`. A vector that is to join is compared
    /// with what is read.
    fn finish(&self, _head: usize, sums: &[f32], _joining: Option<&mut Joining>, out: &mut [f32]) {
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out += sum);
    }

    /// Prepares a vector to be appended.
    fn join<'v>(&self, vector: &'v [f32]) -> Joining<'v> {
        Joining::as_it_is(vector)
    }

    /// Appends a vector to a head.
    fn append(&mut self, head: usize, joining: &mut Joining);

    /// Keeps the vectors `entries` of a head, ascending.
    fn keep(&mut self, head: usize, entries: &[u32]);

    /// The first of `rows`, `[n, width]` of all KV heads, that has a vector which is not finite or that this form cannot
    /// hold.
    fn fault(&self, side: Side, rows: &[f32], width: usize) -> Option<Fault> {
        Fault::of_rows(side.name(), rows, width, 0)
    }

    /// Vectors that may be appended before [`settle`](Form::settle) is due.
    fn chunk(&self) -> usize {
        usize::MAX
    }

    /// Writes anew what is due. Called when the tokens that were appended have attended.
    fn settle(&mut self) {}

    /// Another one like it, that goes on by itself. What the prompt brought is shared, not copied.
    fn fork(&self) -> Box<dyn Form>;
}

/// Multiplies each of `rows` by its factor.
pub(super) fn scale_rows(rows: &mut [f32], factors: &[f32]) {
    let d = rows.len() / factors.len().max(1);
    for (row, factor) in rows.chunks_exact_mut(d.max(1)).zip(factors) {
        row.iter_mut().for_each(|x| *x *= factor);
    }
}

/// [`Form::scores`] by [`Form::rows`], block by block.
pub(super) fn scores_by_rows(
    form: &(impl Form + ?Sized),
    head: usize,
    queries: &[f32],
    span: Range<usize>,
    mut joining: Option<&mut Joining>,
    scores: &mut [f32],
    stride: usize,
) {
    let d = form.dim();
    with_scratch(|Scratch { rows, factors, .. }| {
        for block in blocks(span, STEP_BLOCK) {
            let (rows, factors) = (room(rows, block.len() * d), room(factors, block.len()));
            form.rows(head, block.clone(), rows, factors, joining.as_deref_mut());
            score_rows(queries, rows, factors, block, scores, stride);
        }
    });
}

/// Products of `rows`, each times its factor, with each of the queries: columns `block` of `scores`.
pub fn score_rows(
    queries: &[f32],
    rows: &[f32],
    factors: &[f32],
    block: Range<usize>,
    scores: &mut [f32],
    stride: usize,
) {
    let d = rows.len() / factors.len().max(1);
    for (query, scores) in queries
        .chunks_exact(d.max(1))
        .zip(scores.chunks_exact_mut(stride))
    {
        let scores = &mut scores[block.clone()];
        dots(query, rows, scores);
        scores
            .iter_mut()
            .zip(factors)
            .for_each(|(score, factor)| *score *= factor);
    }
}
