//! Selection of entries by score: rankings, top-k sets and, for a group of query heads that rank apart, their union.

/// Positions from the best score to the worst. Equal scores (`-0.0` equals `0.0`) go by position, the lower first. NaN
/// comes last; scorers refuse it before.
pub fn ranking(scores: &[f32]) -> Vec<u32> {
    let mut keys: Vec<u64> = scores
        .iter()
        .enumerate()
        .map(|(position, &s)| (descending(s) as u64) << 32 | position as u64)
        .collect();
    keys.sort_unstable();
    keys.into_iter().map(|key| key as u32).collect()
}

/// The rank of each position in an order that [`ranking`] gave: its inverse permutation.
pub fn rank_of(order: &[u32]) -> Vec<u32> {
    let mut ranks = vec![0; order.len()];
    for (rank, &position) in order.iter().enumerate() {
        ranks[position as usize] = rank as u32;
    }
    ranks
}

/// The positions of the `k` best scores (all, if there are fewer), ascending. Ties as in [`ranking`].
pub fn top_k(scores: &[f32], k: usize) -> Vec<u32> {
    let mut positions = ranking(scores);
    positions.truncate(k);
    positions.sort_unstable();
    positions
}

/// Maps a score to a key that sorts ascending where scores sort descending, NaN last.
fn descending(score: f32) -> u32 {
    if score.is_nan() {
        return u32::MAX;
    }
    let bits = (score + 0.0).to_bits();
    // Usual order-preserving map (flip all bits of negatives, the sign of the others), then complemented.
    !(if bits >> 31 == 1 {
        !bits
    } else {
        bits | 1 << 31
    })
}

/// The rankings of a group's rows of scores (one per query head, or one shared), ready to answer for every budget.
///
/// One ranking serves a whole sweep of budgets: a row's top-k set is the positions of rank below `k`. An entry is held
/// if any row keeps it, that is if its least rank is below `k`.
#[derive(Debug, Clone)]
pub struct Ranked {
    /// Per row, the rank of each position.
    ranks: Vec<Vec<u32>>,
    /// Per position, the least rank over the rows.
    least: Vec<u32>,
    /// `union[k]`: positions with a least rank below `k`, for `k` in `0..=n`.
    union: Vec<u32>,
}

impl Ranked {
    /// Ranks `scores: [rows, n]`, row-major, each row apart.
    ///
    /// # Panics
    /// When `scores` is not `rows` rows of one length.
    pub fn new(scores: &[f32], rows: usize) -> Self {
        assert!(
            rows > 0 && scores.len().is_multiple_of(rows),
            "scores are [{rows}, n], not {} in all",
            scores.len()
        );
        let n = scores.len() / rows;
        let ranks = (0..rows)
            .map(|row| rank_of(&ranking(&scores[row * n..(row + 1) * n])))
            .collect();
        Self::of(ranks, n)
    }

    /// Number of rows: heads that rank for themselves.
    pub fn rows(&self) -> usize {
        self.ranks.len()
    }

    /// The rankings of the first `n` positions alone, in the same order.
    pub fn first(&self, n: usize) -> Self {
        let among_first = |ranks: &Vec<u32>| {
            let order: Vec<u32> = rank_of(ranks)
                .into_iter()
                .filter(|&position| (position as usize) < n)
                .collect();
            rank_of(&order)
        };
        Self::of(self.ranks.iter().map(among_first).collect(), n)
    }

    /// From the ranks of `n` positions, per row.
    fn of(ranks: Vec<Vec<u32>>, n: usize) -> Self {
        let least: Vec<u32> = (0..n)
            .map(|position| {
                ranks
                    .iter()
                    .map(|row| row[position])
                    .fold(u32::MAX, u32::min)
            })
            .collect();
        let mut union = vec![0u32; n + 1];
        least.iter().for_each(|&rank| union[rank as usize + 1] += 1);
        for k in 1..=n {
            union[k] += union[k - 1];
        }
        Ranked {
            ranks,
            least,
            union,
        }
    }

    /// Number of entries held if each row keeps its `k` best: the size of the union of the top-k sets.
    pub fn entries_at(&self, k: usize) -> usize {
        self.union[k.min(self.least.len())] as usize
    }

