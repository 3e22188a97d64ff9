//! Records to tables: means per method and settings, and paired differences from `full`.
//!
//! Reads [`record`](crate::record) rows and nothing else. Rows stand in the order of the run;
//! nothing is ranked: the interval beside a difference says whether there is one.

mod block;
pub mod bootstrap;
mod markdown;
mod splice;
mod text;

pub use block::{Block, Cell, FULL, Setup, blocks, labels};
pub use splice::splice;
pub use text::wrap;

use bootstrap::Interval;

use crate::record::Record;

/// The tables of one results folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// One per task and setup, and after the tasks of a setup their macro average if there are several.
    pub sections: Vec<Section>,
}

/// One table.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    pub title: String,
    /// Model, element type, what was compressed, metric.
    pub subtitle: String,
    pub rows: Vec<Row>,
}

/// One method and settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub method: String,
    pub settings: String,
    /// Samples with a score.
    pub n: usize,
    /// Measured, mean, 0 to 1.
    pub retention: Option<f64>,
    /// Mean x 100.
    pub score: Option<f64>,
    /// Mean negative log-likelihood of the right answer, nats per token.
    pub nll: Option<f64>,
    /// Empty for `full` itself and where no sample has a `full` partner.
    pub difference: Option<Difference>,
    /// Samples that ended with an error.
    pub failed: usize,
}

/// A mean difference from `full` over the samples that both scored, in points.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    pub mean: f64,
    /// The paired bootstrap's 95 % interval; none from fewer than two pairs.
    pub interval: Option<Interval>,
    pub pairs: usize,
}

impl Report {
    /// Summarises `records`.
    pub fn new(records: &[Record]) -> Self {
        let blocks = blocks(records);
        let mut setups: Vec<Setup> = Vec::new();
        for block in &blocks {
            if !setups.contains(&block.setup) {
                setups.push(block.setup);
            }
        }
        let sections = setups.iter().flat_map(|setup| {
            let tasks: Vec<&Block> = blocks
                .iter()
                .filter(|block| block.setup == *setup)
                .collect();
            let mut sections: Vec<Section> =
                tasks.iter().map(|block| Section::of_task(block)).collect();
            if tasks.len() > 1 {
                sections.push(Section::of_macro_average(&tasks));
            }
            sections
        });
        Self {
            sections: sections.collect(),
        }
    }

    /// Aligned columns for a terminal, at most 100 wide.
    pub fn text(&self) -> String {
        text::render(self)
    }

    /// Tables for a README.
    pub fn markdown(&self) -> String {
        markdown::render(self)
    }
}

impl Section {
    fn of_task(block: &Block) -> Self {
        let rows = block
            .cells
            .iter()
            .map(|cell| Row::over(&[(cell, block.full())]))
            .collect();
        Self {
            title: block.task.to_string(),
            subtitle: format!("{}, metric {}", block.setup, block.metric),
            rows,
        }
    }

    /// The mean over tasks of each cell that every task has; the bootstrap resamples within tasks.
    fn of_macro_average(tasks: &[&Block]) -> Self {
        let cells = tasks.iter().flat_map(|block| &block.cells).fold(
            Vec::<&Cell>::new(),
            |mut cells, cell| {
                if !cells.iter().any(|known| known.is_like(cell)) {
                    cells.push(cell);
                }
                cells
            },
        );
        let rows = cells.iter().filter_map(|cell| {
            let of_task = |block| Block::like(block, cell).map(|found| (found, Block::full(block)));
            Some(Row::over(
                &tasks
                    .iter()
                    .map(|block| of_task(block))
                    .collect::<Option<Vec<_>>>()?,
            ))
        });
        let names: Vec<&str> = tasks.iter().map(|block| block.task).collect();
        Self {
            title: format!("macro average over {} tasks", tasks.len()),
            subtitle: format!("{}, tasks {}", tasks[0].setup, names.join(" ")),
            rows: rows.collect(),
        }
    }
}

impl Row {
    /// Summarises one method and settings over its tasks, each with that task's `full`.
    fn over(tasks: &[(&Cell, Option<&Cell>)]) -> Self {
        let scores: Vec<Vec<f64>> = tasks.iter().map(|(cell, _)| cell.scores()).collect();
        let retentions: Vec<Vec<f64>> = tasks.iter().map(|(cell, _)| cell.retentions()).collect();
        let nlls: Vec<Vec<f64>> = tasks.iter().map(|(cell, _)| cell.nlls()).collect();
        let cell = tasks[0].0;
        let pairs: Option<Vec<Vec<f64>>> = tasks
            .iter()
            .map(|(cell, full)| full.map(|full| cell.differences(full)))
            .collect();
        let difference = pairs.filter(|_| cell.method != FULL).and_then(|pairs| {
            let points: Vec<Vec<f64>> = pairs
                .iter()
                .map(|task| task.iter().map(|d| d * 100.0).collect())
                .collect();
            Some(Difference {
                mean: bootstrap::mean_of_means(&points)?,
                interval: bootstrap::interval(&points),
                pairs: points.iter().map(Vec::len).sum(),
            })
        });
        Self {
            method: cell.method.to_string(),
            settings: cell.label.clone(),
            n: scores.iter().map(Vec::len).sum(),
            retention: bootstrap::mean_of_means(&retentions),
            score: bootstrap::mean_of_means(&scores).map(|mean| mean * 100.0),
            nll: bootstrap::mean_of_means(&nlls),
            difference,
            failed: tasks.iter().map(|(cell, _)| cell.failed()).sum(),
        }
    }
}
