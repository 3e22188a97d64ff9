//! Groups records into what may be compared: one block per task and setup, one cell per method and settings.

use std::collections::HashMap;

use super::settings::{Told, joined};
use crate::record::Record;

/// The method that compresses nothing: the baseline of every difference.
pub const FULL: &str = "full";

/// What the cells of a block share, besides the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setup<'a> {
    /// The model as it was asked for.
    pub model: &'a str,
    /// Element type that the caches store.
    pub dtype: &'a str,
    /// What was compressed: `prompt` or `context`.
    pub compress_at: &'a str,
}

impl<'a> Setup<'a> {
    fn of(record: &'a Record) -> Self {
        Self {
            model: &record.model,
            dtype: &record.dtype,
            compress_at: &record.compress_at,
        }
    }
}

impl std::fmt::Display for Setup<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}, {}, {} compressed",
            self.model, self.dtype, self.compress_at
        )
    }
}

/// The records of one task under one setup, scored by one metric.
#[derive(Debug, Clone)]
pub struct Block<'a> {
    /// Model, element type and what was compressed, the same in all records.
    pub setup: Setup<'a>,
    /// Name of the task.
    pub task: &'a str,
    /// Name of the metric that scores are computed by.
    pub metric: &'a str,
    /// `full` first, then methods in order of first appearance, settings likewise within a method.
    pub cells: Vec<CellRecords<'a>>,
}

/// The records of one method and settings within a block, in file order.
#[derive(Debug, Clone)]
pub struct CellRecords<'a> {
    /// Name of the method.
    pub method: &'a str,
    /// Canonical text of the settings, as in [`Record::settings`].
    pub settings: &'a str,
    /// The parsed `settings`.
    pub(super) told: Told<'a>,
    /// Text that tells this cell from the method's others: its size and the settings that vary among them.
    pub label: String,
    /// One record for each sample, also if it ended with an error.
    pub records: Vec<&'a Record>,
}

/// Groups `records`, blocks in order of first appearance.
pub fn blocks(records: &[Record]) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block> = Vec::new();
    for record in records {
        let setup = Setup::of(record);
        let at = blocks
            .iter()
            .position(|b| b.setup == setup && b.task == record.task && b.metric == record.metric)
            .unwrap_or_else(|| {
                blocks.push(Block {
                    setup,
                    task: &record.task,
                    metric: &record.metric,
                    cells: Vec::new(),
                });
                blocks.len() - 1
            });
        blocks[at].cell(record).records.push(record);
    }
    for block in &mut blocks {
        block.sort();
        block.label();
    }
    blocks
}

impl<'a> Block<'a> {
    /// The baseline, if it was run.
    pub fn full(&self) -> Option<&CellRecords<'a>> {
        self.cells.iter().find(|cell| cell.method == FULL)
    }

    /// This block's cell of the same method and settings as `cell`.
    pub fn like(&self, cell: &CellRecords) -> Option<&CellRecords<'a>> {
        self.cells.iter().find(|own| own.is_like(cell))
    }

    fn cell(&mut self, record: &'a Record) -> &mut CellRecords<'a> {
        let found = self
            .cells
            .iter()
            .position(|c| c.method == record.method && c.settings == record.settings);
        let at = found.unwrap_or_else(|| {
            self.cells.push(CellRecords {
                method: &record.method,
                settings: &record.settings,
                told: Told::new(&record.method, &record.settings),
                label: String::new(),
                records: Vec::new(),
            });
            self.cells.len() - 1
        });
        &mut self.cells[at]
    }

    /// Labels each cell by what tells it from the method's other cells.
    fn label(&mut self) {
        let cells = self.cells.iter().map(|cell| (cell.method, cell.settings));
        let labels = labels(&Vec::from_iter(cells));
        for (cell, label) in self.cells.iter_mut().zip(labels) {
            cell.label = label;
        }
    }

    fn sort(&mut self) {
        let mut order: Vec<&str> = vec![FULL];
        for cell in &self.cells {
            if !order.contains(&cell.method) {
                order.push(cell.method);
            }
        }
        self.cells
            .sort_by_key(|cell| order.iter().position(|&method| method == cell.method));
    }
}

