//! What one method keeps, holds and costs in each layer of the prompt.

use serde::Serialize;

use crate::compress::ratio::PaperRatio;
use crate::generate::{Cell, CellCache, LayerFacts};
use crate::model::observe::Prefilled;
use crate::store::{Bytes, Footprint, Geometry, union};

/// What one method with its settings keeps, holds and costs, over all layers and in each.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodFacts {
    /// The method's name.
    pub method: String,
    /// Canonical text of the settings: the size and what differs from its default.
    pub settings: String,
    /// Bytes of the compressed cache, all layers.
    pub bytes_held: u64,
    /// `bytes_held` over the bytes of the dense cache.
    pub retention: f64,
    /// The paper's ratio (equation 15), the mean over layers.
    pub retention_paper: f64,
    /// Mean over layers of [`LayerRow::relative_error`].
    pub relative_error: f64,
    /// Entries held, summed over layers and heads.
    pub entries: u64,
    /// Codewords of keys, summed over layers. None where no layer's keys are coded.
    pub codewords_k: Option<u64>,
    /// Codewords of values, summed over layers. None where no layer's values are coded.
    pub codewords_v: Option<u64>,
    /// Bytes held, by what they are spent on, summed over layers.
    pub bytes: Bytes,
    /// One row for each layer.
    pub layers: Vec<LayerRow>,
}

/// One layer under one method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerRow {
    /// Number of the layer, from 0.
    pub layer: usize,
    /// Per query head, the entries it attends to.
    pub kept: Vec<usize>,
    /// Per KV head, the entries that any of its query heads attends to.
    pub union: Vec<usize>,
    /// Entries held, over the KV heads (over the query heads if entries are stored for each).
    pub entries: u64,
    /// Codewords of keys. None where keys are not coded.
    pub codewords_k: Option<u64>,
    /// Codewords of values. None where values are not coded.
    pub codewords_v: Option<u64>,
    /// Bytes of the layer's dense cache.
    pub bytes_dense: u64,
    /// Bytes that the layer holds; `bytes` says what they are spent on.
    pub bytes_held: u64,
    /// Bytes held, by what they are spent on.
    pub bytes: Bytes,
    /// Equation 15: kept vectors over those of the dense cache, counted per query head if heads select apart.
    pub r1: f64,
    /// Equation 15: codewords over kept vectors. None if nothing is coded.
    pub r2: Option<f64>,
    /// Equation 15: a codeword with its index and magnitude over the codeword alone. None if nothing is coded.
    pub r3: Option<f64>,
    /// Least cosine of a key with its codeword. None where keys are not coded.
    pub cosine_min_k: Option<f32>,
    /// Least cosine of a value with its codeword. None where values are not coded.
    pub cosine_min_v: Option<f32>,
    /// Mean cosine of the keys with their codewords, each key counted once. None where keys are not coded.
    pub cosine_mean_k: Option<f32>,
    /// Mean cosine of the values with their codewords, each value counted once. None where values are not coded.
    pub cosine_mean_v: Option<f32>,
    /// Relative error of the attention output of the window's queries: `|| out - full || / || full ||`.
    pub relative_error: f64,
}

impl MethodFacts {
    /// `errors`: the relative error of each layer's attention output.
    pub(super) fn new(
        cell: &Cell,
        made: &CellCache,
        errors: &[f64],
        prefilled: &Prefilled,
    ) -> Self {
        let (geometry, store) = (prefilled.geometry, prefilled.store);
        let footprints = made.layers.iter().map(|layer| layer.footprint);
        let held: Footprint = footprints.sum();
        let is_coded = |side: usize| {
            made.layers
                .iter()
                .any(|layer| layer.cosines[side].is_some())
        };
        let layers = made.layers.iter().zip(errors).enumerate();
        let (layers, ratios): (Vec<LayerRow>, Vec<f64>) = layers
            .map(|(number, (facts, &error))| {
                let paper = PaperRatio::new(
                    facts.footprint,
                    facts.entries_dense,
                    geometry.head_dim,
                    store,
                );
                (row(number, facts, &paper, error, geometry), paper.ratio)
            })
            .unzip();
        Self {
            method: cell.info.name.into(),
            settings: cell.settings.canonical(),
            bytes_held: held.bytes.total(),
            retention: held.bytes.total() as f64 / prefilled.bytes_dense() as f64,
            retention_paper: mean(&ratios),
            relative_error: mean(errors),
            entries: held.entries,
            codewords_k: is_coded(0).then_some(held.codewords_k),
            codewords_v: is_coded(1).then_some(held.codewords_v),
            bytes: held.bytes,
            layers,
        }
    }
}

fn row(
    layer: usize,
    facts: &LayerFacts,
    paper: &PaperRatio,
    relative_error: f64,
    geometry: Geometry,
) -> LayerRow {
    let held = facts.footprint;
    let (kept, union) = match &facts.kept {
        Some(kept) => (
            kept.iter().map(Vec::len).collect(),
            kept.chunks(geometry.group())
                .map(|heads| union(heads).len())
                .collect(),
        ),
        None => {
            let of_group = |&len: &usize| vec![len; geometry.group()];
            let kept = facts.lens.iter().flat_map(of_group);
            (kept.collect(), facts.lens.clone())
        }
    };
    let [keys, values] = facts.cosines;
    LayerRow {
        layer,
        kept,
        union,
        entries: held.entries,
        codewords_k: keys.map(|_| held.codewords_k),
        codewords_v: values.map(|_| held.codewords_v),
        bytes_dense: facts.bytes_dense,
        bytes_held: held.bytes.total(),
        bytes: held.bytes,
        r1: paper.r1,
        r2: paper.r2,
        r3: paper.r3,
        cosine_min_k: keys.map(|cosines| cosines.min),
        cosine_min_v: values.map(|cosines| cosines.min),
        cosine_mean_k: keys.map(|cosines| cosines.mean),
        cosine_mean_v: values.map(|cosines| cosines.mean),
        relative_error,
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
