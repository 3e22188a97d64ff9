//! Curves: cells that differ only in size, and the area under their scores.

use std::collections::HashMap;

use super::block::{Block, CellRecords};
use super::bootstrap::mean_of_means;
use super::settings::joined;
use crate::record::settings_of;

/// A method with one choice of its other settings.
pub struct Curve<'a, 'b> {
    /// Name of the method.
    pub method: &'a str,
    /// The settings that are not about size, as [`CellRecords::label`] has them: `gqa=mean`.
    pub settings: String,
    /// Cells with a score, by measured retention.
    pub cells: Vec<&'b CellRecords<'a>>,
}

/// The curves of a block, in order of first appearance; that of `full` is one cell.
pub fn curves<'a, 'b>(block: &'b Block<'a>) -> Vec<Curve<'a, 'b>> {
    let mut curves: Vec<Curve> = Vec::new();
    for cell in &block.cells {
        if retention(cell).is_none() || cell.scored().next().is_none() {
            continue;
        }
        let settings = without_size(cell);
        let same = |curve: &&mut Curve| curve.method == cell.method && curve.settings == settings;
        match curves.iter_mut().find(same) {
            Some(curve) => curve.cells.push(cell),
            None => curves.push(Curve {
                method: cell.method,
                settings,
                cells: vec![cell],
            }),
        }
    }
    for curve in &mut curves {
        curve.cells.sort_by(|a, b| {
            retention(a)
                .partial_cmp(&retention(b))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
    }
    curves
}

impl<'a> Curve<'a, '_> {
    /// Its least and greatest mean retention. None unless it has two that differ.
    pub(super) fn range(&self) -> Option<(f64, f64)> {
        let (first, last) = (self.cells.first()?, self.cells.last()?);
        let range = (retention(first)?, retention(last)?);
        (range.0 < range.1).then_some(range)
    }

    /// For each sample with a score at every size, the mean score over the retentions `from..to`, linear in the
    /// retention between two sizes (trapezoids). None if the curve does not cover the range.
    pub(super) fn areas(&self, from: f64, to: f64) -> Option<Vec<(&'a str, f64)>> {
        let weights = self.weights(from, to)?;
        let scores = |cell: &&CellRecords<'a>| -> HashMap<&str, f64> {
            cell.scored()
                .map(|(r, score)| (r.sample.as_str(), score))
                .collect()
        };
        let scores: Vec<_> = self.cells.iter().map(scores).collect();
        let area = |sample: &str| {
            let weighted = scores.iter().zip(&weights);
            weighted
                .map(|(scores, weight)| Some(scores.get(sample)? * weight))
                .sum::<Option<f64>>()
        };
        let samples = self.cells.first()?.scored().map(|(r, _)| r.sample.as_str());
        Some(
            samples
                .filter_map(|sample| Some((sample, area(sample)?)))
                .collect(),
        )
    }

    /// Weight of each size's score in the mean over `from..to`. The weights add up to 1.
    fn weights(&self, from: f64, to: f64) -> Option<Vec<f64>> {
        let (least, most) = self.range()?;
        if from >= to || from < least || to > most {
            return None;
        }
        let at = self
            .cells
            .iter()
            .map(|cell| retention(cell))
            .collect::<Option<Vec<f64>>>()?;
        let mut weights = vec![0.0; at.len()];
        for i in 1..at.len() {
            let (left, right) = (at[i - 1].max(from), at[i].min(to));
            if left < right {
                let share = ((left + right) / 2.0 - at[i - 1]) / (at[i] - at[i - 1]);
                weights[i - 1] += (1.0 - share) * (right - left) / (to - from);
                weights[i] += share * (right - left) / (to - from);
            }
        }
        Some(weights)
    }
}

/// The range of retentions that the largest number of `ranges` have in common. None if there is none.
pub(super) fn shared(ranges: &[(f64, f64)]) -> Option<(f64, f64)> {
    let shared_from = |&(from, _): &(f64, f64)| {
        let over = ranges
            .iter()
            .filter(|range| range.0 <= from && from < range.1);
        let count = over.clone().count();
        let to = over.map(|range| range.1).fold(f64::INFINITY, f64::min);
        (count, from, to)
    };
    let widest = |a: &(usize, f64, f64), b: &(usize, f64, f64)| {
        a.0.cmp(&b.0).then((a.2 - a.1).total_cmp(&(b.2 - b.1)))
    };
    let (_, from, to) = ranges.iter().map(shared_from).max_by(widest)?;
    Some((from, to))
}

fn retention(cell: &CellRecords) -> Option<f64> {
    mean_of_means(&[cell.retentions()])
}

fn without_size(cell: &CellRecords) -> String {
    joined(settings_of(&cell.label).filter(|(key, _)| !cell.told.tells_size(key)))
}
