//! Vectors written as `magnitude * codeword[index]`: the codebook side of SpindleKV (PAPER sections 1.6 to 1.8).

use std::ops::Range;

use super::dense::STEP_BLOCK;
use super::indices::Indices;
use super::rows::{Rows, StoreType};
use super::scratch::{Scratch, room, with_scratch};
use crate::kernel::{dot, dots};

/// The codewords that keys or values are written in. Grows where an appended vector is like none of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Codewords {
    /// `[codewords, head_dim]`.
    vectors: Rows,
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
            vectors: Rows::from_f32(dim, store, vectors),
            are_units,
            theta,
        }
    }

    pub fn len(&self) -> usize {
        self.vectors.len()
    }

    pub fn is_empty(&self) -> bool {
        self.vectors.is_empty()
    }

    pub fn dim(&self) -> usize {
        self.vectors.dim()
    }

    pub fn bytes(&self) -> u64 {
        self.vectors.bytes()
    }

    /// Those of `range` as f32, `[codewords, head_dim]`, borrowed where they are stored so.
    pub fn block<'a>(&'a self, range: Range<usize>, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        self.vectors.block(range, scratch)
    }

    /// Writes codeword `i` as f32 into `out`, `[head_dim]`.
    pub fn read(&self, i: usize, out: &mut [f32]) {
        self.vectors.read(i, out);
    }

    /// Writes those at `indices` as f32 into `out`, `[indices, head_dim]`.
    pub fn read_all(&self, indices: &[u32], out: &mut [f32]) {
        self.vectors.read_all(indices, out);
    }

    /// Keeps the first `len`.
    pub fn truncate(&mut self, len: usize) {
        self.vectors.truncate(len);
    }

    /// Compares a vector with each of them.
    pub fn compare_all(&self, joining: &mut Joining) {
        with_scratch(|Scratch { keys, .. }| {
            for start in (0..self.len()).step_by(STEP_BLOCK) {
                let end = (start + STEP_BLOCK).min(self.len());
                let block = self.vectors.block(start..end, keys);
                self.compare(joining, block, start..end);
            }
        });
    }

    /// Compares a vector with some of them: `vectors`, `[n, head_dim]`, whose numbers are `codes`.
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
                let norm = dot(codeword, codeword).sqrt();
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

    /// The codeword for one more vector: the nearest of those it was compared with whose cosine is above the
    /// threshold, else a new one.
    fn admit(&mut self, joining: &Joining) -> usize {
        let (nearest, cosine) = joining.nearest;
        // A stored codeword can be a hair longer than 1, and the product with it too.
        if cosine.min(1.0) > self.theta {
            return nearest;
        }
        self.vectors.push(match self.are_units {
            true => &joining.unit,
            false => joining.vector,
        });
        self.len() - 1
    }
}

/// A vector on its way into the codewords.
pub struct Joining<'a> {
    vector: &'a [f32],
    norm: f32,
    /// Its direction.
    unit: Vec<f32>,
    /// Of the codewords it was compared with the nearest, the first of several, and their cosine.
    nearest: (usize, f32),
    cosines: Vec<f32>,
}

impl<'a> Joining<'a> {
    pub fn new(vector: &'a [f32]) -> Self {
        let norm = dot(vector, vector).sqrt();
        let inverse = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        Self {
            vector,
            norm,
            unit: vector.iter().map(|x| x * inverse).collect(),
            nearest: (0, f32::NEG_INFINITY),
            cosines: Vec::new(),
        }
    }
}

/// The keys or the values of one KV head in coded form, beside the [`Codewords`] they are written in.
#[derive(Debug, Clone, PartialEq)]
pub struct CodedRows {
    /// Which codeword stands for each entry.
    index: Indices,
    /// Norm of each entry, `[len, 1]`. None: the codeword is used as it is.
    magnitudes: Option<Rows>,
}

