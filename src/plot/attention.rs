//! Figure of cumulative attention over entries, least attended first, one line per layer.

use anyhow::Result;
use plotters::prelude::*;

use super::chart::Chart;
use super::figure::Figure;
use super::prompt;
use super::style::{self, Area, DEPTH, INK, SMALL};
use crate::inspect::Inspection;

const HEIGHT: u32 = 900;
/// Width of the scale of layers at the right.
const SCALE: i32 = 170;
/// Height of that scale.
const SCALE_HEIGHT: i32 = 400;

pub(super) struct AttentionFigure<'a> {
    facts: &'a Inspection,
}

impl<'a> AttentionFigure<'a> {
    pub(super) fn new(facts: &'a Inspection) -> Self {
        Self { facts }
    }

    fn last_layer(&self) -> usize {
        self.facts.attention.layers.len() - 1
    }
}

impl Figure for AttentionFigure<'_> {
    fn stem(&self) -> String {
        "attention".into()
    }

    fn size(&self) -> (u32, u32) {
        (style::WIDTH, HEIGHT)
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        let attention = &self.facts.attention;
        let title = "Cumulative attention over entries (SpindleKV, figure 3a)";
        let body = style::header(area, title, &prompt::subtitle(self.facts))?;
        let (data, scale) = body.split_horizontally(body.dim_in_pixel().0 as i32 - SCALE);
        let entries = attention.ranks.last().copied().unwrap_or(0) as f64;
        let y_title = format!(
            "share of attention, last {} queries, mean over heads",
            self.facts.window
        );
        let chart = Chart::new(
            &data,
            [0.0..entries, 0.0..1.0],
            ["entries before the window, least attended first", &y_title],
        )?;
        for (layer, own) in attention.layers.iter().enumerate() {
            let points = attention.ranks.iter().zip(&own.cumulative);
            let line: Vec<(i32, i32)> = points
                .map(|(&rank, &share)| chart.at(rank as f64, share.into()))
                .collect();
            let color = style::between(DEPTH, layer as f64 / self.last_layer().max(1) as f64);
            chart
                .pixels
                .draw(&PathElement::new(line, color.stroke_width(3)))?;
        }
        draw_scale(&scale, self.last_layer())
    }
}

/// Draws the scale of layer colours, the first layer at the top.
fn draw_scale<DB: DrawingBackend>(area: &Area<DB>, last: usize) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let (left, right, top) = (44, 74, 50);
    style::write(area, "layer", (left, 16), &style::text(SMALL, INK))?;
    for y in 0..SCALE_HEIGHT {
        let place = f64::from(y) / f64::from(SCALE_HEIGHT - 1);
        area.draw(&Rectangle::new(
            [(left, top + y), (right, top + y + 1)],
            style::between(DEPTH, place).filled(),
        ))?;
    }
    for (y, layer) in [(0, 0), (SCALE_HEIGHT, last)] {
        let label = layer.to_string();
        style::write(
            area,
            &label,
            (right + 12, top + y),
            &style::text(SMALL, INK),
        )?;
    }
    Ok(())
}
