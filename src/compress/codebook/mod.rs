//! Codebooks: a small set of directions standing in for many (SpindleKV section 3.4, docs/PAPER.md 1.5-1.6).
//!
//! [`normalise`] splits the vectors of one head into directions and magnitudes. [`similarity_graphs`] makes a graph of
//! the pairs of directions whose cosine is above a threshold. A learner chooses codewords on it: [`greedy`], the
//! paper's, or [`leader`]. One pass over the pairs serves every threshold, and [`BitGraph::subset`] every set of
//! retained entries. [`spherical_k_means`] is the control with a set number of codewords in place of a threshold.

mod bits;
mod graph;
mod greedy;
mod k_means;
mod leader;
#[expect(unsafe_code, reason = "SSE, which every x86-64 has")]
mod similarity;

use std::borrow::Cow;

pub use graph::BitGraph;
pub use greedy::greedy;
pub use k_means::spherical_k_means;
pub use leader::leader;
pub use similarity::similarity_graphs;

use crate::kernel::{dot, norm};

/// Codewords, and which of them stands for each vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Codebook {
    /// The codewords, in the order they were chosen.
    pub codewords: Representatives,
    /// For each vector, the number of its codeword.
    pub index: Vec<u32>,
}

/// What the codewords are.
#[derive(Debug, Clone, PartialEq)]
pub enum Representatives {
    /// Some of the coded vectors, by their place among them (the paper's: no averaging anywhere).
    Members(Vec<u32>),
    /// Vectors of their own, `[codewords, d]` row-major: unit means of the vectors they stand for.
    Means {
        /// The vectors' elements.
        vectors: Vec<f32>,
        /// Elements of one vector.
        d: usize,
    },
}

/// Cosines of vectors with their codewords, each vector counted once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cosines {
    /// The least cosine; 1 when there are no vectors.
    pub min: f32,
    /// The mean cosine; 1 when there are no vectors.
    pub mean: f32,
    /// How many vectors there are.
    pub vectors: usize,
}

impl Cosines {
    /// Cosines over the vectors of several codebooks together.
    pub fn together(parts: &[Self]) -> Self {
        let vectors = parts.iter().map(|part| part.vectors).sum();
        let sum: f64 = parts
            .iter()
            .map(|part| f64::from(part.mean) * part.vectors as f64)
            .sum();
        Self {
            min: parts.iter().map(|part| part.min).fold(1.0, f32::min),
            mean: if vectors == 0 {
                1.0
            } else {
                (sum / vectors as f64) as f32
            },
            vectors,
        }
    }
}

impl Representatives {
    /// Number of codewords.
    pub fn len(&self) -> usize {
        match self {
            Representatives::Members(members) => members.len(),
            Representatives::Means { vectors, d } => vectors.len() / d,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The places of the codewords among the coded vectors. Empty if codewords are vectors of their own.
    pub fn members(&self) -> &[u32] {
        match self {
            Representatives::Members(members) => members,
            Representatives::Means { .. } => &[],
        }
    }

    /// The codewords as vectors `[codewords, d]`, given the `units: [n, d]` they were learnt from.
    pub fn vectors(&self, units: &[f32], d: usize) -> Cow<'_, [f32]> {
        match self {
            Representatives::Members(members) => {
                let rows = members
                    .iter()
                    .map(|&member| &units[member as usize * d..][..d]);
                Cow::Owned(rows.flatten().copied().collect())
            }
            Representatives::Means { vectors, .. } => Cow::Borrowed(vectors),
        }
    }
}

impl Codebook {
    /// Cosines of `units: [n, d]` with their codewords. A vector that is its own codeword counts as exactly 1, also a
    /// zero vector.
    ///
    /// Computed apart from the products that decided membership: a cosine within rounding (about 1e-6) of the threshold
    /// can come out on its other side.
    pub fn cosines(&self, units: &[f32], d: usize) -> Cosines {
        let codewords = self.codewords.vectors(units, d);
        let (mut min, mut sum) = (1f32, 0f64);
        for (unit, &code) in units.chunks_exact(d).zip(&self.index) {
            let codeword = &codewords[code as usize * d..][..d];
            let same = unit == codeword || unit.iter().all(|&x| x == 0.0);
            let cosine = if same {
                1.0
            } else {
                dot(unit, codeword).min(1.0)
            };
            min = min.min(cosine);
            sum += cosine as f64;
        }
        let mean = if self.index.is_empty() {
            1.0
        } else {
            (sum / self.index.len() as f64) as f32
        };
        Cosines {
            min,
            mean,
            vectors: self.index.len(),
        }
    }

