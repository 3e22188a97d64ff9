//! Figure of what each layer's bytes are spent on, one panel per method and settings, from the rows of a results
//! folder.

use std::collections::BTreeMap;

use super::panels::Caption;
use super::stacks::{Panel, Stacks};
use crate::record::LayerRecord;
use crate::report::{Block, CellRecords, FULL, bootstrap};
use crate::store::Content;

/// The figure of one task. None if no compressed cell of `block` has layer rows. `full` has no panel: all of its bytes
/// are entries.
pub(super) fn figure(block: &Block, layers: &[LayerRecord], name: &str) -> Option<Stacks> {
    let compressed = block.cells.iter().filter(|cell| cell.method != FULL);
    let panels: Vec<Panel> = compressed
        .filter_map(|cell| panel(block, cell, layers))
        .collect();
    if panels.is_empty() {
        return None;
    }
    let subtitle = format!(
        "{}. Share of each layer's dense bytes, mean over samples",
        block.setup
    );
    Some(Stacks::new(
        format!("bytes-{name}"),
        format!("{}: bytes per layer", block.task),
        subtitle,
        panels,
    ))
}

fn panel(block: &Block, cell: &CellRecords, layers: &[LayerRecord]) -> Option<Panel> {
    let mut sums: BTreeMap<usize, (Vec<f64>, f64)> = BTreeMap::new();
    let own = |layer: &&LayerRecord| {
        (
            layer.method.as_str(),
            layer.settings.as_str(),
            layer.task.as_str(),
        ) == (cell.method, cell.settings, block.task)
            && (
                layer.model.as_str(),
                layer.dtype.as_str(),
                layer.compress_at.as_str(),
            ) == (
                block.setup.model,
                block.setup.dtype,
                block.setup.compress_at,
            )
            && layer.bytes_dense > 0
    };
    for layer in layers.iter().filter(own) {
        let (parts, samples) = sums.entry(layer.layer).or_default();
        parts.resize(Content::ALL.len(), 0.0);
        for (sum, (_, bytes)) in parts.iter_mut().zip(layer.bytes.iter()) {
            *sum += 100.0 * bytes as f64 / layer.bytes_dense as f64;
        }
        *samples += 1.0;
    }
    if sums.is_empty() {
        return None;
    }
    let measured = bootstrap::mean_of_means(&[cell.retentions()]).map_or(String::new(), |share| {
        format!("measured retention {:.1} %", share * 100.0)
    });
    let shares = sums.into_iter().map(|(layer, (parts, samples))| {
        let means = parts.into_iter().map(|sum| sum / samples);
        (layer, means.collect())
    });
    let caption = Caption {
        heading: cell.method.to_string(),
        settings: cell.label.clone(),
        measured,
    };
    Some(Panel {
        caption,
        shares: shares.collect(),
    })
}
