//! The values of a needle heat map: mean score over token length and depth.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::settings_of;
use crate::report::CellRecords;

/// Mean scores by place, averaged over what else tells samples apart (distractors, seeds).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grid {
    /// Token lengths, ascending.
    pub lengths: Vec<u64>,
    /// Depths in percent, ascending.
    pub depths: Vec<f64>,
    /// Mean scores by length and depth. Depth is in thousandths of a percent, as sigmoid depths have fractions.
    means: BTreeMap<(u64, u64), f64>,
}

impl Grid {
    /// None unless the sample names of `cell` have a `length` and a `depth`.
    pub(super) fn of(cell: &CellRecords) -> Option<Self> {
        let places: Vec<(u64, u64)> = cell
            .records
            .iter()
            .filter_map(|r| place(&r.sample))
            .collect();
        if places.is_empty() {
            return None;
        }
        let mut scores: BTreeMap<(u64, u64), Vec<f64>> = BTreeMap::new();
        for (record, score) in cell.scored() {
            if let Some(place) = place(&record.sample) {
                scores.entry(place).or_default().push(score);
            }
        }
        let lengths: BTreeSet<u64> = places.iter().map(|place| place.0).collect();
        let depths: BTreeSet<u64> = places.iter().map(|place| place.1).collect();
        Some(Self {
            lengths: lengths.into_iter().collect(),
            depths: depths.into_iter().map(|depth| depth as f64 / 1e3).collect(),
            means: scores
                .into_iter()
                .map(|(place, s)| (place, s.iter().sum::<f64>() / s.len() as f64))
                .collect(),
        })
    }

    /// Mean score at a place, 0 to 1. None if no sample there has a score.
    pub(super) fn mean(&self, length: u64, depth: f64) -> Option<f64> {
        self.means.get(&(length, thousandths(depth))).copied()
    }

    /// Mean of the means of all places.
    pub(super) fn overall(&self) -> Option<f64> {
        let sum: f64 = self.means.values().sum();
        (!self.means.is_empty()).then(|| sum / self.means.len() as f64)
    }
}

/// Length and depth, in thousandths of a percent, in a sample name such as
/// `length=1024;depth=50;distractors=0;seed=0`.
fn place(sample: &str) -> Option<(u64, u64)> {
    let value = |name: &str| Some(settings_of(sample).find(|(key, _)| *key == name)?.1);
    let length = value("length")?.parse().ok()?;
    let depth = value("depth")?.parse().ok()?;
    Some((length, thousandths(depth)))
}

fn thousandths(depth: f64) -> u64 {
    (depth * 1e3).round() as u64
}