impl CodedRows {
    /// * `index`: one codeword per entry.
    /// * `magnitudes`: one norm per entry, where codewords are unit vectors.
    pub fn new(store: StoreType, index: &[u32], magnitudes: Option<&[f32]>) -> Self {
        Self {
            index: Indices::from_slice(index),
            magnitudes: magnitudes.map(|m| Rows::from_f32(1, store, m)),
        }
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    /// The codeword that stands for entry `i`.
    pub fn index(&self, i: usize) -> usize {
        self.index.get(i)
    }

    /// The codeword that stands for each entry.
    pub fn indices(&self) -> &Indices {
        &self.index
    }

    /// The factor that the codeword of each of `entries` is multiplied by.
    pub fn factors<'a>(&'a self, entries: Range<usize>, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        match &self.magnitudes {
            Some(rows) => rows.block(entries, scratch),
            None => {
                let ones = room(scratch, entries.len());
                ones.fill(1.0);
                ones
            }
        }
    }

    /// Appends one vector in the nearest codeword above the threshold, else in a new one.
    pub fn push(&mut self, codewords: &mut Codewords, vector: &[f32]) {
        let mut joining = Joining::new(vector);
        codewords.compare_all(&mut joining);
        self.join(codewords, &joining);
    }

    /// The same for a vector that was compared with all codewords already.
    pub fn join(&mut self, codewords: &mut Codewords, joining: &Joining) {
        self.index.push(codewords.admit(joining) as u32);
        if let Some(rows) = &mut self.magnitudes {
            rows.push(&[joining.norm]);
        }
    }

    /// Keeps the first `len` entries.
    pub fn truncate(&mut self, len: usize) {
        self.index.truncate(len);
        if let Some(rows) = &mut self.magnitudes {
            rows.truncate(len);
        }
    }

    /// Entry `i` rebuilt (equation 14), into `out`.
    pub fn rebuild(&self, codewords: &Codewords, i: usize, out: &mut [f32]) {
        codewords.read(self.index.get(i), out);
        if let Some(rows) = &self.magnitudes {
            let mut magnitude = [0.0];
            rows.read(i, &mut magnitude);
            out.iter_mut().for_each(|x| *x *= magnitude[0]);
        }
    }

    /// Bytes of the indices.
    pub fn bytes_indices(&self) -> u64 {
        self.index.bytes()
    }

    /// Bytes of the magnitudes.
    pub fn bytes_magnitudes(&self) -> u64 {
        self.magnitudes.as_ref().map_or(0, Rows::bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_appended_vector_joins_the_nearest_codeword_above_the_threshold_or_becomes_one() {
        let mut codewords = Codewords::new(2, StoreType::F32, &[1.0, 0.0, 0.0, 1.0], true, 0.9);
        let mut coded = CodedRows::new(StoreType::F32, &[0, 1], Some(&[2.0, 3.0]));
        coded.push(&mut codewords, &[0.1, 5.0]);
        coded.push(&mut codewords, &[3.0, 3.0]);
        assert_eq!((coded.len(), codewords.len()), (4, 3));
        assert_eq!([coded.index(2), coded.index(3)], [1, 2]);
        let mut out = [0.0; 2];
        coded.rebuild(&codewords, 3, &mut out);
        assert!((out[0] - 3.0).abs() < 1e-5 && (out[1] - 3.0).abs() < 1e-5);
    }

    #[test]
    fn at_a_threshold_of_one_none_joins_though_a_product_rounds_above_it() {
        let (a, b) = (0.3f32, (1.0 - 0.3f32 * 0.3).sqrt());
        let mut codewords = Codewords::new(2, StoreType::F16, &[a, b], true, 1.0);
        let stored = codewords
            .block(0..codewords.len(), &mut Vec::new())
            .to_vec();
        assert!(stored[0] * a + stored[1] * b > 1.0);
        let mut coded = CodedRows::new(StoreType::F16, &[0], Some(&[1.0]));
        coded.push(&mut codewords, &[a, b]);
        assert_eq!(codewords.len(), 2);
    }

    #[test]
    fn without_magnitudes_the_codeword_is_the_whole_vector() {
        let mut codewords = Codewords::new(2, StoreType::F32, &[2.0, 0.0], false, 0.9);
        let mut coded = CodedRows::new(StoreType::F32, &[0], None);
        coded.push(&mut codewords, &[5.0, 0.0]);
        coded.push(&mut codewords, &[0.0, 4.0]);
        let mut out = [0.0; 2];
        coded.rebuild(&codewords, 1, &mut out);
        assert_eq!(out, [2.0, 0.0]);
        coded.rebuild(&codewords, 2, &mut out);
        assert_eq!(out, [0.0, 4.0]);
        assert_eq!(coded.bytes_magnitudes(), 0);
    }
}
