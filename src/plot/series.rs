//! The lines of the accuracy figure: cells that differ only in how much they may keep.

use crate::record::settings_of;
use crate::report::bootstrap::{self, Interval};
use crate::report::{Block, Cell, FULL};

/// Settings that say how much is kept; moving along them is moving along a line.
const SIZE_SETTINGS: [&str; 6] = [
    "retention",
    "r",
    "budget",
    "theta-k",
    "theta-v",
    "theta-scale",
];

/// A method with one choice of its other settings.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub method: String,
    /// The settings that are not about size: `window=8;kernel=7`.
    pub settings: String,
    /// By retention.
    pub points: Vec<Point>,
}

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Measured, mean, percent.
    pub retention: f64,
    /// Mean x 100.
    pub score: f64,
    /// 95 % interval of the mean, x 100.
    pub interval: Option<Interval>,
}

impl Point {
    pub(super) fn of(cell: &Cell) -> Option<Self> {
        let hundredfold =
            |values: Vec<f64>| [values.iter().map(|value| value * 100.0).collect::<Vec<_>>()];
        let (retentions, scores) = (hundredfold(cell.retentions()), hundredfold(cell.scores()));
        Some(Self {
            retention: bootstrap::mean_of_means(&retentions)?,
            score: bootstrap::mean_of_means(&scores)?,
            interval: bootstrap::interval(&scores),
        })
    }

    /// The lowest and highest value drawn for this point.
    pub(super) fn extent(&self) -> (f64, f64) {
        self.interval.map_or((self.score, self.score), |i| {
            (i.low.min(self.score), i.high.max(self.score))
        })
    }
}

/// The series of a block in order of first appearance, without `full` and without cells that have no score.
pub(super) fn of_block(block: &Block) -> Vec<Series> {
    let mut all: Vec<Series> = Vec::new();
    for cell in block.cells.iter().filter(|cell| cell.method != FULL) {
        let Some(point) = Point::of(cell) else {
            continue;
        };
        let settings = without_size(&cell.label);
        match all
            .iter_mut()
            .find(|s| s.method == cell.method && s.settings == settings)
        {
            Some(series) => series.points.push(point),
            None => all.push(Series {
                method: cell.method.to_string(),
                settings,
                points: vec![point],
            }),
        }
    }
    for series in &mut all {
        series
            .points
            .sort_by(|a, b| a.retention.total_cmp(&b.retention));
    }
    all
}

fn without_size(settings: &str) -> String {
    let rest = settings_of(settings).filter(|(key, _)| !SIZE_SETTINGS.contains(key));
    rest.map(|(key, value)| format!("{key}={value}"))
        .collect::<Vec<_>>()
        .join(";")
}
