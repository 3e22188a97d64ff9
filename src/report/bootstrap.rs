//! The percentile bootstrap: how uncertain a mean over few samples is.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Resamples drawn for each interval.
const RESAMPLES: usize = 10_000;
/// Seed of every interval, so that an interval depends on its own values only.
const SEED: u64 = 20_250_101;

/// The middle 95 % of the bootstrap distribution of a mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The 2.5th percentile.
    pub low: f64,
    /// The 97.5th percentile.
    pub high: f64,
}

/// The mean of the means of `strata`. None if a stratum is empty or there are none.
///
/// One stratum is a plain mean; one stratum per task is the macro average over tasks.
pub fn mean_of_means(strata: &[Vec<f64>]) -> Option<f64> {
    if strata.is_empty() || strata.iter().any(Vec::is_empty) {
        return None;
    }
    let sum: f64 = strata
        .iter()
        .map(|values| values.iter().sum::<f64>() / values.len() as f64)
        .sum();
    Some(sum / strata.len() as f64)
}

/// The 95 % interval of [`mean_of_means`], resampling within each stratum (10,000 resamples, fixed
/// seed). Given differences of pairs it is the paired bootstrap.
///
/// None if a stratum has fewer than two values: one value has no spread.
pub fn interval(strata: &[Vec<f64>]) -> Option<Interval> {
    if strata.is_empty() || strata.iter().any(|values| values.len() < 2) {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let sum: f64 = strata
                .iter()
                .map(|values| resampled_mean(values, &mut rng))
                .sum();
            sum / strata.len() as f64
        })
        .collect();
    means.sort_by(f64::total_cmp);
    Some(Interval {
        low: quantile(&means, 0.025),
        high: quantile(&means, 0.975),
    })
}

fn resampled_mean(values: &[f64], rng: &mut ChaCha8Rng) -> f64 {
    // A u32 range draws the same numbers on 32-bit and 64-bit machines.
    let n = values.len() as u32;
    let sum: f64 = (0..n)
        .map(|_| values[rng.random_range(0..n) as usize])
        .sum();
    sum / f64::from(n)
}

/// Quantile by linear interpolation between the two nearest of the sorted values.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let below = sorted[at.floor() as usize];
    let above = sorted[at.ceil() as usize];
    below + (above - below) * at.fract()
}
