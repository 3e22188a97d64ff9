//! Vectors as they are, in the cache's element type.

use std::ops::Range;

use super::blocks::{STEP_BLOCK, blocks};
use super::codewords::Joining;
use super::fault::Fault;
use super::footprint::{Bytes, Content};
use super::form::{Form, Side};
use super::rows::Rows;
use super::scratch::{Scratch, with_scratch};
use crate::kernel::{Left, add_weighted, dots};

/// A matrix for each KV head.
#[derive(Debug, Clone, PartialEq)]
pub struct Whole(pub Vec<Rows>);

impl Form for Whole {
    fn dim(&self) -> usize {
        self.0[0].dim()
    }

    fn len(&self, head: usize) -> usize {
        self.0[head].len()
    }

    fn bytes(&self) -> Bytes {
        Bytes::of(Content::Entries, self.0.iter().map(Rows::bytes).sum())
    }

    fn rows(
        &self,
        head: usize,
        span: Range<usize>,
        rows: &mut [f32],
        factors: &mut [f32],
        _joining: Option<&mut Joining>,
    ) {
        self.0[head].read_span(span, rows);
        factors.fill(1.0);
    }

    fn read(&self, head: usize, entries: &[u32], out: &mut [f32]) {
        self.0[head].read_all(entries, out);
    }

    fn block<'a>(
        &'a self,
        head: usize,
        span: Range<usize>,
        scratch: &'a mut Vec<f32>,
    ) -> &'a [f32] {
        self.0[head].block(span, scratch)
    }

    fn whole(&self, head: usize) -> Option<&Rows> {
        Some(&self.0[head])
    }

    fn scores(
        &self,
        head: usize,
        queries: &[f32],
        span: Range<usize>,
        _joining: Option<&mut Joining>,
        scores: &mut [f32],
        stride: usize,
    ) {
        with_scratch(|Scratch { rows, .. }| {
            for block in blocks(span, STEP_BLOCK) {
                let rows = self.0[head].block(block.clone(), rows);
                let queries = queries.chunks_exact(self.dim());
                for (query, scores) in queries.zip(scores.chunks_exact_mut(stride)) {
                    dots(query, rows, &mut scores[block.clone()]);
                }
            }
        });
    }

    fn add(
        &self,
        head: usize,
        weights: &[f32],
        stride: usize,
        span: Range<usize>,
        sums: &mut [f32],
    ) {
        let d = self.dim();
        with_scratch(|Scratch { rows, .. }| {
            for block in blocks(span, STEP_BLOCK) {
                let shape = [sums.len() / d, block.len(), d];
                let left = Left {
                    data: &weights[block.start..],
                    row: stride,
                    step: 1,
                };
                let rows = self.0[head].block(block, rows);
                add_weighted(left, shape, rows, sums, d);
            }
        });
    }

    fn append(&mut self, head: usize, joining: &mut Joining) {
        self.0[head].push(joining.vector());
    }

    fn keep(&mut self, head: usize, entries: &[u32]) {
        self.0[head] = self.0[head].gather(entries);
    }

    fn fault(&self, side: Side, rows: &[f32], width: usize) -> Option<Fault> {
        Fault::of_stored(side.name(), rows, width, 0, self.0[0].store())
    }

    fn fork(&self) -> Box<dyn Form> {
        Box::new(self.clone())
    }
}
