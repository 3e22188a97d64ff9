//! Which vectors are alike: an undirected graph, one row of bits per vector.

use super::bits;

/// An undirected graph over vectors `0..len()`; each is its own neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BitGraph {
    n: usize,
    /// `[n, words(n)]`; bits past `n` are zero, the matrix is symmetric and its diagonal is set.
    rows: Vec<u64>,
}

impl BitGraph {
    /// The graph with no edges but from each vector to itself.
    pub(super) fn isolated(n: usize) -> Self {
        let mut graph = BitGraph {
            n,
            rows: vec![0; n * bits::words(n)],
        };
        for i in 0..n {
            bits::insert(graph.row_mut(i), i);
        }
        graph
    }

    /// How many vectors there are.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Whether there are no vectors.
    pub fn is_empty(&self) -> bool {
        self.n == 0
    }

    /// Whether vectors `a` and `b` are alike.
    pub fn has(&self, a: usize, b: usize) -> bool {
        bits::contains(self.row(a), b)
    }

    /// Pairs of different vectors that are alike (the paper's figures 3b, 7 and 8).
    pub fn pairs(&self) -> usize {
        let bits: usize = self
            .rows
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum();
        (bits - self.n) / 2
    }

    /// The graph of only the vectors at `positions` (ascending, no repeats), renumbered in that order.
    ///
    /// Copies edges, computes none: two vectors are alike in the subset if they are alike in the whole.
    ///
    /// # Panics
    /// When a position is out of range.
    pub fn subset(&self, positions: &[u32]) -> BitGraph {
        debug_assert!(
            positions.is_sorted_by(|a, b| a < b),
            "positions are ascending"
        );
        if positions.len() == self.n {
            return self.clone();
        }
        let mut kept = vec![0; bits::words(self.n)];
        let mut renumbered = vec![0u32; self.n];
        for (new, &old) in positions.iter().enumerate() {
            bits::insert(&mut kept, old as usize);
            renumbered[old as usize] = new as u32;
        }
        let mut part = BitGraph {
            n: positions.len(),
            rows: vec![0; positions.len() * bits::words(positions.len())],
        };
        for (new, &old) in positions.iter().enumerate() {
            let row = part.row_mut(new);
            bits::for_each_common(self.row(old as usize), &kept, |j| {
                bits::insert(row, renumbered[j] as usize)
            });
        }
        part
    }

    /// Per vector, the sum of the weights of its neighbours, its own included (eq. 10 with repeats folded into
    /// weights).
    pub(super) fn degrees(&self, weights: &[u32]) -> Vec<u32> {
        let largest = weights.iter().copied().max().unwrap_or(0);
        let mut degrees = vec![0; self.n];
        // One set of vectors per binary digit of the weights: those whose weight has the digit.
        for digit in 0..u32::BITS - largest.leading_zeros() {
            let mut plane = vec![0; bits::words(self.n)];
            (0..self.n)
                .filter(|&i| weights[i] >> digit & 1 == 1)
                .for_each(|i| bits::insert(&mut plane, i));
            for (i, degree) in degrees.iter_mut().enumerate() {
                let common: u32 = self
                    .row(i)
                    .iter()
                    .zip(&plane)
                    .map(|(a, b)| (a & b).count_ones())
                    .sum();
                *degree += common << digit;
            }
        }
        degrees
    }

    /// The neighbours of vector `i`.
    pub(super) fn row(&self, i: usize) -> &[u64] {
        let words = bits::words(self.n);
        &self.rows[i * words..(i + 1) * words]
    }

    /// The neighbours of vector `i`, for writing: the caller keeps the matrix symmetric.
    pub(super) fn row_mut(&mut self, i: usize) -> &mut [u64] {
        let words = bits::words(self.n);
        &mut self.rows[i * words..(i + 1) * words]
    }
}

#[cfg(test)]
mod tests {
    use super::super::{similarity_graphs, testing};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_subset_has_the_edges_of_the_whole(set in testing::clustered(150), theta in 0.3f32..0.99, keep in prop::collection::vec(any::<bool>(), 150)) {
            let graph = &similarity_graphs(&set.units, set.d, &[theta])[0];
            let positions: Vec<u32> = (0..set.len() as u32).filter(|&p| keep[p as usize]).collect();
            let part = graph.subset(&positions);
            prop_assert_eq!(part.len(), positions.len());
            let mut pairs = 0;
            for (a, &old_a) in positions.iter().enumerate() {
                for (b, &old_b) in positions.iter().enumerate() {
                    prop_assert_eq!(part.has(a, b), graph.has(old_a as usize, old_b as usize));
                    pairs += usize::from(b > a && part.has(a, b));
                }
            }
            prop_assert_eq!(part.pairs(), pairs);
        }

        #[test]
        fn degrees_add_up_the_weights_of_neighbours(set in testing::clustered(150), theta in 0.3f32..0.99) {
            let graph = &similarity_graphs(&set.units, set.d, &[theta])[0];
            for (i, degree) in graph.degrees(&set.weights).into_iter().enumerate() {
                let want: u32 = (0..set.len()).filter(|&j| graph.has(i, j)).map(|j| set.weights[j]).sum();
                prop_assert_eq!(degree, want);
            }
        }
    }

    #[test]
    fn no_vectors_make_an_empty_graph() {
        let graph = BitGraph::isolated(0);
        assert!(graph.is_empty() && graph.subset(&[]).is_empty() && graph.degrees(&[]).is_empty());
    }
}
