//! The codewords of a codebook as they are stored, and how a further vector joins them (docs/PAPER.md 1.6 to 1.8).

use std::ops::Range;
use std::sync::Arc;

use super::blocks::{STEP_BLOCK, blocks};
use super::rows::{Rows, StoreType};
use super::scratch::room;
use crate::kernel::{dots, norm};

/// The stored codewords of keys or values. An appended vector that is near none of them is added as a new one.
#[derive(Debug, Clone, PartialEq)]
pub struct Codewords {
    /// Codewords learnt from the prompt, `[codewords, dim]`. All forks share them.
    of_prompt: Arc<Rows>,
    /// Codewords added for appended vectors. Each fork has its own.
    added: Rows,
    /// Whether codewords are unit vectors, which each entry multiplies by its norm. Else they are used as they are.
    are_units: bool,
    /// An appended vector joins its nearest codeword if their cosine is above this, up to the rounding of the storage
    /// type. At 1 none joins: codewords are rounded when they are stored, so equality cannot be tested.
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

    /// Number of codewords: learnt from the prompt and added since.
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

    /// Element type that codewords are stored in.
    pub fn store(&self) -> StoreType {
        self.of_prompt.store()
    }

    /// Bytes of all codewords.
    pub fn bytes(&self) -> u64 {
        self.of_prompt.bytes() + self.added.bytes()
    }

    /// Codewords number `range` in f32, `[range, dim]`: borrowed if they are stored as f32, else decoded into
    /// `scratch`.
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

    /// Writes the codewords number `codes` to `out` in f32, `[codes, dim]`.
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

    /// Compares a vector with the codewords `vectors`, `[n, dim]`, whose numbers are `codes`, and notes the nearest.
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

    /// Compares a vector with every codeword.
    fn compare_all(&self, joining: &mut Joining) {
        let mut scratch = Vec::new();
        for block in blocks(0..self.len(), STEP_BLOCK) {
            let vectors = self.block(block.clone(), &mut scratch);
            self.compare(joining, vectors, block);
        }
        joining.is_compared = true;
    }

    /// Returns the number of the codeword for an appended vector: the nearest if its cosine is above the threshold,
    /// else a new one. Compares the vector with every codeword first, unless that is done.
    pub fn admit(&mut self, joining: &mut Joining) -> usize {
        if !joining.is_compared {
            self.compare_all(joining);
        }
        let (nearest, cosine) = joining.nearest;
        // Rounding can make a stored unit vector slightly longer than 1, and the cosine with it.
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

/// A vector about to be appended to a form.
pub struct Joining<'v> {
    vector: &'v [f32],
    norm: f32,
    /// Its direction, `[dim]`. Empty if the form has no codebook.
    unit: Vec<f32>,
    /// Whether it was compared with every codeword.
    pub is_compared: bool,
    /// Number of leading entries whose codewords it was compared with.
    passed: usize,
    /// Number and cosine of the nearest codeword compared so far; of equally near ones the lowest number.
    nearest: (usize, f32),
    cosines: Vec<f32>,
}

impl<'v> Joining<'v> {
    /// A vector for a form without a codebook.
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

    /// A vector for a form with a codebook: computes its norm and direction.
    pub fn by_direction(vector: &'v [f32]) -> Self {
        let norm = norm(vector);
        let inverse = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        Self {
            norm,
            unit: vector.iter().map(|x| x * inverse).collect(),
            ..Self::as_it_is(vector)
        }
    }

    /// Notes that it was compared with the codewords of entries `span` of a head with `len` entries, which use every
    /// codeword between them. Once the spans have covered all entries in order, it was compared with every codeword.
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

    /// Its Euclidean norm; 0 for a form without a codebook.
    pub fn norm(&self) -> f32 {
        self.norm
    }
}
