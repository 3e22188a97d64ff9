//! Vectors written as `magnitude * codeword[index]`: the codebook side of SpindleKV (PAPER sections 1.6 to 1.8).

use std::ops::Range;

use super::dense::STEP_BLOCK;
use super::indices::Indices;
use super::rows::{Rows, StoreType};
use super::scratch::{Scratch, room, with_scratch};
use crate::kernel::{dots, simd};

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

    /// The codeword for one more vector, and the vector's norm: the nearest whose cosine is above the threshold, else
    /// a new one.
    fn join(&mut self, vector: &[f32]) -> (u32, f32) {
        let norm = simd::dot(vector, vector).sqrt();
        let inverse = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        let unit: Vec<f32> = vector.iter().map(|x| x * inverse).collect();
        let index = match self.nearest(&unit) {
            // A stored codeword can be a hair longer than 1, and the product with it too.
            Some((index, cosine)) if cosine.min(1.0) > self.theta => index,
            _ => {
                self.vectors
                    .push(if self.are_units { &unit } else { vector });
                self.len() - 1
            }
        };
        (index as u32, norm)
    }

    /// The codeword nearest to a unit vector, the first of several, and their cosine.
    fn nearest(&self, unit: &[f32]) -> Option<(usize, f32)> {
        let mut best: Option<(usize, f32)> = None;
        with_scratch(|Scratch { keys, values }| {
            for start in (0..self.len()).step_by(STEP_BLOCK) {
                let end = (start + STEP_BLOCK).min(self.len());
                let block = self.vectors.block(start..end, keys);
                let cosines = room(values, end - start);
                dots(unit, block, cosines);
                if !self.are_units {
                    for (cosine, codeword) in cosines.iter_mut().zip(block.chunks_exact(unit.len()))
                    {
                        let norm = simd::dot(codeword, codeword).sqrt();
                        *cosine /= norm.max(f32::MIN_POSITIVE);
                    }
                }
                for (i, &cosine) in (start..).zip(&*cosines) {
                    if best.is_none_or(|(_, c)| cosine > c) {
                        best = Some((i, cosine));
                    }
                }
            }
        });
        best
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
    pub fn indices(&self) -> Vec<u32> {
        self.index.to_vec()
    }

    /// The factor each entry's codeword is multiplied by, `[len]`.
    pub fn factors(&self) -> Vec<f32> {
        match &self.magnitudes {
            Some(rows) => rows.to_f32(),
            None => vec![1.0; self.len()],
        }
    }

    /// Appends one vector in the nearest codeword above the threshold, else in a new one.
    pub fn push(&mut self, codewords: &mut Codewords, vector: &[f32]) {
        let (index, norm) = codewords.join(vector);
        self.index.push(index);
        if let Some(rows) = &mut self.magnitudes {
            rows.push(&[norm]);
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
