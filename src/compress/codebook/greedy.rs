//! The paper's learner (Algorithm 1): repeatedly makes the vector with the most uncovered neighbours a codeword.

use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;

use super::bits;
use super::graph::BitGraph;
use super::{Codebook, Representatives};

/// Returns a greedy dominating set of the graph: codewords are vectors of the set, and every vector is a neighbour of
/// its codeword.
///
/// `weights` counts each vector. With `w_a`, the number of query heads that keep entry `a`, the codebook is the one
/// that repeating the entry `w_a` times would give (docs/PAPER.md 1.5). Ties go to the lower place. This is Algorithm 1
/// with its degree taken from the graph (eq. 10); the `sum(S)` printed there would never change. A vector of weight 0
/// is left out: it is neither a codeword nor covered. So one graph over all vectors serves any subset.
///
/// Codewords come in the order of the plain algorithm. Degrees are updated by visiting each edge at most once, when the
/// first of its ends is covered. The largest degree is found by a heap whose keys may be out of date: degrees only
/// fall, so a top key that is still right is the largest.
///
/// # Panics
/// When there is not one weight per vector.
pub fn greedy(graph: &BitGraph, weights: &[u32]) -> Codebook {
    let n = graph.len();
    assert_eq!(weights.len(), n, "a weight for each of {n} vectors");
    let mut degrees = graph.degrees(weights);
    let there = |&node: &usize| weights[node] > 0;
    let mut uncovered = vec![0; bits::words(n)];
    (0..n)
        .filter(there)
        .for_each(|node| bits::insert(&mut uncovered, node));
    let mut heap: BinaryHeap<u64> = (0..n)
        .filter(there)
        .map(|node| key(degrees[node], node))
        .collect();
    let (mut codewords, mut index) = (Vec::new(), vec![0u32; n]);
    let mut covered = Vec::new();
    while let Some(mut top) = heap.peek_mut() {
        let node = node_of(*top);
        if !bits::contains(&uncovered, node) {
            PeekMut::pop(top);
            continue;
        }
        let current = key(degrees[node], node);
        if *top != current {
            *top = current;
            continue;
        }
        PeekMut::pop(top);
        let row = graph.row(node);
        covered.clear();
        bits::for_each_common(row, &uncovered, |j| covered.push(j));
        uncovered
            .iter_mut()
            .zip(row)
            .for_each(|(set, &neighbours)| *set &= !neighbours);
        for &j in &covered {
            index[j] = codewords.len() as u32;
            bits::for_each_common(graph.row(j), &uncovered, |k| degrees[k] -= weights[j]);
        }
        codewords.push(node as u32);
    }
    Codebook {
        codewords: Representatives::Members(codewords),
        index,
    }
}

/// A heap key that sorts by degree, then by place, the lower place counting as greater.
fn key(degree: u32, node: usize) -> u64 {
    u64::from(degree) << 32 | u64::from(!(node as u32))
}

/// The place in a [`key`].
fn node_of(key: u64) -> usize {
    !(key as u32) as usize
}

#[cfg(test)]
mod tests {
    use super::super::{similarity_graphs, testing};
    use super::*;
    use proptest::prelude::*;

    /// Algorithm 1 word for word on a matrix of bools, eq. 10 for the degree and `argmax` taking the first largest.
    fn algorithm_1(mut g: Vec<Vec<bool>>) -> Codebook {
        let n = g.len();
        let (mut reference, mut codewords) = (vec![u32::MAX; n], Vec::new());
        while g.iter().flatten().any(|&edge| edge) {
            let degree: Vec<usize> = g
                .iter()
                .map(|row| row.iter().filter(|&&edge| edge).count())
                .collect();
            let i = (0..n).rev().max_by_key(|&i| degree[i]).unwrap();
            let eta = g[i].clone();
            for a in (0..n).filter(|&a| eta[a]) {
                reference[a] = codewords.len() as u32;
            }
            codewords.push(i as u32);
            for a in 0..n {
                for b in 0..n {
                    g[a][b] &= !eta[a] && !eta[b];
                }
            }
        }
        Codebook {
            codewords: Representatives::Members(codewords),
            index: reference,
        }
    }

    fn matrix(graph: &BitGraph) -> Vec<Vec<bool>> {
        (0..graph.len())
            .map(|a| (0..graph.len()).map(|b| graph.has(a, b)).collect())
            .collect()
    }

