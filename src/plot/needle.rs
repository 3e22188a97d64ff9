//! Needle heat maps in the published style: token length across, depth downward, score as colour.

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::figure::{Figure, slug};
use super::grid::Grid;
use super::panels::{self, Caption, Layout};
use super::style::{self, Area, HEADER, HEAT, INK, MARGIN, MISSING, SMALL};
use crate::report::{Block, CellRecords, bootstrap};

const FRAME_HEIGHT: i32 = 400;
/// Width of the colour scale at the right.
const SCALE: i32 = 130;
/// A cell at least this large has room for its value.
const VALUE_ROOM: (i32, i32) = (58, 30);
/// Size of a cell, in pixels, below which the lines between cells are thinner.
const NARROW: i32 = 16;

/// The figure of one method, with a panel for each of its settings.
pub(super) struct NeedleFigure {
    name: String,
    title: String,
    subtitle: String,
    panels: Vec<(Caption, Grid)>,
    layout: Layout,
}

impl NeedleFigure {
    /// A figure for each method of a block whose samples have length and depth.
    pub(super) fn each_method(block: &Block, name: &str) -> Vec<Self> {
        let mut methods: Vec<&str> = block.cells.iter().map(|cell| cell.method).collect();
        methods.dedup();
        methods
            .into_iter()
            .filter_map(|method| Self::new(block, method, name))
            .collect()
    }

    fn new(block: &Block, method: &str, name: &str) -> Option<Self> {
        let cells = block.cells.iter().filter(|cell| cell.method == method);
        let panels: Vec<(Caption, Grid)> = cells
            .filter_map(|cell| {
                let grid = Grid::of(cell)?;
                Some((
                    Caption {
                        heading: cell.label.clone(),
                        settings: String::new(),
                        measured: measured(cell, &grid),
                    },
                    grid,
                ))
            })
            .collect();
        if panels.is_empty() {
            return None;
        }
        let captions: Vec<&Caption> = panels.iter().map(|(caption, _)| caption).collect();
        let layout = Layout::new(
            &captions,
            style::WIDTH as i32 - 2 * MARGIN - SCALE,
            FRAME_HEIGHT,
        );
        Some(Self {
            name: format!("{name}-{}", slug(method)),
            title: format!("{}: {method}", block.task),
            subtitle: format!(
                "{}. Mean score ({}) by place of the needle",
                block.setup, block.metric
            ),
            panels,
            layout,
        })
    }
}

fn measured(cell: &CellRecords, grid: &Grid) -> String {
    let mut parts = Vec::new();
    if let Some(share) = bootstrap::mean_of_means(&[cell.retentions()]) {
        parts.push(format!("measured retention {:.1} %", share * 100.0));
    }
    if let Some(mean) = grid.overall() {
        parts.push(format!("mean {mean:.3}"));
    }
    if cell.failed() > 0 {
        parts.push(format!("{} failed", cell.failed()));
    }
    parts.join(", ")
}

impl Figure for NeedleFigure {
    fn stem(&self) -> String {
        format!("needle-{}", self.name)
    }

    fn size(&self) -> (u32, u32) {
        (
            style::WIDTH,
            (HEADER + self.layout.height() + MARGIN) as u32,
        )
    }

    fn marks(&self) -> usize {
        let of = |grid: &Grid| grid.lengths.len() * grid.depths.len();
        self.panels.iter().map(|(_, grid)| of(grid)).sum()
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        let body = style::header(area, &self.title, &self.subtitle)?;
        let (maps, scale) = body.split_horizontally(body.dim_in_pixel().0 as i32 - SCALE);
        for (i, (caption, grid)) in self.panels.iter().enumerate() {
            let frame = self.layout.frame(&maps, i, caption)?;
            draw_map(&maps, &frame, grid)?;
            if i == 0 {
                draw_scale(&scale, frame.get_base_pixel().1 - scale.get_base_pixel().1)?;
            }
        }
        Ok(())
    }
}

fn draw_map<DB: DrawingBackend>(area: &Area<DB>, frame: &Area<DB>, grid: &Grid) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let (width, height) = frame.dim_in_pixel();
    let edge = |i: usize, n: usize, size: u32| (i * size as usize / n) as i32;
    let (columns, rows) = (grid.lengths.len(), grid.depths.len());
    let centre = |i, n, size| (edge(i, n, size) + edge(i + 1, n, size)) / 2;
    let room = (width as i32 / columns as i32, height as i32 / rows as i32);
    let legible = room.0 >= VALUE_ROOM.0 && room.1 >= VALUE_ROOM.1;
    let value_style = style::anchored(style::text(SMALL, INK), HPos::Center);
    for (column, &length) in grid.lengths.iter().enumerate() {
        for (row, &depth) in grid.depths.iter().enumerate() {
            let mean = grid.mean(length, depth);
            let corners = [
                (edge(column, columns, width), edge(row, rows, height)),
                (
                    edge(column + 1, columns, width),
                    edge(row + 1, rows, height),
                ),
            ];
            frame.draw(&Rectangle::new(
                corners,
                mean.map_or(MISSING, heat).filled(),
            ))?;
            if legible {
                let value = mean.map_or("none".to_string(), |mean| format!("{mean:.2}"));
                style::write(
                    frame,
                    &value,
                    (centre(column, columns, width), centre(row, rows, height)),
                    &value_style,
                )?;
            }
        }
    }
    let line = WHITE.stroke_width(if room.0 < NARROW || room.1 < NARROW {
        1
    } else {
        2
    });
    for column in 0..=columns {
        let x = edge(column, columns, width);
        frame.draw(&PathElement::new([(x, 0), (x, height as i32)], line))?;
    }
    for row in 0..=rows {
        let y = edge(row, rows, height);
        frame.draw(&PathElement::new([(0, y), (width as i32, y)], line))?;
    }
    let x_ticks = ticks(&grid.lengths, |i| centre(i, columns, width));
    let y_ticks = ticks(&grid.depths, |i| centre(i, rows, height));
    panels::axes(
        area,
        frame,
        ["token length", "depth, %"],
        [&x_ticks, &y_ticks],
    )
}

fn ticks<T: ToString>(values: &[T], at: impl Fn(usize) -> i32) -> Vec<(i32, String)> {
    let label = |(i, value): (usize, &T)| (at(i), value.to_string());
    values.iter().enumerate().map(label).collect()
}

/// Draws the colour scale, from 1 at `top` to 0 a frame's height below.
fn draw_scale<DB: DrawingBackend>(area: &Area<DB>, top: i32) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let (left, right) = (24, 54);
    for y in 0..FRAME_HEIGHT {
        let score = 1.0 - f64::from(y) / f64::from(FRAME_HEIGHT - 1);
        area.draw(&Rectangle::new(
            [(left, top + y), (right, top + y + 1)],
            heat(score).filled(),
        ))?;
    }
    for (label, share) in [("1.0", 0), ("0.5", 1), ("0.0", 2)] {
        style::write(
            area,
            label,
            (right + 10, top + share * FRAME_HEIGHT / 2),
            &style::text(SMALL, INK),
        )?;
    }
    style::write(
        area,
        "score",
        (left, top + FRAME_HEIGHT + 30),
        &style::text(SMALL, INK),
    )
}

/// The colour of a score.
fn heat(score: f64) -> RGBColor {
    style::between(HEAT, score)
}
