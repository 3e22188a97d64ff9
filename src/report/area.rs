//! Areas under the curves of a section: the mean score of a method over a range of retentions.

use std::collections::HashMap;

use super::Baseline;
use super::block::Block;
use super::bootstrap::mean_of_means;
use super::curve::{Curve, curves, shared};
use super::difference::Difference;
use super::table::{self, Table};

/// The area under one curve: its mean score over the section's range of retentions, uniformly weighted.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// Name of the method.
    pub method: String,
    /// The settings that are not about size.
    pub settings: String,
    /// Number of sizes that the curve was measured at.
    pub sizes: usize,
    /// Number of samples with a score at every size.
    pub n: usize,
    /// Mean score over the range x 100. None if the curve does not cover it.
    pub area: Option<f64>,
    /// Difference from the curve of the baseline, or from its score if it has no sizes.
    pub difference: Option<Difference>,
}

/// The areas of one section.
#[derive(Debug, Clone, PartialEq)]
pub struct Areas {
    /// The range of retentions, 0 to 1, that most of the methods cover. None over several tasks, since each has its
    /// own.
    pub range: Option<(f64, f64)>,
    /// One for each curve, in the order of the section's rows.
    pub rows: Vec<Area>,
}

/// A curve's areas by sample in one task, and their differences from the baseline's.
struct OfTask<'a> {
    areas: Option<Vec<(&'a str, f64)>>,
    differences: Option<Vec<f64>>,
}

impl Areas {
    /// Computes the areas over `tasks`; over several, the means of their areas. None unless every task has a method
    /// with several sizes.
    pub(super) fn over(tasks: &[&Block], baseline: &Baseline) -> Option<Self> {
        let curves: Vec<Vec<Curve>> = tasks.iter().map(|block| curves(block)).collect();
        let ranges = curves.iter().map(|curves| {
            let ranges: Vec<(f64, f64)> = curves.iter().filter_map(Curve::range).collect();
            shared(&ranges)
        });
        let ranges: Vec<(f64, f64)> = ranges.collect::<Option<_>>()?;
        let row = |curve: &Curve| {
            let like = |of_task: &Vec<Curve>| {
                let same = |other: &Curve| {
                    other.method == curve.method && other.settings == curve.settings
                };
                of_task.iter().position(same)
            };
            let found = curves.iter().zip(&ranges).map(|(curves, &range)| {
                Some(OfTask::new(
                    &curves[like(curves)?],
                    range,
                    baseline.curve(curves),
                ))
            });
            let found: Vec<OfTask> = found.collect::<Option<_>>()?;
            Some(Area::new(curve, &found))
        };
        let sized = curves[0].iter().filter(|curve| curve.range().is_some());
        Some(Self {
            range: (tasks.len() == 1).then_some(ranges[0]),
            rows: sized.filter_map(row).collect(),
        })
    }

    /// The line above the table.
    pub(super) fn title(&self) -> String {
        match self.range {
            Some((from, to)) => format!(
                "area under score against retention, from {:.1} % to {:.1} %",
                from * 100.0,
                to * 100.0
            ),
            None => "area under score against retention, mean over the tasks".into(),
        }
    }

    pub(super) fn table(&self) -> Table {
        let headers = [
            "method",
            "settings",
            "sizes",
            "n",
            "area",
            "difference [95 %]",
        ];
        let texts = |row: &Area| {
            vec![
                row.method.clone(),
                row.settings.clone(),
                row.sizes.to_string(),
                row.n.to_string(),
                table::or_empty(row.area.map(|area| format!("{area:.1}"))),
                table::or_empty(row.difference.as_ref().map(|d| d.text(row.n, 1))),
            ]
        };
        Table::new(&headers, self.rows.iter().map(texts).collect())
    }
}

impl Area {
    fn new(curve: &Curve, tasks: &[OfTask]) -> Self {
        let areas = |task: &OfTask| {
            let areas = task.areas.as_ref()?;
            Some(areas.iter().map(|(_, area)| area * 100.0).collect())
        };
        let areas: Option<Vec<Vec<f64>>> = tasks.iter().map(areas).collect();
        let differences: Option<Vec<Vec<f64>>> =
            tasks.iter().map(|task| task.differences.clone()).collect();
        Self {
            method: curve.method.into(),
            settings: curve.settings.clone(),
            sizes: curve.cells.len(),
            n: areas.iter().flatten().map(Vec::len).sum(),
            area: areas.and_then(|areas| mean_of_means(&areas)),
            difference: differences.and_then(|pairs| Difference::new(&pairs)),
        }
    }
}

impl<'a> OfTask<'a> {
    fn new(
        curve: &Curve<'a, '_>,
        (from, to): (f64, f64),
        baseline: Option<&Curve<'a, '_>>,
    ) -> Self {
        let areas = curve.areas(from, to);
        let other = baseline.filter(|other| !std::ptr::eq(*other, curve));
        let other = other.and_then(|other| match &other.cells[..] {
            // A single cell is a flat line only if its method has no settings, as `full`.
            [cell] if cell.told.all().next().is_none() => Some(
                cell.scored()
                    .map(|(r, score)| (r.sample.as_str(), score))
                    .collect(),
            ),
            _ => other.areas(from, to),
        });
        let other: Option<HashMap<&str, f64>> =
            other.map(|areas: Vec<_>| areas.into_iter().collect());
        let differences = areas.as_ref().zip(other).map(|(areas, other)| {
            let pairs = areas
                .iter()
                .filter_map(|(sample, area)| Some((area - other.get(sample)?) * 100.0));
            pairs.collect()
        });
        Self { areas, differences }
    }
}