/// Labels of cells, given by method and settings: the size, settings that are not at their defaults, and settings that
/// vary among the method's cells.
pub fn labels(cells: &[(&str, &str)]) -> Vec<String> {
    let of = |&(method, settings): &(_, _)| (method, Told::new(method, settings));
    let cells: Vec<(&str, Told)> = cells.iter().map(of).collect();
    let label = |(method, told): &(&str, Told)| {
        let siblings = || cells.iter().filter(|(other, _)| other == method);
        let tells = |key: &str, own: &str| {
            told.is_size(key)
                || !told.is_default(key, own)
                || siblings().any(|(_, other)| other.value(key) != Some(own))
        };
        joined(told.all().filter(|(key, own)| tells(key, own)))
    };
    cells.iter().map(label).collect()
}

impl<'a> CellRecords<'a> {
    /// Whether method and settings are the same.
    pub fn is_like(&self, other: &CellRecords) -> bool {
        self.method == other.method && self.settings == other.settings
    }

    /// The records that hold a score.
    pub fn scored(&self) -> impl Iterator<Item = (&'a Record, f64)> {
        self.records
            .iter()
            .filter(|r| r.has_result())
            .filter_map(|&r| Some((r, r.score?)))
    }

    /// The scores, 0 to 1.
    pub fn scores(&self) -> Vec<f64> {
        self.scored().map(|(_, score)| score).collect()
    }

    /// The measured retentions of the finished records, 0 to 1.
    pub fn retentions(&self) -> Vec<f64> {
        self.values(|record| record.retention)
    }

    /// Values of `column` in the finished records, without missing ones.
    pub fn values(&self, column: impl Fn(&Record) -> Option<f64>) -> Vec<f64> {
        self.by_sample(column).map(|(_, value)| value).collect()
    }

    /// Number of records with a result: a score, or else a likelihood if the sample has no answer to score.
    pub fn results(&self) -> usize {
        let finished = self.records.iter().filter(|r| r.has_result());
        finished
            .filter(|r| r.score.is_some() || r.nll.is_some())
            .count()
    }

    /// Number of prompts that were too long and had tokens taken out. None if no record says so.
    pub fn cut(&self) -> Option<usize> {
        let known = self.records.iter().filter_map(|r| r.cut);
        known.fold(None, |sum, cut| {
            Some(sum.unwrap_or(0) + usize::from(cut > 0))
        })
    }

    /// Number of records that ended with an error.
    pub fn failed(&self) -> usize {
        self.records.iter().filter(|r| !r.is_finished()).count()
    }

    /// How many prompts the method cannot make a cache as small as asked for on.
    pub fn out_of_reach(&self) -> usize {
        self.records.iter().filter(|r| r.is_out_of_reach()).count()
    }

    /// How many results are more than a point below the size asked for.
    pub fn saturated(&self) -> usize {
        let is_saturated = |r: &&&Record| r.has_result() && r.saturated == Some(true);
        self.records.iter().filter(is_saturated).count()
    }

    /// What `column` has less what it has in `baseline`, for each sample of which both have it.
    pub fn differences(
        &self,
        baseline: &CellRecords,
        column: impl Fn(&Record) -> Option<f64>,
    ) -> Vec<f64> {
        let partners: HashMap<&str, f64> = baseline.by_sample(&column).collect();
        self.by_sample(&column)
            .filter_map(|(sample, value)| Some(value - partners.get(sample)?))
            .collect()
    }

    fn by_sample(
        &self,
        column: impl Fn(&Record) -> Option<f64>,
    ) -> impl Iterator<Item = (&'a str, f64)> {
        let finished = self.records.iter().filter(|r| r.has_result());
        finished.filter_map(move |&r| Some((r.sample.as_str(), column(r)?)))
    }
}
