//! Records to tables: means per method and settings, paired differences from a baseline, areas under the curves.
//!
//! Reads [`record`](crate::record) rows and nothing else. Rows stand in the order of the run;
//! nothing is ranked: the interval beside a difference says whether there is one.

mod area;
mod baseline;
mod block;
pub mod bootstrap;
mod curve;
mod difference;
mod markdown;
mod row;
mod settings;
mod splice;
mod table;
mod text;

pub use area::{Area, Areas};
pub use baseline::Baseline;
pub use block::{Block, CellRecords, FULL, Setup, blocks, labels};
pub use curve::{Curve, curves};
pub use difference::Difference;
pub use row::{Closeness, Row};
pub use splice::splice;

use std::collections::BTreeMap;

use anyhow::Result;

use self::table::Table;
use crate::layout;
use crate::record::Record;
use crate::task::longbench;

/// The tables of one results folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The baseline of differences.
    pub baseline: Baseline,
    /// One section per task and setup. After the tasks of a setup, a macro average for each metric that several of them
    /// have.
    pub sections: Vec<Section>,
}

/// The tables of one task, or of the mean over tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Heading: the task, or the tasks averaged.
    pub title: String,
    /// Name of the task, or of the tasks averaged.
    pub tasks: Vec<String>,
    /// Model, element type, what was compressed, metric.
    pub subtitle: String,
    /// One for each method and settings, `full` first.
    pub rows: Vec<Row>,
    /// Areas. None if no method has several sizes.
    pub areas: Option<Areas>,
}

impl Report {
    /// Summarises `records`; differences are from `full`.
    pub fn new(records: &[Record]) -> Self {
        Self::of_blocks(&blocks(records), Baseline::default())
    }

    /// Summarises `records`; differences are from the method that `baseline` names, at the same size.
    ///
    /// # Errors
    /// As [`Baseline::parse`].
    pub fn against(records: &[Record], baseline: &str) -> Result<Self> {
        let blocks = blocks(records);
        let baseline = Baseline::parse(baseline, &blocks)?;
        Ok(Self::of_blocks(&blocks, baseline))
    }

    fn of_blocks(blocks: &[Block], baseline: Baseline) -> Self {
        let mut setups: Vec<Setup> = Vec::new();
        for block in blocks {
            if !setups.contains(&block.setup) {
                setups.push(block.setup);
            }
        }
        let sections = setups.iter().flat_map(|setup| {
            let tasks: Vec<&Block> = blocks
                .iter()
                .filter(|block| block.setup == *setup)
                .collect();
            let of_task = |block: &&Block| Section::of_task(block, &baseline);
            let mut sections: Vec<Section> = tasks.iter().map(of_task).collect();
            let means = comparable(&tasks).into_iter();
            sections
                .extend(means.map(|(of, tasks)| Section::of_macro_average(&of, &tasks, &baseline)));
            sections
        });
        Self {
            sections: sections.collect(),
            baseline,
        }
    }

    /// Notes beside each task's name how many of its records could not be used.
    pub fn note_left_out(&mut self, left_out: &[(String, usize)]) {
        for section in &mut self.sections {
            let found = left_out.iter().find(|(task, _)| *task == section.title);
            if let Some((_, count)) = found {
                section.subtitle += &format!(", {} left out", layout::count(*count, "record"));
            }
        }
    }

    /// Notes beside the tasks named, and beside their averages, that their prompts are not in the published words.
    pub fn note_own_templates(&mut self, tasks: &[&str]) {
        for section in &mut self.sections {
            if section
                .tasks
                .iter()
                .any(|task| tasks.contains(&task.as_str()))
            {
                section.subtitle += ", own templates: not comparable with published scores";
            }
        }
    }

    /// Notes beside the tasks named that their prompts are in the words of a file, each with its name.
    pub fn note_templates(&mut self, files: &[(&str, &str)]) {
        for section in &mut self.sections {
            let of_section =
                |(task, _): &&(&str, &str)| section.tasks.iter().any(|own| own == task);
            if let Some((_, file)) = files.iter().find(of_section) {
                section.subtitle += &format!(
                    ", templates of {file}: comparable with published scores only if they are the published ones"
                );
            }
        }
    }

