//! Vectors written as `magnitude * codeword[index]` (docs/PAPER.md 1.6 to 1.8, equation 14). A decoded token attends in
//! code space: one product for each codeword, and one weight.

use std::ops::Range;

use super::blocks::{STEP_BLOCK, blocks};
use super::codewords::{Codewords, Joining};
use super::fault::Fault;
use super::footprint::{Bytes, Content};
use super::form::{Form, Side, scale_rows, scores_by_rows};
use super::indices::Indices;
use super::rows::{Rows, StoreType};
use super::scratch::{Scratch, room, with_scratch};
use crate::kernel::{Left, add_weighted, dots, norm};

/// A codebook and the KV heads whose vectors are written in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Coded {
    codewords: Codewords,
    heads: Vec<CodedRows>,
    /// Whether all vectors of a head together use every codeword. True while one head has the codebook to itself and
    /// has dropped no vector: attention then compares a new vector with every codeword as it reads the head.
    is_covered: bool,
}

/// The vectors of one KV head.
#[derive(Debug, Clone, PartialEq)]
pub struct CodedRows {
    /// The codeword of each vector.
    index: Indices,
    /// The norm of each vector, `[len, 1]`. None: the codeword is used as it is.
    magnitudes: Option<Rows>,
}

impl CodedRows {
    /// * `index`: one codeword per vector.
    /// * `magnitudes`: one norm per vector, where codewords are unit vectors.
    pub fn new(store: StoreType, index: &[u32], magnitudes: Option<&[f32]>) -> Self {
        Self {
            index: Indices::from_slice(index),
            magnitudes: magnitudes.map(|m| Rows::from_f32(1, store, m)),
        }
    }

    fn factors(&self, span: Range<usize>, factors: &mut [f32]) {
        match &self.magnitudes {
            Some(rows) => rows.read_span(span, factors),
            None => factors.fill(1.0),
        }
    }
}

impl Coded {
    /// # Panics
    /// When there are no heads.
    pub fn new(codewords: Codewords, heads: Vec<CodedRows>) -> Self {
        assert!(!heads.is_empty(), "a codebook of no head");
        Self {
            codewords,
            is_covered: heads.len() == 1,
            heads,
        }
    }
}

impl Form for Coded {
    fn dim(&self) -> usize {
        self.codewords.dim()
    }

    fn len(&self, head: usize) -> usize {
        self.heads[head].index.len()
    }

    fn bytes(&self) -> Bytes {
        let magnitudes = self
            .heads
            .iter()
            .filter_map(|head| head.magnitudes.as_ref());
        let indices = self.heads.iter().map(|head| head.index.bytes()).sum();
        Bytes::of(Content::Codewords, self.codewords.bytes())
            + Bytes::of(Content::Indices, indices)
            + Bytes::of(Content::Magnitudes, magnitudes.map(Rows::bytes).sum())
    }

    fn codewords(&self) -> Option<usize> {
        Some(self.codewords.len())
    }

    fn rows(
        &self,
        head: usize,
        span: Range<usize>,
        rows: &mut [f32],
        factors: &mut [f32],
        joining: Option<&mut Joining>,
    ) {
        let coded = &self.heads[head];
        with_scratch(|Scratch { codes, .. }| {
            coded.index.read(span.clone(), codes);
            self.codewords.read_all(codes, rows);
            if let Some(joining) = joining.filter(|_| self.is_covered) {
                let codes = codes.iter().map(|&code| code as usize);
                self.codewords.compare(joining, rows, codes);
                joining.pass(span.clone(), self.len(head));
            }
        });
        coded.factors(span, factors);
    }

    fn read(&self, head: usize, entries: &[u32], out: &mut [f32]) {
        let (coded, d) = (&self.heads[head], self.dim());
        let codes = entries
            .iter()
            .map(|&entry| coded.index.get(entry as usize) as u32);
        self.codewords.read_all(&codes.collect::<Vec<_>>(), out);
        let Some(magnitudes) = &coded.magnitudes else {
            return;
        };
        for (row, &entry) in out.chunks_exact_mut(d).zip(entries) {
            let mut magnitude = [0.0];
            magnitudes.read_span(entry as usize..entry as usize + 1, &mut magnitude);
            scale_rows(row, &magnitude);
        }
    }

