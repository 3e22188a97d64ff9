//! What the paper would report of a layer: counts of vectors, where retention counts bytes.

use crate::store::{Content, Footprint, Geometry, StoreType};

/// Equation 15, corrected (PAPER section 1.9), of one layer: counts, not bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PaperRatio {
    /// Kept vectors, counted per query head where heads select apart, over those of the dense cache.
    pub r1: f64,
    /// Codewords over kept vectors; none where nothing is coded.
    pub r2: Option<f64>,
    /// What a codeword is charged, its index and magnitude included, over the vector alone; none where nothing is coded.
    pub r3: Option<f64>,
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
                r3: None,
                ratio: r1,
            };
        }
        // A vector kept whole beside the coded ones stands for itself alone.
        let bytes = footprint.bytes;
        let whole = bytes[Content::Entries] / bytes_entry;
        let r2 = (codewords + 2 * whole) as f64 / (2 * footprint.kept) as f64;
        // One index and one magnitude beside each codeword of head_dim elements, as the equation charges them: what is
        // stored of them, in elements for each vector coded.
        let stored = (bytes[Content::Indices] + bytes[Content::Magnitudes]) as f64;
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
    use crate::store::Bytes;

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
        bytes: Bytes::new([0, 80 * 64 * 2, 2 * 60, 2 * 60 * 2, 60, 80]),
    };

    fn bytes(content: Content, bytes: u64) -> Bytes {
        Bytes::of(content, bytes)
    }

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
            bytes: Bytes::new([0, 80 * 64 * 2, 2 * 60, 0, 60, 80]),
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
            bytes: CODED.bytes + bytes(Content::Entries, 10 * 2 * 64 * 2),
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
            bytes: bytes(Content::Entries, 400 * 2 * 64 * 2),
            ..Footprint::default()
        });
        assert_eq!((found.r1, found.ratio), (2.0, 2.0));
        assert_eq!((found.r2, found.r3), (None, None));
    }

    #[test]
    fn unfolded_heads_are_charged_apart_and_codewords_are_shared_among_them() {
        let unfolded = ratio(Footprint {
            entries: 200,
            kept: 400,
            codewords_k: 50,
            codewords_v: 100,
            bytes: bytes(Content::Indices, 400) + bytes(Content::Magnitudes, 800),
        });
        assert_eq!((unfolded.r1, unfolded.r2), (2.0, Some(0.1875)));
        // One byte of index is half an element of f16.
        assert_eq!(unfolded.ratio, 2.0 * 0.1875 * 65.5 / 64.0);
    }
}
