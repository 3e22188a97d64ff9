//! What the paper would report of a layer: counts of vectors, where retention counts bytes.

use crate::cache::{Footprint, Geometry, StoreType};

/// Equation 15, corrected (PAPER notes 1.9), of one layer: counts, not bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaperRatio {
    /// Kept vectors, counted per query head where heads select apart, over those of the dense cache.
    pub r1: f64,
    /// Codewords over kept vectors; none where nothing is coded.
    pub r2: Option<f64>,
    /// `r1 * r2 * r3`, or `r1` where nothing is coded.
    pub ratio: f64,
}

impl PaperRatio {
    pub fn new(
        footprint: Footprint,
        bytes_dense: u64,
        geometry: Geometry,
        store: StoreType,
    ) -> Self {
        let bytes_entry = (2 * geometry.head_dim * store.size()) as u64;
        let r1 = footprint.kept as f64 / (bytes_dense / bytes_entry) as f64;
        let codewords = footprint.codewords_k + footprint.codewords_v;
        if codewords == 0 {
            return Self {
                r1,
                r2: None,
                ratio: r1,
            };
        }
        // A vector kept whole beside the coded ones stands for itself alone.
        let whole = 2 * (footprint.bytes_entries / bytes_entry);
        let r2 = (codewords + whole) as f64 / (2 * footprint.kept) as f64;
        // One index and one magnitude beside each codeword of head_dim elements, as the equation charges them.
        let index_elements =
            footprint.bytes_indices as f64 / (2 * footprint.entries) as f64 / store.size() as f64;
        let r3 = (geometry.head_dim as f64 + index_elements + 1.0) / geometry.head_dim as f64;
        Self {
            r1,
            r2: Some(r2),
            ratio: r1 * r2 * r3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GEOMETRY: Geometry = Geometry {
        layers: 1,
        heads: 6,
        kv_heads: 2,
        head_dim: 64,
    };
    /// Of 100 tokens in f16.
    const DENSE: u64 = 2 * 100 * 2 * 64 * 2;

    fn ratio(footprint: Footprint) -> PaperRatio {
        PaperRatio::new(footprint, DENSE, GEOMETRY, StoreType::F16)
    }

    #[test]
    fn unfolded_heads_are_charged_apart_and_codewords_are_shared_among_them() {
        let unfolded = ratio(Footprint {
            entries: 200,
            kept: 600,
            codewords_k: 50,
            codewords_v: 100,
            bytes_indices: 400,
            ..Footprint::default()
        });
        assert_eq!((unfolded.r1, unfolded.r2), (3.0, Some(0.125)));
        // One byte of index is half an element of f16.
        assert_eq!(unfolded.ratio, 3.0 * 0.125 * 65.5 / 64.0);
    }

    #[test]
    fn what_is_evicted_alone_has_no_codewords_to_count() {
        let evicted = ratio(Footprint {
            entries: 90,
            kept: 150,
            ..Footprint::default()
        });
        assert_eq!((evicted.r1, evicted.r2, evicted.ratio), (0.75, None, 0.75));
    }
}
