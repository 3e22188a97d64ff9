//! The cheap learner: one pass in the order of the text. A vector joins the first codeword that it is alike to, or
//! becomes a codeword.
//!
//! A decoder that only appends could do the same, so it is also a control for how much the greedy order gains.
//! (Decoding itself takes the nearest codeword: docs/PAPER.md 1.8.)

use super::bits;
use super::graph::BitGraph;
use super::{Codebook, Representatives};

/// Makes one pass over the vectors of the graph. No two codewords are alike. Every vector is alike to its codeword, and
/// to no earlier one.
pub fn leader(graph: &BitGraph) -> Codebook {
    let n = graph.len();
    let mut leaders = vec![0u64; bits::words(n)];
    let (mut codewords, mut index) = (Vec::new(), vec![0u32; n]);
    for node in 0..n {
        index[node] = match bits::first_common(graph.row(node), &leaders) {
            Some(codeword) => index[codeword],
            None => {
                bits::insert(&mut leaders, node);
                codewords.push(node as u32);
                codewords.len() as u32 - 1
            }
        };
    }
    Codebook {
        codewords: Representatives::Members(codewords),
        index,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{similarity_graphs, testing};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_pass_spelt_out(set in testing::clustered(120), theta in 0.2f32..1.01) {
            let graph = &similarity_graphs(&set.units, set.d, &[theta])[0];
            let got = leader(graph);
            let mut codewords: Vec<usize> = Vec::new();
            for node in 0..set.len() {
                let first = codewords.iter().position(|&codeword| graph.has(node, codeword));
                let want = first.unwrap_or_else(|| { codewords.push(node); codewords.len() - 1 });
                prop_assert_eq!(got.index[node] as usize, want);
            }
            prop_assert_eq!(got.codewords, Representatives::Members(codewords.iter().map(|&c| c as u32).collect()));
        }
    }

    #[test]
    fn the_first_codeword_above_the_threshold_wins_over_a_nearer_one() {
        // Directions at 0, 40 and 25 degrees: the third is nearer to the second, but the first is alike too.
        let units: Vec<f32> = [0f32, 40.0, 25.0]
            .iter()
            .flat_map(|degrees| [degrees.to_radians().cos(), degrees.to_radians().sin()])
            .collect();
        let codebook = leader(&similarity_graphs(&units, 2, &[0.85])[0]);
        assert_eq!(codebook.codewords, Representatives::Members(vec![0, 1]));
        assert_eq!(codebook.index, [0, 1, 0]);
    }
}