    fn members(codebook: &Codebook) -> &[u32] {
        match &codebook.codewords {
            Representatives::Members(members) => members,
            Representatives::Means { .. } => panic!("greedy codewords are members"),
        }
    }

    proptest! {
        #[test]
        fn equals_algorithm_1(set in testing::clustered(150), theta in 0.2f32..1.0) {
            let graph = &similarity_graphs(&set.units, set.d, &[theta])[0];
            prop_assert_eq!(greedy(graph, &vec![1; set.len()]), algorithm_1(matrix(graph)));
        }

        #[test]
        fn vectors_without_weight_are_not_there(set in testing::clustered(120), theta in 0.2f32..1.0, keep in prop::collection::vec(any::<bool>(), 120)) {
            let graph = &similarity_graphs(&set.units, set.d, &[theta])[0];
            let places: Vec<u32> = (0..set.len() as u32).filter(|&p| keep[p as usize]).collect();
            let kept: Vec<u32> = places.iter().map(|&p| set.weights[p as usize]).collect();
            let part = greedy(&graph.subset(&places), &kept);
            let mut weights = vec![0; set.len()];
            places.iter().zip(&kept).for_each(|(&p, &weight)| weights[p as usize] = weight);
            let whole = greedy(graph, &weights);
            let chosen: Vec<u32> = members(&part).iter().map(|&i| places[i as usize]).collect();
            prop_assert_eq!(members(&whole), chosen);
            for (i, &p) in places.iter().enumerate() {
                prop_assert_eq!(part.index[i], whole.index[p as usize]);
            }
        }

        /// Each vector repeated `w_a` times in place, through the whole pipeline and the plain algorithm.
        #[test]
        fn weights_equal_unfolding(set in testing::clustered(70), theta in 0.2f32..0.99) {
            let weighted = greedy(&similarity_graphs(&set.units, set.d, &[theta])[0], &set.weights);
            let source: Vec<usize> = (0..set.len()).flat_map(|a| vec![a; set.weights[a] as usize]).collect();
            let unfolded: Vec<f32> = source.iter().flat_map(|&a| set.unit(a)).copied().collect();
            let mut g = matrix(&similarity_graphs(&unfolded, set.d, &[theta])[0]);
            // Copies of one vector are alike, of a zero vector too, whose product with its copy is zero.
            (0..g.len()).for_each(|a| (0..g.len()).for_each(|b| g[a][b] |= source[a] == source[b]));
            let plain = algorithm_1(g);
            let chosen: Vec<u32> = members(&plain).iter().map(|&i| source[i as usize] as u32).collect();
            prop_assert_eq!(members(&weighted), chosen);
            for (i, &a) in source.iter().enumerate() {
                prop_assert_eq!(plain.index[i], weighted.index[a]);
            }
        }

        #[test]
        fn every_vector_is_within_theta_of_its_codeword(set in testing::clustered(200), theta in 0.2f32..0.99) {
            let graph = &similarity_graphs(&set.units, set.d, &[theta])[0];
            let codebook = greedy(graph, &set.weights);
            for (a, &code) in codebook.index.iter().enumerate() {
                prop_assert!(graph.has(a, members(&codebook)[code as usize] as usize));
            }
            prop_assert!(codebook.cosines(&set.units, set.d).min > theta - 2e-6);
        }

        #[test]
        fn a_threshold_of_one_keeps_one_of_each_vector(set in testing::clustered(100)) {
            let codebook = greedy(&similarity_graphs(&set.units, set.d, &[1.0])[0], &set.weights);
            let pattern = |i: usize| set.unit(i).iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            let distinct: std::collections::BTreeSet<_> = (0..set.len()).map(pattern).collect();
            prop_assert_eq!(codebook.codewords.len(), distinct.len());
            for (i, &code) in codebook.index.iter().enumerate() {
                prop_assert_eq!(pattern(i), pattern(members(&codebook)[code as usize] as usize));
            }
        }
    }

    #[test]
    fn no_vectors_make_an_empty_codebook() {
        let codebook = greedy(&similarity_graphs(&[], 3, &[0.9])[0], &[]);
        assert!(codebook.codewords.is_empty() && codebook.index.is_empty());
    }
}
