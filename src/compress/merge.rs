//! Merges values of evicted entries into those that stay (CaM, Zhang et al. 2024).

use rand::Rng;

/// How evicted values are merged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Merging {
    /// Number of tokens after an evicted one that its value is spread over; 32 as published.
    pub budget: usize,
    /// Number of tokens after an evicted one whose mean attention its own is divided by: the recent window.
    pub recent: usize,
}

impl Merging {
    /// Merges the values at `evicted` positions (ascending) of `values: [len, d]` into the values after them.
    ///
    /// Goes through evicted values in the order of the text. Each, with all that was merged into it before, is added to
    /// the next `budget` values, a `budget`-th to each, with probability `attention[i] / mean(attention[i + 1..])` over
    /// the `recent` tokens after it, at most 1. `attention: [len]`: what an entry draws from a query that sees it.
    pub fn merge(
        self,
        values: &mut [f32],
        d: usize,
        attention: &[f32],
        evicted: &[u32],
        rng: &mut impl Rng,
    ) {
        let len = attention.len();
        for &position in evicted {
            let i = position as usize;
            let after = &attention[i + 1..len.min(i + 1 + self.recent)];
            let mean = after.iter().sum::<f32>() / after.len() as f32;
            let drawn: f32 = rng.random();
            // NaN means that neither this entry nor those after it draw attention, or that none comes after it: not
            // merged.
            let chance = attention[i] / mean;
            if chance.is_nan() || drawn >= chance {
                continue;
            }
            let (before, rest) = values.split_at_mut((i + 1) * d);
            let merged = &before[i * d..];
            for value in rest.chunks_exact_mut(d).take(self.budget) {
                for (v, m) in value.iter_mut().zip(merged) {
                    *v += m / self.budget as f32;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn merged(attention: &[f32], evicted: &[u32]) -> Vec<f32> {
        let mut values = vec![4.0, 8.0, 16.0, 32.0];
        let merging = Merging {
            budget: 2,
            recent: 2,
        };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        merging.merge(&mut values, 1, attention, evicted, &mut rng);
        values
    }

    #[test]
    fn a_certain_merge_spreads_over_the_next_and_goes_on_with_them() {
        assert_eq!(merged(&[1.0, 1.0, 0.5, 0.5], &[0]), [4.0, 10.0, 18.0, 32.0]);
        assert_eq!(
            merged(&[1.0, 1.0, 0.5, 0.5], &[0, 1]),
            [4.0, 10.0, 23.0, 37.0]
        );
    }

    #[test]
    fn what_draws_no_attention_is_not_merged() {
        assert_eq!(merged(&[0.0, 1.0, 1.0, 1.0], &[0]), [4.0, 8.0, 16.0, 32.0]);
    }
}
