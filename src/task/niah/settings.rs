//! Which samples of a needle protocol there are.

use std::path::PathBuf;

use anyhow::Result;
use serde::Deserialize;

use super::protocol::{PACKED, Protocol};
use crate::bad_input;
use crate::task::spec::{check_samples, repeats};

/// How depths are spread from 0 to 100 %.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spacing {
    /// Evenly, rounded to whole percents.
    #[default]
    Linear,
    /// Densely at both ends, on a logistic curve of steepness 0.1 per percent, rounded to thousandths.
    Sigmoid,
}

impl Spacing {
    /// `count` depths in percent, ascending.
    pub fn depths(self, count: usize) -> Vec<f64> {
        let last = count.saturating_sub(1).max(1) as f64;
        let spread = (0..count).map(|i| 100.0 * i as f64 / last);
        spread.map(|depth| self.place(depth)).collect()
    }

    fn place(self, depth: f64) -> f64 {
        match self {
            Self::Linear => depth.round_ties_even(),
            Self::Sigmoid if depth == 0.0 || depth == 100.0 => depth,
            Self::Sigmoid => {
                let logistic = 100.0 / (1.0 + (-0.1 * (depth - 50.0)).exp());
                (logistic * 1000.0).round_ties_even() / 1000.0
            }
        }
    }
}

/// Which samples there are: one for each length and depth.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct NiahSettings {
    /// Tokens that the haystack is cut from, the buffer included; none: those of the protocol.
    pub lengths: Option<Vec<usize>>,
    /// How far into the haystack the needle stands, in percent; none: as `spacing` and `intervals` say.
    pub depths: Option<Vec<f64>>,
    /// How depths are spread where none are listed; None: linearly.
    pub spacing: Option<Spacing>,
    /// How many depths; none: as many as the protocol has.
    pub intervals: Option<usize>,
    /// How many needles are asked for at once, 3 if not given; only where the protocol has several.
    pub needles: Option<usize>,
    /// A folder of text files; none: the project's own texts.
    pub haystack: Option<PathBuf>,
}

impl NiahSettings {
    /// What can be said of the settings without a model.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a setting that is empty, out of range or not of the protocol.
    pub fn check(&self, protocol: Protocol) -> Result<()> {
        let name = protocol.name();
        let lengths = self.lengths(protocol);
        let intervals = self.intervals.unwrap_or(protocol.intervals());
        let at_depths = match &self.depths {
            Some(depths) => ("depths", depths.len() as u64),
            None => ("intervals", intervals as u64),
        };
        check_samples(name, &[("lengths", lengths.len() as u64), at_depths])?;
        let depths = self.depths(protocol);
        if lengths.is_empty() || depths.is_empty() {
            return Err(bad_input!(
                "{name}: lengths, depths and intervals must not be empty or 0"
            ));
        }
        if self.depths.is_some() && (self.spacing.is_some() || self.intervals.is_some()) {
            return Err(bad_input!(
                "{name}: depths are listed, expected no spacing and no intervals beside them"
            ));
        }
        if repeats(&lengths) || repeats(&depths) {
            return Err(bad_input!(
                "{name}: a value stands twice in lengths or depths, expected each once"
            ));
        }
        if let Some(depth) = depths.iter().find(|depth| !(0.0..=100.0).contains(*depth)) {
            return Err(bad_input!(
                "{name}: depth {depth}, expected a percentage from 0 to 100"
            ));
        }
        match self.needles {
            Some(_) if protocol != Protocol::Multi => Err(bad_input!(
                "{name}: needles is not a setting of it, expected needle-multi"
            )),
            Some(count) if count == 0 || count > PACKED.len() => Err(bad_input!(
                "{name}: needles = {count}, expected from 1 to {}",
                PACKED.len()
            )),
            _ => Ok(()),
        }
    }

    /// Tokens that the haystack is cut from: those given, or the protocol's.
    pub fn lengths(&self, protocol: Protocol) -> Vec<usize> {
        self.lengths.clone().unwrap_or_else(|| protocol.lengths())
    }

    /// Depths in percent: those given, or as many as `intervals` says, spread as `spacing` says.
    pub fn depths(&self, protocol: Protocol) -> Vec<f64> {
        let spread = || {
            let count = self.intervals.unwrap_or(protocol.intervals());
            self.spacing.unwrap_or_default().depths(count)
        };
        self.depths.clone().unwrap_or_else(spread)
    }

    /// Needles that are asked for at once: 1, but for the protocol with several.
    pub fn needles(&self, protocol: Protocol) -> usize {
        match protocol {
            Protocol::Multi => self.needles.unwrap_or(3),
            Protocol::Published | Protocol::Original => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_depths_are_spread_as_published() {
        let published = [0.0, 11.0, 22.0, 33.0, 44.0, 56.0, 67.0, 78.0, 89.0, 100.0];
        assert_eq!(Spacing::Linear.depths(10), published);
    }

    #[test]
    fn sigmoid_depths_are_dense_at_both_ends() {
        // 100 / (1 + exp(5 - 0.1 x)) at 0, 25, 50, 75, 100, the ends set to 0 and 100.
        let expected = [0.0, 7.586, 50.0, 92.414, 100.0];
        assert_eq!(Spacing::Sigmoid.depths(5), expected);
    }

    #[test]
    fn lengths_are_as_published() {
        let llama = Protocol::Published.lengths();
        assert_eq!((llama.len(), llama[1], llama[70]), (71, 1100, 8000));
        let niah = Protocol::Original.lengths();
        assert_eq!(
            (niah.len(), niah[0], niah[1], niah[34]),
            (35, 1000, 1441, 16_000)
        );
    }
}
