//! What the bytes of each layer are spent on: stacked bars over layers, one panel per method and settings.

use std::collections::BTreeMap;

use anyhow::Result;
use plotters::prelude::*;

use super::figure::Figure;
use super::panels::{self, Caption, Layout};
use super::style::{self, Area, GRID, HEADER, INK, LABEL, MARGIN, MUTED, PALETTE};
use crate::record::LayerRecord;
use crate::report::{Block, Cell, FULL, bootstrap};

const FRAME_HEIGHT: i32 = 300;
/// Height of the legend above the panels.
const LEGEND: i32 = 64;
const PARTS: [&str; 6] = [
    "entries",
    "codewords",
    "indices",
    "magnitudes",
    "positions",
    "lists",
];

/// The figure of one task.
pub(super) struct Bytes {
    name: String,
    title: String,
    subtitle: String,
    panels: Vec<Panel>,
    layout: Layout,
    /// Top of every panel's axis, percent.
    most: f64,
    /// Between ticks, percent.
    step: f64,
}

struct Panel {
    caption: Caption,
    /// By layer: each part's share of the layer's dense bytes, percent, mean over samples.
    shares: BTreeMap<usize, [f64; 6]>,
}

impl Bytes {
    /// None if no compressed cell of `block` has layer rows. `full` has no panel: all of it is entries.
    pub(super) fn new(block: &Block, layers: &[LayerRecord], name: &str) -> Option<Self> {
        let compressed = block.cells.iter().filter(|cell| cell.method != FULL);
        let panels: Vec<Panel> = compressed
            .filter_map(|cell| Panel::new(block, cell, layers))
            .collect();
        if panels.is_empty() {
            return None;
        }
        let totals = panels
            .iter()
            .flat_map(|panel| panel.shares.values())
            .map(|parts| parts.iter().sum::<f64>());
        let (most, step) = axis(totals.fold(0.0, f64::max));
        let captions: Vec<&Caption> = panels.iter().map(|panel| &panel.caption).collect();
        let layout = Layout::new(&captions, style::WIDTH as i32 - 2 * MARGIN, FRAME_HEIGHT);
        Some(Self {
            name: name.to_string(),
            title: format!("{}: bytes per layer", block.task),
            subtitle: format!(
                "{}. Share of each layer's dense bytes, mean over samples",
                block.setup
            ),
            panels,
            layout,
            most,
            step,
        })
    }

    fn draw_panel<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        frame: &Area<DB>,
        panel: &Panel,
    ) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        let (width, height) = frame.dim_in_pixel();
        let (width, height) = (width as i32, height as i32);
        let y_of = |percent: f64| height - (percent / self.most * f64::from(height)).round() as i32;
        let steps = (self.most / self.step).round() as i32;
        let y_ticks: Vec<(i32, String)> = (0..=steps)
            .map(|i| f64::from(i) * self.step)
            .map(|percent| (y_of(percent), style::number(percent)))
            .collect();
        for (y, _) in &y_ticks {
            frame.draw(&PathElement::new(
                [(0, *y), (width, *y)],
                GRID.stroke_width(2),
            ))?;
        }
        let n = panel.shares.len() as i32;
        let gap = (width / n / 8).max(1);
        let mut x_ticks = Vec::new();
        for (i, (layer, parts)) in (0..).zip(&panel.shares) {
            let (left, right) = (i * width / n + gap, (i + 1) * width / n - gap);
            let mut filled = 0.0;
            for (part, color) in parts.iter().zip(PALETTE) {
                let corners = [(left, y_of(filled + part)), (right, y_of(filled))];
                if corners[0].1 < corners[1].1 {
                    frame.draw(&Rectangle::new(corners, color.filled()))?;
                }
                filled += part;
            }
            x_ticks.push(((left + right) / 2, layer.to_string()));
        }
        frame.draw(&PathElement::new(
            [(0, height), (width, height)],
            MUTED.stroke_width(2),
        ))?;
        panels::axes(
            area,
            frame,
            ["layer", "% of dense bytes"],
            [&x_ticks, &y_ticks],
        )
    }

    fn draw_legend<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        let slot = area.dim_in_pixel().0 as i32 / PARTS.len() as i32;
        for ((i, part), color) in (0..).zip(PARTS).zip(PALETTE) {
            let x = i * slot;
            area.draw(&Rectangle::new([(x, 6), (x + 28, 34)], color.filled()))?;
            style::write(area, part, (x + 40, 20), &style::text(LABEL, INK))?;
        }
        Ok(())
    }
}

impl Panel {
    fn new(block: &Block, cell: &Cell, layers: &[LayerRecord]) -> Option<Self> {
        let mut sums: BTreeMap<usize, ([f64; 6], f64)> = BTreeMap::new();
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
            for (sum, bytes) in parts.iter_mut().zip(bytes_of(layer)) {
                *sum += 100.0 * bytes as f64 / layer.bytes_dense as f64;
            }
            *samples += 1.0;
        }
        if sums.is_empty() {
            return None;
        }
        let measured = bootstrap::mean_of_means(&[cell.retentions()])
            .map_or(String::new(), |share| {
                format!("measured retention {:.1} %", share * 100.0)
            });
        let shares = sums
            .into_iter()
            .map(|(layer, (parts, samples))| (layer, parts.map(|sum| sum / samples)));
        let caption = Caption {
            heading: cell.method.to_string(),
            settings: cell.label.clone(),
            measured,
        };
        Some(Self {
            caption,
            shares: shares.collect(),
        })
    }
}

/// In the order of [`PARTS`].
fn bytes_of(layer: &LayerRecord) -> [u64; 6] {
    [
        layer.bytes_entries,
        layer.bytes_codewords,
        layer.bytes_indices,
        layer.bytes_magnitudes,
        layer.bytes_positions,
        layer.bytes_lists,
    ]
}

/// Top and step of an axis that holds `largest` in at most five steps of 1, 2 or 5 times a power of ten.
fn axis(largest: f64) -> (f64, f64) {
    let rough = (largest / 5.0).max(1e-3);
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|factor| factor * power >= rough)
        .unwrap_or(10.0);
    let step = factor * power;
    ((largest / step).ceil().max(1.0) * step, step)
}

impl Figure for Bytes {
    fn stem(&self) -> String {
        format!("bytes-{}", self.name)
    }

    fn size(&self) -> (u32, u32) {
        (
            style::WIDTH,
            (HEADER + LEGEND + self.layout.height() + MARGIN) as u32,
        )
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        let body = style::header(area, &self.title, &self.subtitle)?;
        let (legend, bars) = body.split_vertically(LEGEND);
        self.draw_legend(&legend)?;
        for (i, panel) in self.panels.iter().enumerate() {
            let frame = self.layout.frame(&bars, i, &panel.caption)?;
            self.draw_panel(&bars, &frame, panel)?;
        }
        Ok(())
    }
}
