//! Similarity graphs of directions (SpindleKV eq. 8-9): `cosine > theta`, for several thresholds in one pass.

use super::bits;
use super::graph::BitGraph;
use crate::kernel::Panels;

/// Vectors on a side of a tile of pairs. A tile of products fits into the level-2 cache. A multiple of 64, so that
/// tiles are whole words of bits.
const TILE: usize = 128;

/// Returns one graph per threshold over `units: [n, d]` (row-major, each of length 1 or zero). It has an edge between
/// two vectors if their dot product is strictly greater than the threshold, and one from each vector to itself. A zero
/// vector is alike only to itself.
///
/// A threshold of 1 or more means exact de-duplication: an edge if the vectors are equal bit for bit. (The product of
/// two equal unit vectors rounds to either side of 1, so it cannot be compared with 1.)
///
/// Every pair is computed once, in tiles of one shape whatever `n` is (the last ones padded with zeros), and each
/// product is summed in the same order wherever in a tile it falls. So whether two vectors are alike depends on these
/// two alone: not on their places, the other vectors, the other thresholds, or the machine.
///
/// # Panics
/// When `units` is not a whole number of vectors.
pub fn similarity_graphs(units: &[f32], d: usize, thetas: &[f32]) -> Vec<BitGraph> {
    assert!(
        d > 0 && units.len().is_multiple_of(d),
        "vectors of {d} elements, {} in all",
        units.len()
    );
    let n = units.len() / d;
    let mut graphs: Vec<BitGraph> = thetas.iter().map(|_| BitGraph::isolated(n)).collect();
    let tiles = n.div_ceil(TILE);
    let mut padded = units.to_vec();
    padded.resize(tiles * TILE * d, 0.0);
    let tile = |t: usize| &padded[t * TILE * d..(t + 1) * TILE * d];
    let panels = Panels::pack(&padded, d);
    let mut products = vec![0f32; TILE * TILE];
    for (graph, _) in graphs
        .iter_mut()
        .zip(thetas)
        .filter(|(_, theta)| **theta >= 1.0)
    {
        link_equal(graph, units, d);
    }
    if thetas.iter().all(|&theta| theta >= 1.0) {
        return graphs;
    }
    for row in 0..tiles {
        for column in row..tiles {
            let columns = panels.part(column * TILE..(column + 1) * TILE);
            columns.product(tile(row), &mut products);
            for (graph, &theta) in graphs
                .iter_mut()
                .zip(thetas)
                .filter(|(_, theta)| **theta < 1.0)
            {
                link_tile(graph, &products, row, column, theta);
            }
        }
    }
    graphs
}

/// Adds the edges of one tile of products, at (`row`, `column`) of the matrix, `row <= column`, and their mirror
/// images.
fn link_tile(graph: &mut BitGraph, products: &[f32], row: usize, column: usize, theta: f32) {
    let n = graph.len();
    let inside = bits::full(n);
    let words = TILE / 64;
    for a in row * words..(row + 1) * words {
        for b in (column * words..(column + 1) * words).filter(|&b| b >= a && b * 64 < n) {
            let mut block = [0u64; 64];
            for (i, word) in block.iter_mut().enumerate() {
                let start = ((a - row * words) * 64 + i) * TILE + (b - column * words) * 64;
                *word = above(&products[start..start + 64], theta) & inside[b];
                if a == b {
                    // Strictly right of the diagonal: the mirror image brings the rest, and each pair is decided once.
                    *word &= u64::MAX << i << 1;
                }
            }
            if block.iter().all(|&word| word == 0) {
                continue;
            }
            let rows_here = (n - (a * 64).min(n)).min(64);
            for (i, &word) in block[..rows_here].iter().enumerate() {
                graph.row_mut(a * 64 + i)[b] |= word;
            }
            block[rows_here..].fill(0);
            bits::transpose(&mut block);
            for (j, &word) in block[..(n - b * 64).min(64)].iter().enumerate() {
                graph.row_mut(b * 64 + j)[a] |= word;
            }
        }
    }
}

/// Which of 64 products are greater than the threshold, the first in the lowest bit.
///
/// Written by hand on x86-64, where the compiler does not turn comparisons into bits. A further threshold then costs
/// less than half.
#[cfg(target_arch = "x86_64")]
fn above(products: &[f32], theta: f32) -> u64 {
    use std::arch::x86_64::{_mm_cmpgt_ps, _mm_movemask_ps, _mm_set_ps, _mm_set1_ps};
    products
        .as_chunks::<4>()
        .0
        .iter()
        .enumerate()
        .fold(0, |word, (i, &[a, b, c, d])| {
            // SAFETY: these need SSE only, which every x86-64 has, and touch no memory.
            let bits = unsafe {
                _mm_movemask_ps(_mm_cmpgt_ps(_mm_set_ps(d, c, b, a), _mm_set1_ps(theta)))
            };
            word | (bits as u64) << (4 * i)
        })
}

