//! Spherical k-means: the control with a set number of codewords. These are means, and no cosine is bounded.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Codebook, Representatives};
use crate::kernel::{Panels, dot};

/// Vectors that are compared with all codewords at once, which bounds the memory for their products.
const CHUNK: usize = 256;

/// Returns at most `k` codewords for `units: [n, d]`, each vector counted `weights` times. Seeds by k-means++ with
/// cosine distance, then makes up to `rounds` rounds of Lloyd's algorithm on the sphere (Dhillon and Modha 2001: assign
/// by cosine, renormalise the means).
///
/// Returns fewer codewords if there are fewer than `k` different directions. Leaves out a codeword that no vector is
/// assigned to. Equal seeds give equal codebooks.
///
/// # Panics
/// When `units` is not one vector per weight.
pub fn spherical_k_means(
    units: &[f32],
    d: usize,
    weights: &[u32],
    k: usize,
    seed: u64,
    rounds: usize,
) -> Codebook {
    assert_eq!(
        units.len(),
        weights.len() * d,
        "units are [{}, {d}]",
        weights.len()
    );
    let vectors = if k == 0 {
        Vec::new()
    } else {
        seeds(units, d, weights, k, seed)
    };
    if vectors.is_empty() {
        return Codebook {
            codewords: Representatives::Means { vectors, d },
            index: Vec::new(),
        };
    }
    let index = nearest(units, &vectors, d);
    let mut codebook = Codebook {
        codewords: Representatives::Means { vectors, d },
        index,
    };
    for _ in 0..rounds {
        codebook = codebook.with_means(units, d, weights);
        let index = nearest(units, &codebook.codewords.vectors(units, d), d);
        if index == codebook.index {
            break;
        }
        codebook.index = index;
    }
    without_unused(&codebook, units, d)
}

/// Chooses up to `k` of the vectors: the first at random, each next one with probability proportional to its weight
/// times `1 - cosine` to the nearest chosen so far.
fn seeds(units: &[f32], d: usize, weights: &[u32], k: usize, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut chances: Vec<f64> = weights.iter().map(|&w| f64::from(w)).collect();
    let mut distances = vec![f32::INFINITY; weights.len()];
    let mut chosen = Vec::new();
    while chosen.len() < k * d {
        let total: f64 = chances.iter().sum();
        if total <= 0.0 {
            break;
        }
        let mut left = rng.random_range(0.0..total);
        let drawn = chances.iter().position(|&chance| {
            left -= chance;
            left < 0.0
        });
        // If rounding leaves a remainder after the last vector, take the last with any chance.
        let Some(drawn) = drawn.or_else(|| chances.iter().rposition(|&chance| chance > 0.0)) else {
            break;
        };
        let codeword = &units[drawn * d..(drawn + 1) * d];
        chosen.extend_from_slice(codeword);
        for (i, unit) in units.chunks_exact(d).enumerate() {
            // Treat a distance below rounding as 0, so that equal directions are not chosen twice.
            let distance = if i == drawn {
                0.0
            } else {
                1.0 - dot(unit, codeword)
            };
            distances[i] = distances[i].min(if distance < 1e-6 { 0.0 } else { distance });
            chances[i] = f64::from(weights[i]) * f64::from(distances[i]);
        }
    }
    chosen
}

/// Assigns to each vector the codeword of the greatest cosine; of equals the first.
fn nearest(units: &[f32], codewords: &[f32], d: usize) -> Vec<u32> {
    let k = codewords.len() / d;
    let codewords = Panels::pack(codewords, d);
    let mut products = vec![0f32; CHUNK * k];
    let mut index = Vec::with_capacity(units.len() / d);
    for chunk in units.chunks(CHUNK * d) {
        let products = &mut products[..chunk.len() / d * k];
        codewords.part(0..k).product(chunk, products);
        index.extend(products.chunks_exact(k).map(|row| {
            let mut best = 0;
            for (code, &cosine) in row.iter().enumerate() {
                if cosine > row[best] {
                    best = code;
                }
            }
            best as u32
        }));
    }
    index
}

/// The codebook without codewords that no vector is assigned to, the others renumbered.
fn without_unused(codebook: &Codebook, units: &[f32], d: usize) -> Codebook {
    let all = codebook.codewords.vectors(units, d);
    let mut renumbered = vec![u32::MAX; codebook.codewords.len()];
    codebook
        .index
        .iter()
        .for_each(|&code| renumbered[code as usize] = 0);
    let mut vectors = Vec::with_capacity(all.len());
    for (new, vector) in renumbered
        .iter_mut()
        .zip(all.chunks_exact(d))
        .filter(|(new, _)| **new == 0)
    {
        *new = (vectors.len() / d) as u32;
        vectors.extend_from_slice(vector);
    }
    let index = codebook
        .index
        .iter()
        .map(|&code| renumbered[code as usize])
        .collect();
    Codebook {
        codewords: Representatives::Means { vectors, d },
        index,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn codewords_are_unit_means_in_use_and_nearest(set in testing::clustered(100), k in 1usize..20, seed in any::<u64>()) {
            let codebook = spherical_k_means(&set.units, set.d, &set.weights, k, seed, 30);
            let vectors = codebook.codewords.vectors(&set.units, set.d);
            prop_assert!(codebook.codewords.len() <= k && codebook.index.len() == set.len());
            for (code, vector) in vectors.chunks(set.d).enumerate() {
                let norm = testing::dot(vector, vector).sqrt();
                prop_assert!((norm - 1.0).abs() < 1e-5 || norm == 0.0);
                prop_assert!(codebook.index.contains(&(code as u32)));
            }
            for i in 0..set.len() {
                let own = testing::dot(set.unit(i), &vectors[codebook.index[i] as usize * set.d..][..set.d]);
                prop_assert!(vectors.chunks(set.d).all(|v| testing::dot(set.unit(i), v) <= own + 1e-5));
            }
            prop_assert_eq!(codebook, spherical_k_means(&set.units, set.d, &set.weights, k, seed, 30));
        }
    }

    #[test]
    fn as_many_codewords_as_directions_lose_nothing() {
        let units = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, -1.0];
        let codebook = spherical_k_means(&units, 2, &[1, 2, 1, 1], 10, 7, 10);
        assert_eq!(codebook.codewords.len(), 3);
        assert_eq!(codebook.cosines(&units, 2).min, 1.0);
    }

    #[test]
    fn no_vectors_or_no_codewords_make_an_empty_codebook() {
        assert!(spherical_k_means(&[], 2, &[], 3, 0, 5).codewords.is_empty());
        assert!(
            spherical_k_means(&[1.0, 0.0], 2, &[1], 0, 0, 5)
                .index
                .is_empty()
        );
    }
}
