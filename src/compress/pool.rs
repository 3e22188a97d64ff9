//! Pooling of scores along the sequence, so that neighbours of an important entry survive with it (SnapKV).

use crate::error::BadInput;

/// How scores are smoothed along the sequence. A kernel is an odd number of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Scores as they are.
    None,
    /// The largest score in the kernel (KVCache-Factory's default, kernel 7).
    Max(usize),
    /// The mean of the scores in the kernel (kvpress' SnapKV, kernel 5).
    Avg(usize),
}

impl Pooling {
    /// Returns the pooling, or an error for an even kernel, which would shift or change the number of scores.
    pub fn check(self) -> Result<Self, BadInput> {
        match self {
            Pooling::Max(kernel) | Pooling::Avg(kernel) if kernel % 2 == 0 => Err(BadInput(
                format!("pooling kernel is {kernel}, expected an odd number"),
            )),
            _ => Ok(self),
        }
    }
}

/// Pools one row of scores with stride 1 and padding `kernel / 2`. Returns as many scores.
///
/// Agrees with torch's `max_pool1d`, whose padding never wins, and with its `avg_pool1d` as called by default
/// (`count_include_pad`): the padding counts as zeros, so scores near the ends are divided by the whole kernel too.
///
/// # Panics
/// When the kernel is even (see [`Pooling::check`]).
pub fn pool(scores: &[f32], pooling: Pooling) -> Vec<f32> {
    match pooling {
        Pooling::None => scores.to_vec(),
        Pooling::Max(kernel) => over_windows(scores, kernel, |window| {
            window.iter().copied().fold(f32::NEG_INFINITY, f32::max)
        }),
        Pooling::Avg(kernel) => over_windows(scores, kernel, |window| {
            window.iter().sum::<f32>() / kernel as f32
        }),
    }
}

/// `reduce` over the part of each centred window that lies within the row.
fn over_windows(scores: &[f32], kernel: usize, reduce: impl Fn(&[f32]) -> f32) -> Vec<f32> {
    assert!(kernel % 2 == 1, "pooling kernel {kernel} is not odd");
    let half = kernel / 2;
    (0..scores.len())
        .map(|i| reduce(&scores[i.saturating_sub(half)..(i + half + 1).min(scores.len())]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_spreads_a_peak_over_the_kernel() {
        assert_eq!(
            pool(&[0.0, 0.0, 5.0, 0.0, 1.0], Pooling::Max(3)),
            [0.0, 5.0, 5.0, 5.0, 1.0]
        );
        assert_eq!(pool(&[-3.0, -2.0], Pooling::Max(7)), [-2.0, -2.0]);
    }

    #[test]
    fn avg_counts_the_padding() {
        assert_eq!(pool(&[3.0, 3.0, 3.0], Pooling::Avg(3)), [2.0, 3.0, 2.0]);
    }

    #[test]
    fn a_kernel_of_one_and_no_pooling_change_nothing() {
        let scores = [1.0, -2.0, 0.5];
        for pooling in [Pooling::None, Pooling::Max(1), Pooling::Avg(1)] {
            assert_eq!(pool(&scores, pooling), scores);
        }
        assert!(pool(&[], Pooling::Max(7)).is_empty());
    }

    #[test]
    fn even_kernels_are_refused() {
        assert!(Pooling::Max(7).check().is_ok() && Pooling::None.check().is_ok());
        assert!(
            Pooling::Avg(4)
                .check()
                .is_err_and(|e| e.to_string().contains("pooling kernel is 4"))
        );
    }
}
