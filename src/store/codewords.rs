//! The codewords of a codebook as they are stored, and how a further vector joins them (docs/PAPER.md 1.6 to 1.8).

use std::ops::Range;
use std::sync::Arc;

use super::blocks::{STEP_BLOCK, blocks};
use super::rows::{Rows, StoreType};
use super::scratch::room;
use crate::kernel::{dots, norm};

/// The codewords that keys or values are written in. Grows where an appended vector is like none of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Codewords {
    /// Those of the prompt, `[codewords, dim]`: shared with every fork.
    of_prompt: Arc<Rows>,
    /// Those added since.
    added: Rows,
    /// Unit vectors, that entries multiply by their norms; else whole vectors, used as they are.
    are_units: bool,
    /// An appended vector joins a codeword when their cosine is above this, up to the rounding of the storage type.
    /// At 1 none does: whether it equals one, rounding has hidden.
    theta: f32,
}

impl Codewords {
    /// `vectors`: `[codewords, dim]`.
    pub fn new(dim: usize, store: StoreType, vectors: &[f32], are_units: bool, theta: f32) -> Self {
        Self {
            of_prompt: Arc::new(Rows::from_f32(dim, store, vectors)),
            added: Rows::new(dim, store),
            are_units,
            theta,
        }
    }

    /// Codewords, those of the prompt and those added since.
    pub fn len(&self) -> usize {
        self.of_prompt.len() + self.added.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Elements of a codeword.
    pub fn dim(&self) -> usize {
        self.of_prompt.dim()
    }

    /// Element type that they are stored in.
    pub fn store(&self) -> StoreType {
        self.of_prompt.store()
    }

    /// Bytes of all codewords.
    pub fn bytes(&self) -> u64 {
        self.of_prompt.bytes() + self.added.bytes()
    }

    /// Those of `range` as f32, `[range, dim]`, borrowed where they are stored so.
    pub fn block<'a>(&'a self, range: Range<usize>, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        let first = self.of_prompt.len();
        if range.end <= first {
            return self.of_prompt.block(range, scratch);
        }
        if range.start >= first {
            return self
                .added
                .block(range.start - first..range.end - first, scratch);
        }
        let d = self.dim();
        let out = room(scratch, range.len() * d);
        let (of_prompt, added) = out.split_at_mut((first - range.start) * d);
        self.of_prompt.read_span(range.start..first, of_prompt);
        self.added.read_span(0..range.end - first, added);
        out
    }

    /// Writes those at `codes` as f32 into `out`, `[codes, dim]`.
    pub fn read_all(&self, codes: &[u32], out: &mut [f32]) {
        let (first, d) = (self.of_prompt.len() as u32, self.dim());
        let mut rest = out;
        for codes in codes.chunk_by(|a, b| (*a < first) == (*b < first)) {
            let (here, after) = rest.split_at_mut(codes.len() * d);
            if codes[0] < first {
                self.of_prompt.read_all(codes, here);
            } else {
                for (&code, out) in codes.iter().zip(here.chunks_exact_mut(d)) {
                    let row = (code - first) as usize;
                    self.added.read_span(row..row + 1, out);
                }
            }
            rest = after;
        }
    }

    /// Compares a vector with some of them: `vectors`, `[n, dim]`, whose numbers are `codes`.
    pub fn compare(
        &self,
        joining: &mut Joining,
        vectors: &[f32],
        codes: impl Iterator<Item = usize>,
    ) {
        let d = self.dim();
        joining.cosines.resize(vectors.len() / d, 0.0);
        dots(&joining.unit, vectors, &mut joining.cosines);
        if !self.are_units {
            for (cosine, codeword) in joining.cosines.iter_mut().zip(vectors.chunks_exact(d)) {
                let norm = norm(codeword);
                *cosine /= norm.max(f32::MIN_POSITIVE);
            }
        }
        for (code, &cosine) in codes.zip(&joining.cosines) {
            let (best, most) = joining.nearest;
            if cosine > most || cosine == most && code < best {
                joining.nearest = (code, cosine);
            }
        }
    }

    /// Compares a vector with each of them.
    fn compare_all(&self, joining: &mut Joining) {
        let mut scratch = Vec::new();
        for block in blocks(0..self.len(), STEP_BLOCK) {
            let vectors = self.block(block.clone(), &mut scratch);
            self.compare(joining, vectors, block);
        }
        joining.is_compared = true;
    }

    /// The codeword for one more vector: the nearest one whose cosine is above the threshold, else a new one. A vector
    /// that was not compared with all of them yet is compared now.
    pub fn admit(&mut self, joining: &mut Joining) -> usize {
        if !joining.is_compared {
            self.compare_all(joining);
        }
        let (nearest, cosine) = joining.nearest;
        // A stored codeword can be a hair longer than 1, and the product with it too.
        if cosine.min(1.0) > self.theta {
            return nearest;
        }
        self.added.push(match self.are_units {
            true => &joining.unit,
            false => joining.vector,
        });
        self.len() - 1
    }
}

/// A vector on its way into a form.
pub struct Joining<'v> {
    vector: &'v [f32],
    norm: f32,
    /// Its direction; empty where the form does not ask for it.
    unit: Vec<f32>,
    /// Whether it was compared with all codewords.
    pub is_compared: bool,
    /// Of the entries, how many of the first it was compared with.
    passed: usize,
    /// Of the codewords it was compared with the nearest, the first of several, and their cosine.
    nearest: (usize, f32),
    cosines: Vec<f32>,
}

impl<'v> Joining<'v> {
    /// A vector that is stored as it is.
    pub fn as_it_is(vector: &'v [f32]) -> Self {
        Self {
            vector,
            norm: 0.0,
            unit: Vec::new(),
            is_compared: false,
            passed: 0,
            nearest: (0, f32::NEG_INFINITY),
            cosines: Vec::new(),
        }
    }

    /// A vector whose direction is compared with codewords.
    pub fn by_direction(vector: &'v [f32]) -> Self {
        let norm = norm(vector);
        let inverse = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        Self {
            norm,
            unit: vector.iter().map(|x| x * inverse).collect(),
            ..Self::as_it_is(vector)
        }
    }

    /// Notes that it was compared with the codewords of entries `span` of `len`, which are all that there are.
    pub fn pass(&mut self, span: Range<usize>, len: usize) {
        if span.start == self.passed {
            self.passed = span.end;
            self.is_compared = span.end == len;
        }
    }

    /// The vector to be stored, `[dim]`.
    pub fn vector(&self) -> &'v [f32] {
        self.vector
    }

    /// Its Euclidean norm; 0 where it is stored as it is.
    pub fn norm(&self) -> f32 {
        self.norm
    }
}
