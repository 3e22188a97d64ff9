//! Stacked bars of what each layer's bytes are spent on, in small multiples.

use std::collections::BTreeMap;

use anyhow::Result;
use plotters::prelude::*;

use super::figure::Figure;
use super::panels::{self, Caption, Layout};
use super::style::{self, Area, GRID, HEADER, INK, LABEL, MARGIN, MUTED};
use crate::store::Content;

const FRAME_HEIGHT: i32 = 300;
/// Height of the legend above the panels.
const LEGEND: i32 = 64;
/// The color of each content, in the order of [`Content::ALL`].
const COLORS: [RGBColor; 8] = style::LONG_PALETTE;
const _: () = assert!(Content::ALL.len() <= COLORS.len());
/// Bytes of the dense cache on the axis, percent.
const DENSE: f64 = 100.0;

/// A figure of panels with stacked bars.
pub(super) struct Stacks {
    stem: String,
    title: String,
    subtitle: String,
    panels: Vec<Panel>,
    layout: Layout,
    /// Whether a line marks the dense cache's bytes; the axis then reaches up to it.
    is_dense_shown: bool,
    /// Upper end of every panel's axis, percent.
    most: f64,
    /// Distance of ticks, percent.
    step: f64,
}

/// Bars of one method and settings.
pub(super) struct Panel {
    pub caption: Caption,
    /// By layer: the share of the layer's dense bytes that each content has, percent, in the order of [`Content::ALL`].
    pub shares: BTreeMap<usize, Vec<f64>>,
}

impl Stacks {
    pub(super) fn new(stem: String, title: String, subtitle: String, panels: Vec<Panel>) -> Self {
        let captions: Vec<&Caption> = panels.iter().map(|panel| &panel.caption).collect();
        let layout = Layout::new(&captions, style::WIDTH as i32 - 2 * MARGIN, FRAME_HEIGHT);
        let totals = panels
            .iter()
            .flat_map(|panel| panel.shares.values())
            .map(|parts| parts.iter().sum::<f64>());
        let (most, step) = axis(totals.fold(0.0, f64::max));
        Self {
            stem,
            title,
            subtitle,
            panels,
            layout,
            is_dense_shown: false,
            most,
            step,
        }
    }

    /// Adds a line at the bytes of the dense cache.
    pub(super) fn against_dense(self) -> Self {
        let (most, step) = axis(self.most.max(DENSE));
        Self {
            is_dense_shown: true,
            most,
            step,
            ..self
        }
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
            for (part, color) in parts.iter().zip(COLORS) {
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
        if self.is_dense_shown {
            let dense = y_of(DENSE);
            frame.draw(&PathElement::new(
                [(0, dense), (width, dense)],
                INK.stroke_width(3),
            ))?;
        }
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
        let slot = area.dim_in_pixel().0 as i32 / Content::ALL.len() as i32;
        for ((i, content), color) in (0..).zip(Content::ALL).zip(COLORS) {
            let x = i * slot;
            area.draw(&Rectangle::new([(x, 6), (x + 28, 34)], color.filled()))?;
            style::write(area, content.name(), (x + 40, 20), &style::text(LABEL, INK))?;
        }
        Ok(())
    }
}

/// Upper end and step of an axis that holds `largest` in at most five steps of 1, 2 or 5 times a power of ten.
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

impl Figure for Stacks {
    fn stem(&self) -> String {
        self.stem.clone()
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
