//! The interface of a way to store keys or values. Only `read` and a few others must be written; the rest has defaults.

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

/// Keys or values of one or several KV heads. Each head has its own number of vectors.
///
/// Every form can decode its vectors ([`read`](Form::read)); tests compare its other operations with that. A decoded
/// token attends in the form's own space: [`scores`](Form::scores) gives scores, the caller turns them into weights,
/// [`add`](Form::add) sums weighted vectors into an accumulator, and [`finish`](Form::finish) turns that into the
/// weighted sum.
pub trait Form: Debug + Send + Sync {
    /// Elements of a vector.
    fn dim(&self) -> usize;

    /// Number of vectors of a head.
    fn len(&self, head: usize) -> usize;

    /// Bytes that all heads hold, by what they are spent on.
    fn bytes(&self) -> Bytes;

    /// Number of codewords. None if the form has no codebook.
    fn codewords(&self) -> Option<usize> {
        None
    }

    /// Decodes the vectors `entries` of a head into `out` in f32, `[entries, dim]`. Keys come as they are stored,
    /// rotated or not.
    fn read(&self, head: usize, entries: &[u32], out: &mut [f32]);

    /// Decodes the vectors `span` of a head, each split into a row of `rows`, `[span, dim]`, and the factor it is to be
    /// multiplied by, in `factors`, `[span]`. A form with a codebook also compares `joining`, a vector about to be
    /// appended, with the codewords that it reads.
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

    /// Vectors `span` of a head in f32, `[span, dim]`: borrowed if they are stored as f32, else decoded into `scratch`.
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

    /// The matrix of a head. None if its vectors are not stored whole.
    fn whole(&self, _head: usize) -> Option<&Rows> {
        None
    }

    /// Writes the dot products of the vectors `span` of a head with `queries`, `[members, dim]`, to columns `span` of
    /// `scores`, `[members, stride]`. Compares `joining` as [`rows`](Form::rows) does.
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

    /// Elements of a head's accumulator for each query head.
    fn width(&self, _head: usize) -> usize {
        self.dim()
    }

    /// Adds the vectors `span` of a head, weighted by columns `span` of `weights`, `[members, stride]`, to the
    /// accumulator `sums`, `[members, width]`.
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

    /// Turns the accumulator `sums`, `[members, width]`, into weighted sums of vectors and adds them to `out`,
    /// `[members, dim]`. A form with a codebook also compares `joining` with the codewords that it reads.
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

    /// The first of `rows`, `[n, width]` (a token's vectors of all KV heads), with a vector that is not finite or that
    /// this form cannot hold.
    fn fault(&self, side: Side, rows: &[f32], width: usize) -> Option<Fault> {
        Fault::of_rows(side.name(), rows, width, 0)
    }

    /// Number of vectors that may be appended before [`settle`](Form::settle) must be called.
    fn chunk(&self) -> usize {
        usize::MAX
    }

    /// Rewrites stored vectors that are due for it. Called after the appended tokens have attended.
    fn settle(&mut self) {}

    /// A copy that grows on its own. A form shares only what it never changes (`Coded`: codewords of the prompt) and
    /// copies the rest.
    fn fork(&self) -> Box<dyn Form>;
}

/// Multiplies each row of `rows` by its factor.
pub(super) fn scale_rows(rows: &mut [f32], factors: &[f32]) {
    let d = rows.len() / factors.len().max(1);
    for (row, factor) in rows.chunks_exact_mut(d.max(1)).zip(factors) {
        row.iter_mut().for_each(|x| *x *= factor);
    }
}

/// Computes [`Form::scores`] from [`Form::rows`], block by block.
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

/// Writes the dot products of `rows`, each times its factor, with each query to columns `block` of `scores`.
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
