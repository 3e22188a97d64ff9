//! The lines of the accuracy figure: cells that differ only in size.

use crate::report::bootstrap::{self, Interval};
use crate::report::{Block, CellRecords, Curve, FULL, curves};

/// A method with one choice of its other settings.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub method: String,
    /// The settings that are not about size: `window=8;kernel=7`.
    pub settings: String,
    /// Points in order of retention.
    pub points: Vec<Point>,
}

/// One cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    /// Mean measured retention, percent.
    pub retention: f64,
    /// Mean score x 100.
    pub score: f64,
    /// 95 % interval of the mean, x 100.
    pub interval: Option<Interval>,
}

impl Point {
    pub(super) fn of(cell: &CellRecords) -> Option<Self> {
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

/// The series of a block in order of first appearance, without `full`.
pub(super) fn of_block(block: &Block) -> Vec<Series> {
    let compressed = curves(block)
        .into_iter()
        .filter(|curve| curve.method != FULL);
    let series = |curve: Curve| Series {
        method: curve.method.to_string(),
        points: curve
            .cells
            .iter()
            .filter_map(|cell| Point::of(cell))
            .collect(),
        settings: curve.settings,
    };
    compressed.map(series).collect()
}
