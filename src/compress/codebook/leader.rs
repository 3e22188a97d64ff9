//! The cheap learner: one pass in the order of the text. A vector joins an earlier codeword that is alike, or becomes one.
//!
//! What a decoder that only ever appends does (SpindleKV section 3.5), so also a control for how much the greedy order gains.

use super::super::matmul::dot;
use super::bits;
use super::graph::BitGraph;
use super::{Codebook, Codewords};

/// Which codeword a vector joins when several are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preference {
    /// The earliest.
    First,
    /// The one of the greatest cosine; among equals the earliest.
    Best,
}

/// One pass over the vectors `units: [n, d]` of the graph. No two codewords are alike, and every vector is alike to its codeword.
///
/// # Panics
/// When `units` is not as many vectors as the graph has.
pub fn leader(graph: &BitGraph, units: &[f32], d: usize, preference: Preference) -> Codebook {
    let n = graph.len();
    assert_eq!(units.len(), n * d, "units are [{n}, {d}]");
    let unit = |i: usize| &units[i * d..(i + 1) * d];
    let mut leaders = vec![0u64; bits::words(n)];
    let (mut codewords, mut index) = (Vec::new(), vec![0u32; n]);
    for node in 0..n {
        let mut best: Option<(usize, f32)> = None;
        bits::for_each_common(graph.row(node), &leaders, |candidate| {
            match (preference, best) {
                (Preference::First, Some(_)) => {}
                (Preference::First, None) => best = Some((candidate, 1.0)),
                (Preference::Best, _) => {
                    let cosine = dot(unit(node), unit(candidate));
                    if best.is_none_or(|(_, most)| cosine > most) {
                        best = Some((candidate, cosine));
                    }
                }
            }
        });
        index[node] = match best {
            Some((codeword, _)) => index[codeword],
            None => {
                bits::insert(&mut leaders, node);
                codewords.push(node as u32);
                codewords.len() as u32 - 1
            }
        };
    }
    Codebook {
        codewords: Codewords::Members(codewords),
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
            for preference in [Preference::First, Preference::Best] {
                let mut codewords: Vec<usize> = Vec::new();
                let got = leader(graph, &set.units, set.d, preference);
                for node in 0..set.len() {
                    let alike: Vec<usize> = (0..codewords.len()).filter(|&c| graph.has(node, codewords[c])).collect();
                    let cosine = |c: usize| dot(set.unit(node), set.unit(codewords[c]));
                    let chosen = match preference {
                        Preference::First => alike.first().copied(),
                        Preference::Best => alike.iter().copied().rev().max_by(|&a, &b| cosine(a).total_cmp(&cosine(b))),
                    };
                    let want = chosen.unwrap_or_else(|| { codewords.push(node); codewords.len() - 1 });
                    prop_assert_eq!(got.index[node] as usize, want);
                }
                prop_assert_eq!(got.codewords, Codewords::Members(codewords.iter().map(|&c| c as u32).collect()));
            }
        }
    }
}
