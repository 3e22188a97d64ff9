//! The values of a needle heat map: mean score over token length and depth.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::settings_of;
use crate::report::Cell;

/// Mean scores by place; what else tells samples apart (distractors, seeds) is averaged over.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Grid {
    /// Token lengths, ascending.
    pub lengths: Vec<u64>,
    /// Depths in percent, ascending.
    pub depths: Vec<u64>,
    means: BTreeMap<(u64, u64), f64>,
}

impl Grid {
    /// None unless the sample names of `cell` have a `length` and a `depth`.
    pub(super) fn of(cell: &Cell) -> Option<Self> {
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
        let ascending = |values: BTreeSet<u64>| values.into_iter().collect();
        Some(Self {
            lengths: ascending(places.iter().map(|place| place.0).collect()),
            depths: ascending(places.iter().map(|place| place.1).collect()),
            means: scores
                .into_iter()
                .map(|(place, s)| (place, s.iter().sum::<f64>() / s.len() as f64))
                .collect(),
        })
    }

    /// Mean score, 0 to 1; none if no sample there has a score.
    pub(super) fn mean(&self, length: u64, depth: u64) -> Option<f64> {
        self.means.get(&(length, depth)).copied()
    }

    /// The mean over places.
    pub(super) fn overall(&self) -> Option<f64> {
        let sum: f64 = self.means.values().sum();
        (!self.means.is_empty()).then(|| sum / self.means.len() as f64)
    }
}

/// Length and depth in a sample name such as `length=1024;depth=50;distractors=0;seed=0`.
fn place(sample: &str) -> Option<(u64, u64)> {
    let value = |name: &str| {
        settings_of(sample)
            .find(|(key, _)| *key == name)?
            .1
            .parse()
            .ok()
    };
    Some((value("length")?, value("depth")?))
}
