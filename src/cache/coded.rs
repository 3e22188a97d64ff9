//! Vectors written as `magnitude * codeword[index]`: the codebook side of SpindleKV (PAPER sections 1.6 to 1.8).

use multiversion::multiversion;

use super::footprint::Footprint;
use super::indices::Indices;
use super::rows::{Rows, StoreType};
use super::simd;

/// The keys or the values of one KV head in coded form.
#[derive(Debug, Clone, PartialEq)]
pub struct CodedRows {
    /// `[codewords, head_dim]`: unit vectors, or whole vectors where no magnitudes are kept.
    codewords: Rows,
    /// Which codeword stands for each entry.
    index: Indices,
    /// Norm of each entry, `[len, 1]`. None: the codeword is used as it is.
    magnitudes: Option<Rows>,
    /// An appended vector joins a codeword when their cosine is above this.
    theta: f32,
}

impl CodedRows {
    /// * `codewords`: `[c, dim]`; unit vectors when `magnitudes` is given.
    /// * `index`: one codeword per entry.
    /// * `magnitudes`: one norm per entry.
    pub fn new(
        dim: usize,
        store: StoreType,
        codewords: &[f32],
        index: &[u32],
        magnitudes: Option<&[f32]>,
        theta: f32,
    ) -> Self {
        Self {
            codewords: Rows::from_f32(dim, store, codewords),
            index: Indices::from_slice(index),
            magnitudes: magnitudes.map(|m| Rows::from_f32(1, store, m)),
            theta,
        }
    }

    pub fn len(&self) -> usize {
        self.index.len()
    }

    pub fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    pub fn codewords(&self) -> &Rows {
        &self.codewords
    }

    /// The codeword that stands for entry `i`.
    pub fn index(&self, i: usize) -> usize {
        self.index.get(i)
    }

    /// The factor each entry's codeword is multiplied by, `[len]`.
    pub fn factors(&self) -> Vec<f32> {
        match &self.magnitudes {
            Some(rows) => rows.to_f32(),
            None => vec![1.0; self.len()],
        }
    }

    /// Appends one vector: the nearest codeword if its cosine is above the threshold, else a new codeword.
    pub fn push(&mut self, vector: &[f32]) {
        let norm = simd::dot(vector, vector).sqrt();
        let inverse = if norm > 0.0 { 1.0 / norm } else { 0.0 };
        let unit: Vec<f32> = vector.iter().map(|x| x * inverse).collect();
        let index = match self.nearest(&unit) {
            Some((index, cosine)) if cosine > self.theta => index,
            _ => {
                self.codewords.push(if self.magnitudes.is_some() {
                    &unit
                } else {
                    vector
                });
                self.codewords.len() - 1
            }
        };
        self.index.push(index as u32);
        if let Some(rows) = &mut self.magnitudes {
            rows.push(&[norm]);
        }
    }

    /// The codeword with the greatest cosine to a unit vector; the first of equals.
    fn nearest(&self, unit: &[f32]) -> Option<(usize, f32)> {
        let mut scratch = Vec::new();
        let codewords = self.codewords.block(0..self.codewords.len(), &mut scratch);
        nearest(unit, codewords, self.magnitudes.is_some())
    }

    /// Entry `i` rebuilt (equation 14), into `out`.
    pub fn rebuild(&self, i: usize, out: &mut [f32]) {
        self.codewords.read(self.index.get(i), out);
        if let Some(rows) = &self.magnitudes {
            let mut magnitude = [0.0];
            rows.read(i, &mut magnitude);
            out.iter_mut().for_each(|x| *x *= magnitude[0]);
        }
    }

    /// Codewords, indices and magnitudes; the codeword count goes into `codewords_k` or `codewords_v` by the caller.
    pub fn footprint(&self) -> Footprint {
        Footprint {
            bytes_codewords: self.codewords.bytes(),
            bytes_indices: self.index.bytes(),
            bytes_magnitudes: self.magnitudes.as_ref().map_or(0, Rows::bytes),
            ..Footprint::default()
        }
    }
}

#[multiversion(targets("x86_64+avx2+fma"))]
fn nearest(unit: &[f32], codewords: &[f32], are_units: bool) -> Option<(usize, f32)> {
    let mut best: Option<(usize, f32)> = None;
    for (i, codeword) in codewords.chunks_exact(unit.len()).enumerate() {
        let mut cosine = simd::dot(codeword, unit);
        if !are_units {
            cosine /= simd::dot(codeword, codeword).sqrt().max(f32::MIN_POSITIVE);
        }
        if best.is_none_or(|(_, c)| cosine > c) {
            best = Some((i, cosine));
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_appended_vector_joins_the_nearest_codeword_above_the_threshold_or_becomes_one() {
        let mut coded = CodedRows::new(
            2,
            StoreType::F32,
            &[1.0, 0.0, 0.0, 1.0],
            &[0, 1],
            Some(&[2.0, 3.0]),
            0.9,
        );
        coded.push(&[0.1, 5.0]);
        coded.push(&[3.0, 3.0]);
        assert_eq!((coded.len(), coded.codewords().len()), (4, 3));
        assert_eq!([coded.index(2), coded.index(3)], [1, 2]);
        let mut out = [0.0; 2];
        coded.rebuild(3, &mut out);
        assert!((out[0] - 3.0).abs() < 1e-5 && (out[1] - 3.0).abs() < 1e-5);
    }

    #[test]
    fn without_magnitudes_the_codeword_is_the_whole_vector() {
        let mut coded = CodedRows::new(2, StoreType::F32, &[2.0, 0.0], &[0], None, 0.9);
        coded.push(&[5.0, 0.0]);
        coded.push(&[0.0, 4.0]);
        let mut out = [0.0; 2];
        coded.rebuild(1, &mut out);
        assert_eq!(out, [2.0, 0.0]);
        coded.rebuild(2, &mut out);
        assert_eq!(out, [0.0, 4.0]);
        assert_eq!(coded.footprint().bytes_magnitudes, 0);
    }
}
