//! Outcomes to rows.

use super::sample::Outcome;
use crate::cache::{Footprint, Geometry, StoreType};
use crate::record::{LayerRecord, Record};

/// The record of a cell, filled into `identity`, and its layers.
pub fn rows(
    identity: Record,
    outcome: &Outcome,
    geometry: Geometry,
    store: StoreType,
) -> (Record, Vec<LayerRecord>) {
    let paper: Vec<PaperRatio> = outcome
        .layers
        .iter()
        .map(|layer| PaperRatio::new(layer.footprint, layer.bytes_dense, geometry, store))
        .collect();
    let layers = outcome
        .layers
        .iter()
        .zip(&paper)
        .enumerate()
        .map(|(i, (layer, paper))| {
            let coded = layer.cosines.is_some();
            LayerRecord {
                model: identity.model.clone(),
                dtype: identity.dtype.clone(),
                compress_at: identity.compress_at.clone(),
                method: identity.method.clone(),
                settings: identity.settings.clone(),
                task: identity.task.clone(),
                sample: identity.sample.clone(),
                layer: i,
                entries: layer.footprint.entries,
                codewords_k: coded.then_some(layer.footprint.codewords_k),
                codewords_v: coded.then_some(layer.footprint.codewords_v),
                bytes_dense: layer.bytes_dense,
                bytes_entries: layer.footprint.bytes_entries,
                bytes_codewords: layer.footprint.bytes_codewords,
                bytes_indices: layer.footprint.bytes_indices,
                bytes_magnitudes: layer.footprint.bytes_magnitudes,
                bytes_positions: layer.footprint.bytes_positions,
                bytes_lists: layer.footprint.bytes_lists,
                r1: Some(paper.r1),
                r2: paper.r2,
                r3: paper.r3,
                cosine_min_k: layer.cosines.map(|(keys, _)| keys.min.into()),
                cosine_min_v: layer.cosines.map(|(_, values)| values.min.into()),
                cosine_mean_k: layer.cosines.map(|(keys, _)| keys.mean.into()),
                cosine_mean_v: layer.cosines.map(|(_, values)| values.mean.into()),
            }
        })
        .collect();
    let record = Record {
        seen: Some(outcome.seen),
        entries: Some(outcome.held.entries),
        bytes_dense: outcome.bytes_dense,
        bytes_held: Some(outcome.held.bytes()),
        retention: Some(outcome.held.bytes() as f64 / outcome.bytes_dense as f64),
        retention_paper: Some(
            paper.iter().map(|paper| paper.ratio).sum::<f64>() / paper.len() as f64,
        ),
        score: Some(outcome.score),
        new_tokens: Some(outcome.new_tokens),
        nll: Some(outcome.nll),
        prefill_ms: Some(outcome.prefill_ms),
        compress_ms: Some(outcome.compress_ms),
        decode_ms: Some(outcome.decode_ms),
        bytes_peak: Some(outcome.bytes_peak),
        bytes_end: Some(outcome.bytes_end),
        ..identity
    };
    (record, layers)
}

/// Equation 15, corrected (PAPER section 1.9), of one layer: counts, not bytes.
struct PaperRatio {
    /// Kept vectors, counted per query head where heads select apart, over those of the dense cache.
    r1: f64,
    /// Codewords over kept vectors; none where nothing is coded.
    r2: Option<f64>,
    /// What a codeword is charged, its index and magnitude included, over the vector alone; none where nothing is coded.
    r3: Option<f64>,
    ratio: f64,
}

impl PaperRatio {
    fn new(footprint: Footprint, bytes_dense: u64, geometry: Geometry, store: StoreType) -> Self {
        let bytes_entry = (2 * geometry.head_dim * store.size()) as u64;
        let r1 = footprint.kept as f64 / (bytes_dense / bytes_entry) as f64;
        let codewords = footprint.codewords_k + footprint.codewords_v;
        if codewords == 0 {
            return Self {
                r1,
                r2: None,
                r3: None,
                ratio: r1,
            };
        }
        // A vector kept whole beside the coded ones stands for itself alone.
        let whole = footprint.bytes_entries / bytes_entry;
        let r2 = (codewords + 2 * whole) as f64 / (2 * footprint.kept) as f64;
        // One index and one magnitude beside each codeword of head_dim elements, as the equation charges them: what is
        // stored of them, in elements for each vector coded.
        let stored = (footprint.bytes_indices + footprint.bytes_magnitudes) as f64;
        let beside = stored / (2 * (footprint.entries - whole)) as f64 / store.size() as f64;
        let r3 = (geometry.head_dim as f64 + beside) / geometry.head_dim as f64;
        Self {
            r1,
            r2: Some(r2),
            r3: Some(r3),
            ratio: r1 * r2 * r3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GEOMETRY: Geometry = Geometry {
        layers: 1,
        heads: 4,
        kv_heads: 2,
        head_dim: 64,
    };
    /// A dense cache of 100 tokens in f16.
    const DENSE: u64 = 2 * 100 * 2 * 64 * 2;

    fn ratio(footprint: Footprint) -> PaperRatio {
        PaperRatio::new(footprint, DENSE, GEOMETRY, StoreType::F16)
    }

    /// 60 entries coded, listed 80 times over the query heads; two indices of a byte and two magnitudes for each.
    const CODED: Footprint = Footprint {
        entries: 60,
        kept: 80,
        codewords_k: 30,
        codewords_v: 50,
        bytes_entries: 0,
        bytes_codewords: 80 * 64 * 2,
        bytes_indices: 2 * 60,
        bytes_magnitudes: 2 * 60 * 2,
        bytes_positions: 60,
        bytes_lists: 80,
    };

    #[test]
    fn a_codebook_is_charged_as_equation_15_says() {
        let found = ratio(CODED);
        assert_eq!(found.r1, 0.4);
        assert_eq!(found.r2, Some(0.5));
        assert_eq!(found.r3, Some((64.0 + 0.5 + 1.0) / 64.0));
        assert_eq!(found.ratio, 0.4 * 0.5 * 65.5 / 64.0);
    }

    #[test]
    fn no_magnitudes_are_not_charged() {
        let found = ratio(Footprint {
            bytes_magnitudes: 0,
            ..CODED
        });
        assert_eq!(found.r3, Some(64.5 / 64.0));
    }

    /// Ten entries beside the coded ones, seen by two query heads each, stand for themselves and have no index.
    #[test]
    fn entries_kept_whole_count_as_codewords_of_their_own() {
        let found = ratio(Footprint {
            entries: 70,
            kept: 100,
            bytes_entries: 10 * 2 * 64 * 2,
            ..CODED
        });
        assert_eq!(found.r1, 0.5);
        assert_eq!(found.r2, Some(0.5));
        assert_eq!(found.r3, Some(65.5 / 64.0));
    }

    /// Entries stored for each of a KV head's two query heads are twice those of the dense cache.
    #[test]
    fn repeated_entries_are_charged_as_published() {
        let found = ratio(Footprint {
            entries: 400,
            kept: 400,
            bytes_entries: 400 * 2 * 64 * 2,
            ..Footprint::default()
        });
        assert_eq!((found.r1, found.ratio), (2.0, 2.0));
        assert_eq!((found.r2, found.r3), (None, None));
    }
}
