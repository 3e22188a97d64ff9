//! Figure of how many pairs of tokens are alike in each layer: keys and values, at the paper's thresholds.

use anyhow::Result;
use plotters::prelude::*;

use super::chart::Chart;
use super::figure::Figure;
use super::marker::Look;
use super::prompt;
use super::style::{self, Area, INK, LABEL};
use crate::inspect::{Inspection, Similar, VectorKind};

const HEIGHT: u32 = 800;
/// Height of the legend above the chart.
const LEGEND: i32 = 64;
/// Width of one entry of the legend.
const SLOT: i32 = 520;

/// File name, title, and the lines: which vectors at which threshold.
type Shown = (&'static str, &'static str, &'static [(VectorKind, f32)]);

const FIGURES: [Shown; 3] = [
    (
        "pairs",
        "Similar keys and values: pairs of tokens (SpindleKV, figure 3b)",
        &[(VectorKind::Keys, 0.98), (VectorKind::Values, 0.95)],
    ),
    (
        "pairs-keys",
        "Similar keys: pairs of tokens (SpindleKV, figure 7)",
        &[(VectorKind::Keys, 0.9), (VectorKind::RotatedKeys, 0.9)],
    ),
    (
        "pairs-values",
        "Similar values: pairs of tokens (SpindleKV, figure 8)",
        &[(VectorKind::Values, 0.6)],
    ),
];

pub(super) struct Pairs<'a> {
    facts: &'a Inspection,
    stem: &'static str,
    title: &'static str,
    series: Vec<&'a Similar>,
}

/// The paper's figures 3b, 7 and 8.
pub(super) fn figures(facts: &Inspection) -> Vec<Pairs<'_>> {
    FIGURES
        .into_iter()
        .map(|(stem, title, shown)| {
            let is_shown = |s: &&Similar| shown.contains(&(s.vectors, s.theta));
            Pairs {
                facts,
                stem,
                title,
                series: facts.similar.iter().filter(is_shown).collect(),
            }
        })
        .collect()
}

impl Pairs<'_> {
    /// The unit of the axis, which keeps its numbers short: its size and its name.
    fn unit(&self) -> (f64, &'static str) {
        match self.largest() {
            most if most >= 1e6 => (1e6, "million pairs"),
            most if most >= 1e4 => (1e3, "thousand pairs"),
            _ => (1.0, "pairs"),
        }
    }

    fn largest(&self) -> f64 {
        let layers = self.facts.attention.layers.len();
        let counts = self
            .series
            .iter()
            .flat_map(|series| (0..layers).map(|layer| series.of_layer(layer)));
        counts.max().unwrap_or(0) as f64
    }

    fn draw_legend<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        for ((i, series), x) in self
            .series
            .iter()
            .enumerate()
            .zip((0..).step_by(SLOT as usize))
        {
            let look = Look::of(i);
            area.draw(&PathElement::new(
                [(x, 20), (x + 60, 20)],
                look.color.stroke_width(4),
            ))?;
            look.draw(area, (x + 30, 20))?;
            let vectors = match series.vectors {
                VectorKind::Keys => "keys before RoPE",
                VectorKind::RotatedKeys => "keys after RoPE",
                VectorKind::Values => "values",
            };
            let label = format!("{vectors}, cosine > {}", series.theta);
            style::write(area, &label, (x + 76, 20), &style::text(LABEL, INK))?;
        }
        Ok(())
    }
}

impl Figure for Pairs<'_> {
    fn stem(&self) -> String {
        self.stem.into()
    }

    fn size(&self) -> (u32, u32) {
        (style::WIDTH, HEIGHT)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        let body = style::header(area, self.title, &prompt::subtitle(self.facts))?;
        let (legend, data) = body.split_vertically(LEGEND);
        self.draw_legend(&legend)?;
        let layers = self.facts.attention.layers.len();
        let (unit, unit_name) = self.unit();
        let top = (self.largest() / unit).max(1.0);
        // Leave room for a mark at either end.
        let room = top * 0.04;
        let y_title = format!("{unit_name}, all {} KV heads", self.facts.kv_heads);
        let chart = Chart::new(
            &data,
            [-0.5..layers as f64 - 0.5, -room..top + room],
            ["layer", &y_title],
        )?;
        for (i, series) in self.series.iter().enumerate() {
            let look = Look::of(i);
            let at = |layer| chart.at(layer as f64, series.of_layer(layer) as f64 / unit);
            let line: Vec<(i32, i32)> = (0..layers).map(at).collect();
            let path = PathElement::new(line.clone(), look.color.stroke_width(4));
            chart.pixels.draw(&path)?;
            for point in line {
                look.draw(&chart.pixels, point)?;
            }
        }
        Ok(())
    }
}