    /// Per row, its `k` best positions, ascending.
    pub fn kept_at(&self, k: usize) -> Vec<Vec<u32>> {
        (0..self.rows()).map(|row| self.kept_by(row, k)).collect()
    }

    /// The `k` best positions of one row, ascending.
    pub fn kept_by(&self, row: usize, k: usize) -> Vec<u32> {
        let ranks = &self.ranks[row];
        (0..ranks.len() as u32)
            .filter(|&p| (ranks[p as usize] as usize) < k)
            .collect()
    }

    /// The union of the rows' top-k sets, ascending, and for each of its positions the number of rows that keep it
    /// (the weight `w_a` of the codebook, docs/PAPER.md 1.5).
    pub fn union_at(&self, k: usize) -> (Vec<u32>, Vec<u32>) {
        (0..self.least.len())
            .filter(|&p| (self.least[p] as usize) < k)
            .map(|p| {
                (
                    p as u32,
                    self.ranks
                        .iter()
                        .filter(|row| (row[p] as usize) < k)
                        .count() as u32,
                )
            })
            .unzip()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn ties_go_to_the_lower_position_and_nan_comes_last() {
        let scores = [
            0.0,
            f32::NAN,
            1.0,
            -0.0,
            f32::NEG_INFINITY,
            1.0,
            -2.0,
            f32::INFINITY,
        ];
        assert_eq!(ranking(&scores), [7, 2, 5, 0, 3, 6, 4, 1]);
        assert_eq!(top_k(&scores, 3), [2, 5, 7]);
        assert_eq!(top_k(&scores, 100).len(), 8);
        assert!(top_k(&[], 3).is_empty());
    }

    /// Scores with many ties.
    fn scores(max: usize) -> impl Strategy<Value = (usize, Vec<f32>)> {
        (1usize..5, 0usize..max).prop_flat_map(|(rows, n)| {
            (
                Just(rows),
                prop::collection::vec((-6i8..6).prop_map(|s| s as f32 / 2.0), rows * n),
            )
        })
    }

    proptest! {
        #[test]
        fn the_first_positions_rank_as_if_they_were_all((rows, scores) in scores(40), part in 0.0f64..=1.0) {
            let n = scores.len() / rows;
            let first = (n as f64 * part) as usize;
            let cut: Vec<f32> = (0..rows).flat_map(|row| scores[row * n..][..first].to_vec()).collect();
            let (got, want) = (Ranked::new(&scores, rows).first(first), Ranked::new(&cut, rows));
            for k in 0..=first {
                prop_assert_eq!(got.kept_at(k), want.kept_at(k));
                prop_assert_eq!(got.union_at(k), want.union_at(k));
                prop_assert_eq!(got.entries_at(k), want.entries_at(k));
            }
        }

        #[test]
        fn top_k_is_sorted_unique_in_range_and_best((_, scores) in scores(60), k in 0usize..70) {
            let top = top_k(&scores, k);
            prop_assert_eq!(top.len(), k.min(scores.len()));
            prop_assert!(top.is_sorted_by(|a, b| a < b));
            prop_assert!(top.iter().all(|&p| (p as usize) < scores.len()));
            for p in (0..scores.len() as u32).filter(|p| !top.contains(p)) {
                let score = |p: u32| scores[p as usize];
                let beats = |kept: u32| score(kept) > score(p) || score(kept) == score(p) && kept < p;
                prop_assert!(top.iter().all(|&kept| beats(kept)));
            }
        }

        #[test]
        fn unions_are_those_of_the_top_k_sets((rows, scores) in scores(40)) {
            let n = scores.len() / rows;
            let ranked = Ranked::new(&scores, rows);
            for k in 0..n + 3 {
                let kept = ranked.kept_at(k);
                let mut counts = BTreeMap::new();
                for (row, kept) in kept.iter().enumerate() {
                    prop_assert_eq!(kept, &top_k(&scores[row * n..(row + 1) * n], k));
                    kept.iter().for_each(|&p| *counts.entry(p).or_insert(0u32) += 1);
                }
                prop_assert_eq!(ranked.entries_at(k), counts.len());
                prop_assert_eq!(ranked.union_at(k), counts.into_iter().unzip());
            }
        }
    }
}
