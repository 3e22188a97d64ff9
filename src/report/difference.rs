//! A difference from the baseline, and its text in a table.

use super::bootstrap::{self, Interval};

/// Mean difference from the baseline over the samples for which both have a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// Mean of the differences; over several tasks, the mean of the tasks' means.
    pub mean: f64,
    /// 95 % interval of the paired bootstrap. None for fewer than two pairs.
    pub interval: Option<Interval>,
    /// Samples that have a value in both, over all tasks.
    pub pairs: usize,
}

impl Difference {
    /// The mean of differences `pairs`, pair by pair for each task.
    pub(super) fn new(pairs: &[Vec<f64>]) -> Option<Self> {
        Some(Self {
            mean: bootstrap::mean_of_means(pairs)?,
            interval: bootstrap::interval(pairs),
            pairs: pairs.iter().map(Vec::len).sum(),
        })
    }

    /// The text in a table. `n`: how many pairs there would be if none were missing.
    pub(super) fn text(&self, n: usize, decimals: usize) -> String {
        let signed = |value| signed(value, decimals);
        let mut text = signed(self.mean);
        if let Some(interval) = self.interval {
            text.push_str(&format!(
                " [{}, {}]",
                signed(interval.low),
                signed(interval.high)
            ));
        }
        if self.pairs != n {
            text.push_str(&format!(" of {}", self.pairs));
        }
        text
    }
}

/// Text with a sign; none if the value rounds to zero. NaN and infinity are written out.
fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{value:+.decimals$}");
    if !value.is_finite() || text.contains(|c| ('1'..='9').contains(&c)) {
        text
    } else {
        text[1..].to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_whole_with_their_sign_and_zero_without() {
        for (value, text) in [
            (1.26, "+1.3"),
            (-1.26, "-1.3"),
            (0.04, "0.0"),
            (-0.04, "0.0"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(signed(value, 1), text);
        }
    }
}