    /// Notes below the tables of every rendering.
    fn notes(&self) -> Vec<String> {
        let same_size = match self.baseline == Baseline::default() {
            true => "",
            false => " at the same size",
        };
        let mut notes = vec![
            "score: mean x 100 over n samples. retention: measured, bytes held / dense bytes."
                .to_string(),
            "nll: mean negative log-likelihood of the right answer, nats per token.".into(),
            "settings: the size, those that vary within a method, and those not at their defaults; run.json has all.".into(),
            format!(
                "difference: points, or nats of nll, from `{}`{same_size} on the samples that both have, paired bootstrap \
                 95 % interval; \"of k\" where that is k pairs and not n.",
                self.baseline
            ),
        ];
        let row_has = |has: fn(&Row) -> bool| self.sections.iter().any(|s| s.rows.iter().any(has));
        if row_has(|row| row.likelihoods < row.n && row.nll.is_some()) {
            notes.push("nll of k: the right answer of k of the n samples has tokens.".into());
        }
        if row_has(|row| row.cut.is_some()) {
            notes.push("cut: prompts that were too long and lost their middle.".into());
        }
        if row_has(|row| row.fidelity != [Closeness::default(); 2]) {
            let note = "kl: of the next-token distribution from the full cache's, mean, nats. agreement: share of \
                        tokens before which both have the same most likely one. greedy: over the full cache's own \
                        answer, else over the right one.";
            notes.push(note.into());
        }
        if self.sections.iter().any(|section| section.areas.is_some()) {
            let note = "area: mean score x 100 over the range of retentions, linear between the sizes measured, of \
                        samples scored at every size; empty for a method that does not cover the range.";
            notes.push(note.into());
        }
        notes
    }
}

impl Section {
    fn of_task(block: &Block, baseline: &Baseline) -> Self {
        let row = |cell| Row::over(&[(block, cell)], baseline);
        Self {
            title: block.task.to_string(),
            tasks: vec![block.task.to_string()],
            subtitle: format!("{}, metric {}", block.setup, block.metric),
            rows: block.cells.iter().map(row).collect(),
            areas: Areas::over(&[block], baseline),
        }
    }

    /// The macro average over tasks of each cell that every task has. The bootstrap resamples within tasks. `of`: what
    /// the tasks have in common.
    fn of_macro_average(of: &str, tasks: &[&Block], baseline: &Baseline) -> Self {
        let cells = tasks.iter().flat_map(|block| &block.cells).fold(
            Vec::<&CellRecords>::new(),
            |mut cells, cell| {
                if !cells.iter().any(|known| known.is_like(cell)) {
                    cells.push(cell);
                }
                cells
            },
        );
        let rows = cells.iter().filter_map(|cell| {
            let of_task = |block| Block::like(block, cell).map(|found| (block, found));
            let found = tasks.iter().map(|&block| of_task(block));
            Some(Row::over(&found.collect::<Option<Vec<_>>>()?, baseline))
        });
        let names: Vec<&str> = tasks.iter().map(|block| block.task).collect();
        Self {
            title: format!("macro average over {} tasks of {of}", tasks.len()),
            tasks: names.iter().map(ToString::to_string).collect(),
            subtitle: format!("{}, tasks {}", tasks[0].setup, names.join(" ")),
            rows: rows.collect(),
            areas: Areas::over(tasks, baseline),
        }
    }

    /// The tables to be shown, each with the line above it.
    fn tables(&self) -> Vec<(Option<String>, Table)> {
        let areas = self.areas.as_ref();
        let areas = areas.map(|areas| (Some(areas.title()), areas.table()));
        let fidelity = Row::fidelity_table(&self.rows);
        let fidelity = fidelity.map(|table| {
            (
                Some("nll and fidelity to the full cache".to_string()),
                table,
            )
        });
        std::iter::once((None, Row::table(&self.rows)))
            .chain(fidelity)
            .chain(areas)
            .collect()
    }
}

/// Groups tasks that may be averaged, each group with what its tasks have in common: one metric, and so one kind of
/// likelihood (of an answer or of a text). LongBench is an exception: its published average is over all of its tasks,
/// each by its published metric. LongBench-E has one average for each length.
fn comparable<'a, 'b>(tasks: &[&'b Block<'a>]) -> Vec<(String, Vec<&'b Block<'a>>)> {
    let mut groups: BTreeMap<String, Vec<&Block>> = BTreeMap::new();
    for &block in tasks {
        let published = longbench::published_average(block.task, block.metric);
        let of = published.unwrap_or_else(|| block.metric.to_owned());
        groups.entry(of).or_default().push(block);
    }
    let mut groups: Vec<_> = groups
        .into_iter()
        .filter(|(_, tasks)| tasks.len() > 1)
        .collect();
    // Neither the mean nor its interval depends on the order of the tables.
    for (_, tasks) in &mut groups {
        tasks.sort_by_key(|block| block.task);
    }
    groups
}