/// Which of 64 products are greater than the threshold, the first in the lowest bit.
#[cfg(not(target_arch = "x86_64"))]
fn above(products: &[f32], theta: f32) -> u64 {
    products.iter().enumerate().fold(0, |word, (i, &product)| {
        word | u64::from(product > theta) << i
    })
}

/// Adds an edge between any two vectors that are equal bit for bit.
fn link_equal(graph: &mut BitGraph, units: &[f32], d: usize) {
    let pattern = |i: &usize| units[i * d..(i + 1) * d].iter().map(|x| x.to_bits());
    let mut order: Vec<usize> = (0..graph.len()).collect();
    order.sort_by(|a, b| pattern(a).cmp(pattern(b)));
    for equal in order.chunk_by(|a, b| pattern(a).eq(pattern(b))) {
        for &a in equal {
            equal
                .iter()
                .for_each(|&b| bits::insert(graph.row_mut(a), b));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn edges_are_where_the_cosine_exceeds_theta(set in testing::clustered(300), theta in -0.5f32..0.99) {
            let graph = &similarity_graphs(&set.units, set.d, &[theta])[0];
            let pairs = (0..set.len()).map(|a| (0..a).filter(|&b| graph.has(a, b)).count()).sum::<usize>();
            prop_assert_eq!(graph.pairs(), pairs, "bits past the end");
            for a in 0..set.len() {
                prop_assert!(graph.has(a, a));
                for b in 0..set.len() {
                    let cosine = testing::dot(set.unit(a), set.unit(b));
                    if a != b && (cosine - theta as f64).abs() > 1e-5 {
                        prop_assert_eq!(graph.has(a, b), cosine > theta as f64, "{} {}: {}", a, b, cosine);
                    }
                    prop_assert_eq!(graph.has(a, b), graph.has(b, a));
                }
            }
        }

        /// Thresholds are taken from the products themselves, where a different order of summation would show.
        #[test]
        fn an_edge_depends_on_its_two_vectors_alone(set in testing::clustered(300), order in Just((0..300usize).collect::<Vec<_>>()).prop_shuffle(), part in 1usize..300) {
            let order: Vec<usize> = order.into_iter().filter(|&i| i < set.len()).take(part).collect();
            let shuffled: Vec<f32> = order.iter().flat_map(|&i| set.unit(i)).copied().collect();
            let mut tile = vec![0f32; TILE * TILE];
            let mut first = set.units.clone();
            first.resize(TILE.max(set.len()) * set.d, 0.0);
            let first = &first[..TILE * set.d];
            Panels::pack(first, set.d).part(0..TILE).product(first, &mut tile);
            let thetas: Vec<f32> = (1..TILE.min(set.len())).map(|i| tile[i]).filter(|&t| t < 1.0).take(20).collect();
            let whole = similarity_graphs(&set.units, set.d, &thetas);
            let some = similarity_graphs(&shuffled, set.d, &thetas);
            for (whole, some) in whole.iter().zip(&some) {
                for (a, &old_a) in order.iter().enumerate() {
                    for (b, &old_b) in order.iter().enumerate() {
                        prop_assert_eq!(some.has(a, b), whole.has(old_a, old_b));
                    }
                }
            }
        }
    }

    #[test]
    fn a_threshold_of_one_links_only_equal_vectors() {
        let mut near = [0.6f32, 0.8];
        near[0] = f32::from_bits(near[0].to_bits() + 1);
        let units = [0.6, 0.8, near[0], near[1], 0.6, 0.8, 0.0, 0.0, 0.0, 0.0];
        let graphs = similarity_graphs(&units, 2, &[1.0, 0.99]);
        let edges = |g: &BitGraph| {
            (0..5)
                .map(|a| (0..5).filter(|&b| g.has(a, b)).collect())
                .collect::<Vec<Vec<_>>>()
        };
        assert_eq!(
            edges(&graphs[0]),
            [vec![0, 2], vec![1], vec![0, 2], vec![3, 4], vec![3, 4]]
        );
        assert_eq!(
            edges(&graphs[1]),
            [
                vec![0, 1, 2],
                vec![0, 1, 2],
                vec![0, 1, 2],
                vec![3],
                vec![4]
            ]
        );
    }

    #[test]
    fn no_vectors_and_no_thresholds_are_no_work() {
        assert!(similarity_graphs(&[], 4, &[0.9])[0].is_empty());
        assert!(similarity_graphs(&[1.0, 0.0], 2, &[]).is_empty());
    }
}
