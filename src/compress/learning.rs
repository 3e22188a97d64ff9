//! Learns codewords from the vectors of a codebook's heads: which learner, which threshold, and what a codeword is.

use super::codebook::{
    BitGraph, Codebook, Cosines, Representatives, greedy, leader, normalise, spherical_k_means,
};
use crate::store::Rows;

/// Which vectors become codewords.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Learner {
    /// Algorithm 1: greedy maximum-degree cover.
    Greedy,
    /// One pass in the order of the text; a vector joins the first codeword above the threshold.
    Leader,
    /// A set number of means: a share of the number of vectors (rounded up, one at least). No cosine is bounded.
    SphericalKMeans {
        /// Codewords as a share of the vectors, 0 to 1.
        codewords: f64,
    },
}

impl Learner {
    /// Whether it takes a threshold of similarity.
    pub fn takes_threshold(self) -> bool {
        !matches!(self, Self::SphericalKMeans { .. })
    }
}

/// Rounds of Lloyd's algorithm: later ones hardly move a mean.
const ROUNDS: usize = 10;

/// All keys or all values of the heads that share a codebook, one head after the other: directions
/// `[heads * len, dim]` and norms `[heads * len]`.
pub struct Vectors {
    /// Directions: each vector divided by its norm, `[heads * len, dim]`.
    pub units: Vec<f32>,
    /// Euclidean norms, `[heads * len]`.
    pub norms: Vec<f32>,
    dim: usize,
}

impl Vectors {
    /// Directions and norms of all vectors of `heads`, each `[len, dim]` with the same `len`.
    pub fn new(heads: &[&Rows]) -> Self {
        let dim = heads[0].dim();
        let all: Vec<f32> = heads.iter().flat_map(|rows| rows.to_f32()).collect();
        let (units, norms) = normalise(&all, dim);
        Self { units, norms, dim }
    }

    /// The vectors at `places` (ascending) of all vectors of the heads.
    fn at(heads: &[&Rows], places: &[u32]) -> Self {
        let len = heads[0].len() as u32;
        let parts = heads.iter().enumerate().map(|(head, rows)| {
            let first = head as u32 * len;
            let of_head = |place: u32| places.partition_point(|&p| p < place);
            let here = &places[of_head(first)..of_head(first + len)];
            rows.gather(&here.iter().map(|p| p - first).collect::<Vec<u32>>())
        });
        let parts: Vec<Rows> = parts.collect();
        Self::new(&parts.iter().collect::<Vec<_>>())
    }
}

/// How codewords are learnt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learning {
    /// The algorithm that chooses the codewords.
    pub learner: Learner,
    /// Whether codewords are the means of the vectors they stand for. Else they are some of these vectors.
    pub means: bool,
    /// Whether a norm is stored for each vector. Else every vector takes its codeword's own norm.
    pub magnitudes: bool,
}

/// A codebook and what is stored of the vectors written in it.
pub struct Learnt {
    /// Codewords, `[codewords, dim]`. They have length 1 if norms are stored.
    pub codewords: Vec<f32>,
    /// The codeword of each vector.
    pub index: Vec<u32>,
    /// The norm of each vector. None if norms are not stored.
    pub norms: Option<Vec<f32>>,
    /// Cosines of the vectors with their codewords.
    pub cosines: Cosines,
}

impl Learning {
    /// Chooses codewords among the vectors at `places` (ascending) of `heads`, and assigns one to each of these
    /// vectors. Both are numbered by order in `places`. `weights`: number of query heads that keep each vector;
    /// `alike`: the similarity graph over all vectors, for a learner that takes a threshold; `seed`: for a learner that
    /// draws random numbers.
    pub fn codebook(
        self,
        heads: &[&Rows],
        places: &[u32],
        weights: &[u32],
        alike: Option<&BitGraph>,
        seed: u64,
    ) -> Codebook {
        match (self.learner, alike) {
            (Learner::Greedy, Some(graph)) => among(places, graph.len(), weights, |weights| {
                greedy(graph, weights)
            }),
            (Learner::Leader, Some(graph)) => leader(&graph.subset(places)),
            (Learner::SphericalKMeans { codewords }, _) => {
                let k = (codewords * places.len() as f64).ceil() as usize;
                let kept = Vectors::at(heads, places);
                spherical_k_means(&kept.units, kept.dim, weights, k.max(1), seed, ROUNDS)
            }
            (_, None) => panic!("{:?} needs a graph of what is alike", self.learner),
        }
    }

    /// Returns what is stored of the vectors at `places` for their `codebook`.
    pub fn learnt(
        self,
        codebook: Codebook,
        heads: &[&Rows],
        places: &[u32],
        weights: &[u32],
    ) -> Learnt {
        let kept = Vectors::at(heads, places);
        let d = kept.dim;
        let codebook = match &codebook.codewords {
            Representatives::Members(_) if self.means => {
                codebook.with_means(&kept.units, d, weights)
            }
            _ => codebook,
        };
        let cosines = codebook.cosines(&kept.units, d);
        let mut codewords = codebook.codewords.vectors(&kept.units, d).into_owned();
        let norms = if self.magnitudes {
            Some(kept.norms)
        } else {
            let lengths = own_norms(&codebook, &kept.norms, weights);
            for (codeword, length) in codewords.chunks_exact_mut(d).zip(lengths) {
                codeword.iter_mut().for_each(|x| *x *= length);
            }
            None
        };
        Learnt {
            codewords,
            index: codebook.index,
            norms,
            cosines,
        }
    }
}

/// Learns a codebook of the vectors at `places` of `n`: calls `over_all` on all vectors with weight 0 for the others,
/// then renumbers the result.
fn among(
    places: &[u32],
    n: usize,
    weights: &[u32],
    over_all: impl FnOnce(&[u32]) -> Codebook,
) -> Codebook {
    if places.len() == n {
        return over_all(weights);
    }
    let (mut all_weights, mut order) = (vec![0; n], vec![0; n]);
    for (i, (&place, &weight)) in places.iter().zip(weights).enumerate() {
        all_weights[place as usize] = weight;
        order[place as usize] = i as u32;
    }
    let codebook = over_all(&all_weights);
    let members = codebook.codewords.members();
    Codebook {
        codewords: Representatives::Members(members.iter().map(|&m| order[m as usize]).collect()),
        index: places
            .iter()
            .map(|&place| codebook.index[place as usize])
            .collect(),
    }
}

/// The norm of each codeword if none is stored per vector: its member's, or the weighted mean over the vectors it
/// stands for.
fn own_norms(codebook: &Codebook, norms: &[f32], weights: &[u32]) -> Vec<f32> {
    if let Representatives::Members(members) = &codebook.codewords {
        return members.iter().map(|&m| norms[m as usize]).collect();
    }
    let mut sums = vec![(0.0, 0.0); codebook.codewords.len()];
    for ((&code, norm), &weight) in codebook.index.iter().zip(norms).zip(weights) {
        let (sum, count) = &mut sums[code as usize];
        *sum += weight as f32 * norm;
        *count += weight as f32;
    }
    sums.iter().map(|(sum, count)| sum / count).collect()
}
