//! How many vectors of a layer are alike (docs/PAPER.md 2, figures 3b, 7 and 8): pairs of tokens whose keys, or values,
//! have a cosine above a threshold.

use rayon::prelude::*;
use serde::Serialize;

use crate::compress::codebook::{normalise, similarity_graphs};
use crate::model::observe::{Prefilled, PrefilledLayer};
use crate::store::{Fault, Rows};

/// Which vectors are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VectorKind {
    /// Keys before RoPE.
    Keys,
    /// Keys after RoPE, as queries attend to them.
    RotatedKeys,
    /// Values, to which RoPE is not applied.
    Values,
}

/// The thresholds that pairs are counted at: those of the paper's codebooks (table 3) and of its appendix B.
const COUNTED: [(VectorKind, [f32; 2]); 3] = [
    (VectorKind::Keys, [0.98, 0.9]),
    (VectorKind::RotatedKeys, [0.98, 0.9]),
    (VectorKind::Values, [0.95, 0.6]),
];

/// Pairs of one kind of vector at one threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Similar {
    /// Which vectors were compared.
    pub vectors: VectorKind,
    /// A pair counts when its cosine is greater.
    pub theta: f32,
    /// Number of pairs of different tokens in one KV head, the most that can count.
    pub most: u64,
    /// Pairs that count, per layer and KV head.
    pub pairs: Vec<Vec<u64>>,
}

impl Similar {
    /// Pairs of a layer, over its KV heads.
    pub fn of_layer(&self, layer: usize) -> u64 {
        self.pairs[layer].iter().sum()
    }
}

impl VectorKind {
    fn of(self, layer: &PrefilledLayer, head: usize) -> &Rows {
        match self {
            Self::Keys => &layer.unrotated_keys[head],
            Self::RotatedKeys => layer.kv.keys(head),
            Self::Values => layer.kv.values(head),
        }
    }
}

/// Counts all of [`COUNTED`], each pair's product computed once for both of its thresholds.
///
/// # Errors
/// A vector whose norm is not finite: it has no direction.
pub(super) fn similar(prefilled: &Prefilled) -> Result<Vec<Similar>, Fault> {
    let tokens = prefilled.len as u64;
    let counted = COUNTED
        .into_iter()
        .map(|(vectors, thetas)| {
            let kv_heads = prefilled.geometry.kv_heads;
            let heads: Vec<&Rows> = prefilled
                .layers
                .iter()
                .flat_map(|layer| (0..kv_heads).map(|head| vectors.of(layer, head)))
                .collect();
            let counts: Vec<Result<[u64; 2], Fault>> = heads
                .into_par_iter()
                .enumerate()
                .map(|(head, rows)| {
                    pairs(rows, thetas).map_err(|fault| fault.in_layer(head / kv_heads))
                })
                .collect();
            let counts = counts.into_iter().collect::<Result<Vec<_>, _>>()?;
            Ok([0, 1].map(|i| Similar {
                vectors,
                theta: thetas[i],
                most: tokens * (tokens - 1) / 2,
                pairs: counts
                    .chunks(kv_heads)
                    .map(|layer| layer.iter().map(|count| count[i]).collect())
                    .collect(),
            }))
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    Ok(counted.into_iter().flatten().collect())
}

fn pairs(rows: &Rows, thetas: [f32; 2]) -> Result<[u64; 2], Fault> {
    let d = rows.dim();
    let (units, norms) = normalise(&rows.to_f32(), d);
    if let Some(fault) = Fault::of_rows("norms of vectors", &norms, 1, 0) {
        return Err(fault);
    }
    let graphs = similarity_graphs(&units, d, &thetas);
    Ok([0, 1].map(|i| graphs[i].pairs() as u64))
}
