//! How the different scores of query heads that share a KV head are handled (the GQA dilemma): each head ranks for
//! itself, or scores are merged.

/// How the scores of the query heads of one group are reduced before pooling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grouping {
    /// Each query head ranks entries by its own scores (SpindleKV; SnapKV and PyramidKV as published).
    Unfold,
    /// One ranking by the mean over the group (PyramidInfer, kvpress; SpindleKV's eq. 3 ablation).
    Mean,
    /// One ranking by the largest score in the group.
    Max,
    /// One ranking by the sum over the group. Ranks as [`Grouping::Mean`] does.
    Sum,
    /// One ranking for all KV heads of a layer, by the mean over all of the layer's query heads (TOVA).
    Layer,
}

impl Grouping {
    /// Number of rows that [`reduce`] returns for a group of this many query heads.
    pub fn rows(self, group: usize) -> usize {
        if self == Grouping::Unfold { group } else { 1 }
    }
}

/// `scores: [group, n]` reduced to `[grouping.rows(group), n]`, row-major.
///
/// # Panics
/// When `scores` is not `group` rows of one length.
pub fn reduce(scores: &[f32], group: usize, grouping: Grouping) -> Vec<f32> {
    assert!(
        group > 0 && scores.len().is_multiple_of(group),
        "scores are [{group}, n], not {} in all",
        scores.len()
    );
    let n = scores.len() / group;
    let fold = |merge: fn(f32, f32) -> f32| -> Vec<f32> {
        let mut row = scores[..n].to_vec();
        for head in 1..group {
            row.iter_mut()
                .zip(&scores[head * n..(head + 1) * n])
                .for_each(|(a, &b)| *a = merge(*a, b));
        }
        row
    };
    match grouping {
        Grouping::Unfold => scores.to_vec(),
        Grouping::Sum => fold(|a, b| a + b),
        Grouping::Max => fold(f32::max),
        Grouping::Mean | Grouping::Layer => {
            let mut row = fold(|a, b| a + b);
            row.iter_mut().for_each(|a| *a /= group as f32);
            row
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reduction_is_what_it_says() {
        let scores = [1.0, 4.0, 3.0, 0.0];
        assert_eq!(reduce(&scores, 2, Grouping::Unfold), scores);
        assert_eq!(reduce(&scores, 2, Grouping::Sum), [4.0, 4.0]);
        assert_eq!(reduce(&scores, 2, Grouping::Mean), [2.0, 2.0]);
        assert_eq!(reduce(&scores, 2, Grouping::Max), [3.0, 4.0]);
        assert_eq!((Grouping::Unfold.rows(2), Grouping::Max.rows(2)), (2, 1));
    }

    #[test]
    fn a_group_of_one_is_unchanged() {
        for grouping in [
            Grouping::Unfold,
            Grouping::Mean,
            Grouping::Max,
            Grouping::Sum,
            Grouping::Layer,
        ] {
            assert_eq!(reduce(&[1.0, 2.0], 1, grouping), [1.0, 2.0]);
        }
        assert!(reduce(&[], 3, Grouping::Mean).is_empty());
    }
}
