//! The paper's ratio of a layer, which counts vectors; retention counts bytes.

use crate::store::{Content, Footprint, StoreType};

/// Equation 15, corrected (docs/PAPER.md 1.9), of one layer: counts, not bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PaperRatio {
    /// Kept vectors, counted per query head where heads select apart, over those of the dense cache.
    pub r1: f64,
    /// Codewords over kept vectors; none where nothing is coded.
    pub r2: Option<f64>,
    /// Elements charged for a codeword with its index and magnitude, over those of the vector alone. None if nothing is
    /// coded.
    pub r3: Option<f64>,
    /// `r1 * r2 * r3`, or `r1` where nothing is coded.
    pub ratio: f64,
}

impl PaperRatio {
    /// `dense`: entries of the dense cache, over the KV heads.
    pub(crate) fn new(footprint: Footprint, dense: u64, head_dim: usize, store: StoreType) -> Self {
        let r1 = footprint.kept as f64 / dense as f64;
        if footprint.coded == 0 {
            return Self {
                r1,
                r2: None,
                r3: None,
                ratio: r1,
            };
        }
        // A vector that is not coded stands for itself alone.
        let others = 2 * footprint.entries - footprint.coded;
        let codewords = footprint.codewords_k + footprint.codewords_v;
        let r2 = (codewords + others) as f64 / (2 * footprint.kept) as f64;
        // The equation charges one index and one magnitude beside each codeword of `head_dim` elements. Here these are
        // the mean bytes stored per coded vector, in elements.
        let bytes = footprint.bytes;
        let stored = (bytes[Content::Indices] + bytes[Content::Magnitudes]) as f64;
        let beside = stored / footprint.coded as f64 / store.size() as f64;
        let r3 = (head_dim as f64 + beside) / head_dim as f64;
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

    const HEAD_DIM: usize = 64;
    /// Of 100 tokens and two KV heads.
    const DENSE: u64 = 200;

    fn ratio(footprint: Footprint) -> PaperRatio {
        PaperRatio::new(footprint, DENSE, HEAD_DIM, StoreType::F16)
    }

    fn bytes(all: &[(Content, u64)]) -> Bytes {
        let each = all
            .iter()
            .map(|&(content, bytes)| Bytes::of(content, bytes));
        each.fold(Bytes::default(), |sum, bytes| sum + bytes)
    }

    /// 60 entries coded, listed 80 times over the query heads; two indices of a byte and two magnitudes for each.
    fn coded() -> Footprint {
        Footprint {
            entries: 60,
            kept: 80,
            codewords_k: 30,
            codewords_v: 50,
            coded: 2 * 60,
            bytes: bytes(&[
                (Content::Codewords, 80 * 64 * 2),
                (Content::Indices, 2 * 60),
                (Content::Magnitudes, 2 * 60 * 2),
                (Content::Positions, 60),
                (Content::Lists, 80),
            ]),
        }
    }

    #[test]
    fn a_codebook_is_charged_as_equation_15_says() {
        let found = ratio(coded());
        assert_eq!(found.r1, 0.4);
        assert_eq!(found.r2, Some(0.5));
        assert_eq!(found.r3, Some((64.0 + 0.5 + 1.0) / 64.0));
        assert_eq!(found.ratio, 0.4 * 0.5 * 65.5 / 64.0);
    }

    #[test]
    fn no_magnitudes_are_not_charged() {
        let found = ratio(Footprint {
            bytes: bytes(&[
                (Content::Codewords, 80 * 64 * 2),
                (Content::Indices, 2 * 60),
            ]),
            ..coded()
        });
        assert_eq!(found.r3, Some(64.5 / 64.0));
    }

    /// Ten entries beside the coded ones, seen by two query heads each, stand for themselves and have no index.
    #[test]
    fn entries_kept_whole_count_as_codewords_of_their_own() {
        let found = ratio(Footprint {
            entries: 70,
            kept: 100,
            bytes: coded().bytes + bytes(&[(Content::Entries, 10 * 2 * 64 * 2)]),
            ..coded()
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
            bytes: bytes(&[(Content::Entries, 400 * 2 * 64 * 2)]),
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
            coded: 400,
            bytes: bytes(&[(Content::Indices, 400), (Content::Magnitudes, 800)]),
        });
        assert_eq!((unfolded.r1, unfolded.r2), (2.0, Some(0.1875)));
        // One byte of index is half an element of f16.
        assert_eq!(unfolded.ratio, 2.0 * 0.1875 * 65.5 / 64.0);
    }

    #[test]
    fn scales_of_the_other_side_are_not_charged_to_the_codebook() {
        let one_side = Footprint {
            codewords_v: 0,
            coded: 60,
            bytes: bytes(&[(Content::Indices, 60), (Content::Magnitudes, 60 * 2)]),
            ..coded()
        };
        let scaled = Footprint {
            bytes: one_side.bytes
                + bytes(&[(Content::Entries, 60 * 64), (Content::Scales, 60 * 2)]),
            ..one_side
        };
        assert_eq!(ratio(one_side).r3, Some((64.0 + 0.5 + 1.0) / 64.0));
        assert_eq!(ratio(scaled), ratio(one_side));
    }
}
