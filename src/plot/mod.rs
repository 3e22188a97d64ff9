//! Draws figures as SVG and PNG, from the CSV of results alone or of one prompt. Fonts are in the program.
//!
//! One file per figure; `style` holds what they share. Sizes are in pixels, the same in both formats. The same rows
//! give the same bytes.

mod accuracy;
mod attention;
mod bytes;
mod chart;
mod figure;
mod grid;
mod marker;
mod needle;
mod pairs;
mod panels;
mod png;
mod prompt;
mod series;
mod spindle;
mod stacks;
mod style;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::bad_input;
use crate::inspect::Inspection;
use crate::record::{FIGURES_FOLDER, RECORDS_FILE, Record, read_layers, read_records};
use crate::report::{Block, blocks};

/// Most tasks and setups that figures are drawn of: each takes milliseconds, and several files.
const MOST_BLOCKS: usize = 500;

/// Draws every figure that the rows of `results_dir` allow into `results_dir/figures`, and returns the paths written,
/// in order:
///
/// - `accuracy-<task>`: score against measured retention, one line per method;
/// - `needle-<task>-<method>`: score over length and depth, where samples have both;
/// - `bytes-<task>`: what each layer's bytes are spent on.
///
/// Where a folder has several models, element types or places of compression, the file name says which.
///
/// # Errors
/// A [`BadInput`](crate::error::BadInput) if there are no rows, too many tasks, or rows that [`read_records`] or
/// [`read_layers`] refuse; an error if a file cannot be written.
pub fn draw_all(results_dir: &Path) -> Result<Vec<PathBuf>> {
    style::register_fonts()?;
    let records = read_records(results_dir)?;
    if records.is_empty() {
        return Err(bad_input!(
            "{}: no rows, expected at least one",
            results_dir.join(RECORDS_FILE).display()
        ));
    }
    let finished: HashSet<_> = records
        .iter()
        .filter(|r| r.has_result())
        .map(Record::reference)
        .collect();
    let mut layers = read_layers(results_dir)?;
    layers.retain(|layer| finished.contains(&layer.record()));

    let dir = results_dir.join(FIGURES_FOLDER);
    let blocks = blocks(&records);
    if blocks.len() > MOST_BLOCKS {
        return Err(bad_input!(
            "{}: {} tasks and setups, expected at most {MOST_BLOCKS} to draw",
            results_dir.join(RECORDS_FILE).display(),
            blocks.len()
        ));
    }
    let mut paths = Vec::new();
    for block in &blocks {
        let name = name_of(block, &blocks);
        if let Some(figure) = accuracy::Accuracy::new(block, &name) {
            paths.extend(figure::save(&figure, &dir)?);
        }
        for figure in needle::NeedleFigure::each_method(block, &name) {
            paths.extend(figure::save(&figure, &dir)?);
        }
        if let Some(figure) = bytes::figure(block, &layers, &name) {
            paths.extend(figure::save(&figure, &dir)?);
        }
    }
    Ok(paths)
}

/// Draws the figures of one prompt into `dir`, and returns the paths written, in order:
///
/// - `attention`: the paper's figure 3a, cumulative attention over entries;
/// - `pairs`, `pairs-keys`, `pairs-values`: its figures 3b, 7 and 8, how many vectors are alike;
/// - `spindle`: what each layer's bytes are spent on, a panel for each method.
///
/// # Errors
/// If a file cannot be written.
pub fn draw_inspection(facts: &Inspection, dir: &Path) -> Result<Vec<PathBuf>> {
    style::register_fonts()?;
    let mut paths = figure::save(&attention::AttentionFigure::new(facts), dir)?;
    for figure in pairs::figures(facts) {
        paths.extend(figure::save(&figure, dir)?);
    }
    paths.extend(figure::save(&spindle::figure(facts), dir)?);
    Ok(paths)
}

/// The block's task, and those parts of its setup that differ between blocks.
fn name_of(block: &Block, blocks: &[Block]) -> String {
    let parts = |block: &Block| {
        [
            block.setup.model,
            block.setup.dtype,
            block.setup.compress_at,
        ]
        .map(String::from)
    };
    let own = parts(block);
    let mut name = figure::slug(block.task);
    for (i, part) in own.iter().enumerate() {
        if blocks.iter().any(|other| parts(other)[i] != *part) {
            name.push_str(&format!("-{}", figure::slug(part)));
        }
    }
    name
}
