//! Score against measured retention, one line per method: the figure that compares methods.

use anyhow::Result;
use plotters::prelude::*;

use super::chart::Chart;
use super::figure::Figure;
use super::marker::Look;
use super::series::{self, Point, Series};
use super::style::{self, Area, HEADER, INK, LABEL, MARGIN, MUTED, SMALL};
use crate::layout::wrap;
use crate::report::{Block, FULL};

const HEIGHT: u32 = 1000;
/// Width of the legend, right of the data so that it never covers a point.
const LEGEND: i32 = 400;
/// Characters of small text that fit beside the legend's marks.
const LEGEND_CHARACTERS: usize = 22;
/// Height of an entry with a name alone, and of each line of settings below it.
const LEGEND_ENTRY: i32 = 56;
const LEGEND_LINE: i32 = 28;
/// Middle of the first entry.
const LEGEND_TOP: i32 = 40;
/// Half the width of an error bar's ends.
const CAP: i32 = 9;

/// The figure of one task.
pub(super) struct Accuracy {
    name: String,
    title: String,
    subtitle: String,
    metric: String,
    full: Option<Point>,
    series: Vec<Series>,
}

impl Accuracy {
    /// None if no compressed cell has a score.
    pub(super) fn new(block: &Block, name: &str) -> Option<Self> {
        let series = series::of_block(block);
        if series.is_empty() {
            return None;
        }
        Some(Self {
            name: name.to_string(),
            title: format!("{}: score against retention", block.task),
            subtitle: format!("{}. Bars: 95 % bootstrap interval of the mean", block.setup),
            metric: block.metric.to_string(),
            full: block.full().and_then(Point::of),
            series,
        })
    }

    /// Range of retentions: from 0 to just past the largest.
    fn x_range(&self) -> std::ops::Range<f64> {
        let largest = self
            .series
            .iter()
            .flat_map(|s| &s.points)
            .map(|p| p.retention)
            .fold(0.0, f64::max);
        0.0..largest.max(1.0) * 1.08
    }

    /// Range of scores: whole tens around everything drawn, with room for a mark at either end.
    fn y_range(&self) -> std::ops::Range<f64> {
        let points = self.series.iter().flat_map(|s| &s.points).chain(&self.full);
        let (low, high) = points
            .map(Point::extent)
            .fold((f64::MAX, f64::MIN), |(low, high), (l, h)| {
                (low.min(l), high.max(h))
            });
        let low = ((low / 10.0).floor() * 10.0).max(0.0);
        let high = ((high / 10.0).ceil() * 10.0).max(low + 10.0);
        let room = (high - low) * 0.03;
        low - room..high + room
    }

    fn draw_legend<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        let (line, words) = (70, 90);
        let mut y = LEGEND_TOP;
        if self.full.is_some() {
            dashes(area, 0, line, y)?;
            style::write(area, FULL, (words, y), &style::bold(LABEL, INK))?;
            y += LEGEND_ENTRY;
        }
        for (i, series) in self.series.iter().enumerate() {
            let look = Look::of(i);
            area.draw(&PathElement::new(
                vec![(0, y), (line, y)],
                look.color.stroke_width(4),
            ))?;
            look.draw(area, (line / 2, y))?;
            style::write(area, &series.method, (words, y), &style::bold(LABEL, INK))?;
            for (settings, n) in legend_settings(series).iter().zip(1..) {
                style::write(
                    area,
                    settings,
                    (words, y + 4 + n * LEGEND_LINE),
                    &style::text(SMALL, MUTED),
                )?;
            }
            y += legend_entry(series);
        }
        Ok(())
    }
}

impl Figure for Accuracy {
    fn stem(&self) -> String {
        format!("accuracy-{}", self.name)
    }

    fn size(&self) -> (u32, u32) {
        let legend = LEGEND_TOP + LEGEND_ENTRY + self.series.iter().map(legend_entry).sum::<i32>();
        (style::WIDTH, HEIGHT.max((HEADER + legend + MARGIN) as u32))
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        let body = style::header(area, &self.title, &self.subtitle)?;
        let (data, legend) = body.split_horizontally(body.dim_in_pixel().0 as i32 - LEGEND);
        self.draw_legend(&legend.margin(0, 0, 40, 0))?;

        let y_title = format!("score ({}), mean x 100", self.metric);
        let chart = Chart::new(
            &data,
            [self.x_range(), self.y_range()],
            ["measured retention, % of the dense cache's bytes", &y_title],
        )?;
        let (pixels, at) = (&chart.pixels, |x, y| chart.at(x, y));
        if let Some(full) = self.full {
            let width = pixels.dim_in_pixel().0 as i32;
            let (low, high) = full.extent();
            let band = [(0, at(0.0, high).1), (width, at(0.0, low).1)];
            pixels.draw(&Rectangle::new(band, INK.mix(0.07).filled()))?;
            dashes(pixels, 0, width, at(0.0, full.score).1)?;
        }
        for (i, series) in self.series.iter().enumerate() {
            let look = Look::of(i);
            let line: Vec<_> = series
                .points
                .iter()
                .map(|p| at(p.retention, p.score))
                .collect();
            for (point, &(x, _)) in series.points.iter().zip(&line) {
                let (low, high) = point.extent();
                let (low, high) = (at(0.0, low).1, at(0.0, high).1);
                for bar in [
                    [(x, low), (x, high)],
                    [(x - CAP, low), (x + CAP, low)],
                    [(x - CAP, high), (x + CAP, high)],
                ] {
                    pixels.draw(&PathElement::new(bar, look.color.stroke_width(2)))?;
                }
            }
            pixels.draw(&PathElement::new(line.clone(), look.color.stroke_width(4)))?;
            for point in line {
                look.draw(pixels, point)?;
            }
        }
        Ok(())
    }
}

fn legend_settings(series: &Series) -> Vec<String> {
    let lines = wrap(&series.settings, ';', LEGEND_CHARACTERS);
    lines.into_iter().filter(|line| !line.is_empty()).collect()
}

fn legend_entry(series: &Series) -> i32 {
    LEGEND_ENTRY + legend_settings(series).len() as i32 * LEGEND_LINE
}

/// The line of `full`.
fn dashes<DB: DrawingBackend>(area: &Area<DB>, from: i32, to: i32, y: i32) -> Result<()>
where
    DB::ErrorType: 'static,
{
    for x in (from..to).step_by(24) {
        area.draw(&PathElement::new(
            [(x, y), ((x + 14).min(to), y)],
            INK.stroke_width(3),
        ))?;
    }
    Ok(())
}