    fn scores(
        &self,
        head: usize,
        queries: &[f32],
        span: Range<usize>,
        joining: Option<&mut Joining>,
        scores: &mut [f32],
        stride: usize,
    ) {
        let (d, count) = (self.dim(), self.codewords.len());
        if span.len() < count {
            return scores_by_rows(self, head, queries, span, joining, scores, stride);
        }
        let coded = &self.heads[head];
        with_scratch(|scratch| {
            let Scratch {
                rows,
                factors,
                codes,
                products,
            } = scratch;
            let words = self.codewords.block(0..count, rows);
            if let Some(joining) = joining {
                self.codewords.compare(joining, words, 0..count);
                joining.is_compared = true;
            }
            coded.index.read(span.clone(), codes);
            let factors = room(factors, span.len());
            coded.factors(span.clone(), factors);
            let products = room(products, count);
            let members = queries.chunks_exact(d).zip(scores.chunks_exact_mut(stride));
            for (query, scores) in members {
                dots(query, words, products);
                let entries = codes.iter().zip(&*factors);
                for (score, (&code, factor)) in scores[span.clone()].iter_mut().zip(entries) {
                    *score = products[code as usize] * factor;
                }
            }
        });
    }

    fn width(&self, _head: usize) -> usize {
        self.codewords.len()
    }

    fn add(
        &self,
        head: usize,
        weights: &[f32],
        stride: usize,
        span: Range<usize>,
        sums: &mut [f32],
    ) {
        let coded = &self.heads[head];
        with_scratch(|Scratch { codes, factors, .. }| {
            coded.index.read(span.clone(), codes);
            let factors = room(factors, span.len());
            coded.factors(span.clone(), factors);
            let members = weights.chunks_exact(stride);
            // There are no codewords before the first token.
            let width = self.codewords.len().max(1);
            for (weights, sums) in members.zip(sums.chunks_exact_mut(width)) {
                let entries = weights[span.clone()].iter().zip(&*factors).zip(&*codes);
                for ((weight, factor), &code) in entries {
                    sums[code as usize] += weight * factor;
                }
            }
        });
    }

    fn finish(
        &self,
        _head: usize,
        sums: &[f32],
        mut joining: Option<&mut Joining>,
        out: &mut [f32],
    ) {
        let (d, count) = (self.dim(), self.codewords.len());
        with_scratch(|Scratch { rows, .. }| {
            for block in blocks(0..count, STEP_BLOCK) {
                let words = self.codewords.block(block.clone(), rows);
                if let Some(joining) = joining.as_deref_mut() {
                    self.codewords.compare(joining, words, block.clone());
                }
                let left = Left {
                    data: &sums[block.start..],
                    row: count,
                    step: 1,
                };
                add_weighted(left, [out.len() / d, block.len(), d], words, out, d);
            }
        });
        if let Some(joining) = joining {
            joining.is_compared = true;
        }
    }

    fn join<'v>(&self, vector: &'v [f32]) -> Joining<'v> {
        Joining::by_direction(vector)
    }

    fn append(&mut self, head: usize, joining: &mut Joining) {
        let code = self.codewords.admit(joining) as u32;
        let coded = &mut self.heads[head];
        coded.index.push(code);
        if let Some(rows) = &mut coded.magnitudes {
            rows.push(&[joining.norm()]);
        }
    }

    fn keep(&mut self, head: usize, entries: &[u32]) {
        self.is_covered = false;
        let coded = &mut self.heads[head];
        coded.index = coded.index.gather(entries);
        coded.magnitudes = coded.magnitudes.as_ref().map(|rows| rows.gather(entries));
    }

    fn fault(&self, side: Side, rows: &[f32], width: usize) -> Option<Fault> {
        let what = match side {
            Side::Keys => "norms of keys",
            Side::Values => "norms of values",
        };
        let norms: Vec<f32> = rows.chunks_exact(self.dim()).map(norm).collect();
        Fault::of_stored(what, &norms, width / self.dim(), 0, self.codewords.store())
    }

    fn fork(&self) -> Box<dyn Form> {
        Box::new(self.clone())
    }
}