    /// The same index with each codeword replaced by the mean of the `units: [n, d]` it stands for, scaled to length 1.
    /// `weights` counts each vector (docs/PAPER.md 1.5: `w_a`). A codeword whose vectors cancel out stays as it is.
    ///
    /// The bound on the cosine that members give does not hold for means.
    pub fn with_means(&self, units: &[f32], d: usize, weights: &[u32]) -> Codebook {
        let mut vectors = self.codewords.vectors(units, d).into_owned();
        let mut sums = vec![0f32; vectors.len()];
        for ((unit, &code), &weight) in units.chunks_exact(d).zip(&self.index).zip(weights) {
            let sum = &mut sums[code as usize * d..][..d];
            sum.iter_mut()
                .zip(unit)
                .for_each(|(s, &x)| *s += weight as f32 * x);
        }
        for (vector, sum) in vectors.chunks_exact_mut(d).zip(sums.chunks_exact(d)) {
            let norm = norm(sum);
            if norm > 0.0 {
                vector.iter_mut().zip(sum).for_each(|(v, &s)| *v = s / norm);
            }
        }
        Codebook {
            codewords: Representatives::Means { vectors, d },
            index: self.index.clone(),
        }
    }
}

/// Splits `vectors: [n, d]` into directions of length 1, `[n, d]`, and magnitudes, `[n]`. The direction of a zero
/// vector is zero.
///
/// # Panics
/// When `vectors` is not a whole number of vectors.
pub fn normalise(vectors: &[f32], d: usize) -> (Vec<f32>, Vec<f32>) {
    let magnitudes = super::score::key_norms(vectors, d);
    let mut units = vectors.to_vec();
    for (unit, &magnitude) in units.chunks_exact_mut(d).zip(&magnitudes) {
        if magnitude > 0.0 {
            unit.iter_mut().for_each(|x| *x /= magnitude);
        }
    }
    (units, magnitudes)
}

#[cfg(test)]
mod testing;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn directions_times_magnitudes_give_the_vectors_back() {
        let (units, magnitudes) = normalise(&[3.0, 4.0, 0.0, 0.0, 0.0, -2.0], 2);
        assert_eq!(units, [0.6, 0.8, 0.0, 0.0, 0.0, -1.0]);
        assert_eq!(magnitudes, [5.0, 0.0, 2.0]);
    }

    #[test]
    fn cosines_of_several_codebooks_count_every_vector_once() {
        let cosines = |min, mean, vectors| Cosines { min, mean, vectors };
        let parts = [
            cosines(0.5, 0.75, 3),
            cosines(1.0, 1.0, 0),
            cosines(0.25, 0.5, 1),
        ];
        assert_eq!(Cosines::together(&parts), cosines(0.25, 0.6875, 4));
        assert_eq!(Cosines::together(&[]), cosines(1.0, 1.0, 0));
    }

    #[test]
    fn means_are_weighted_and_of_length_one() {
        let units = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, -1.0];
        let codebook = Codebook {
            codewords: Representatives::Members(vec![0, 2, 3]),
            index: vec![0, 0, 1, 2],
        };
        let Representatives::Means { vectors, .. } =
            codebook.with_means(&units, 2, &[3, 4, 1, 1]).codewords
        else {
            panic!("means asked for");
        };
        assert_eq!(vectors, [0.6, 0.8, 0.0, 0.0, 0.0, -1.0]);
    }

    proptest! {
        #[test]
        fn cosines_equal_a_recomputation(set in testing::clustered(80), theta in 0.5f32..0.99) {
            let graphs = similarity_graphs(&set.units, set.d, &[theta]);
            let members = greedy(&graphs[0], &set.weights);
            for codebook in [members.with_means(&set.units, set.d, &set.weights), members] {
                let codewords = codebook.codewords.vectors(&set.units, set.d).into_owned();
                let cosines: Vec<f64> = codebook.index.iter().enumerate().map(|(i, &code)| {
                    let (u, c) = (set.unit(i), &codewords[code as usize * set.d..][..set.d]);
                    let same = u == c || u.iter().all(|&x| x == 0.0);
                    if same { 1.0 } else { testing::dot(u, c) }
                }).collect();
                let got = codebook.cosines(&set.units, set.d);
                prop_assert!((got.min as f64 - cosines.iter().copied().fold(1.0, f64::min)).abs() < 1e-5);
                prop_assert!((got.mean as f64 - cosines.iter().sum::<f64>() / cosines.len() as f64).abs() < 1e-5);
            }
        }
    }
}
