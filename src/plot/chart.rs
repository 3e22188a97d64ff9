//! Axes with a grid: a plane of numbers to draw on in pixels.

use std::ops::Range;

use anyhow::Result;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;

use super::style::{self, AXIS, Area, GRID, INK, LABEL, MUTED};

type Plane<DB> = DrawingArea<DB, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

pub(super) struct Chart<DB: DrawingBackend> {
    /// The area between the axes.
    pub pixels: Area<DB>,
    plane: Plane<DB>,
}

impl<DB: DrawingBackend> Chart<DB>
where
    DB::ErrorType: 'static,
{
    /// Draws axes with ranges and titles (across, then upwards) around the free part of `area`.
    pub(super) fn new(area: &Area<DB>, ranges: [Range<f64>; 2], titles: [&str; 2]) -> Result<Self> {
        let [x_range, y_range] = ranges;
        let mut chart = ChartBuilder::on(area)
            .x_label_area_size(90)
            .y_label_area_size(110)
            .build_cartesian_2d(x_range, y_range)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(2))
            .axis_style(MUTED.stroke_width(2))
            .x_labels(8)
            .y_labels(8)
            .x_label_formatter(&|x| style::number(*x))
            .y_label_formatter(&|y| style::number(*y))
            .label_style(style::text(LABEL, INK))
            .axis_desc_style(style::text(AXIS, INK))
            .x_desc(titles[0])
            .y_desc(titles[1])
            .draw()?;
        let plane = chart.plotting_area().clone();
        Ok(Self {
            pixels: plane.strip_coord_spec(),
            plane,
        })
    }

    /// The pixel of a point.
    pub(super) fn at(&self, x: f64, y: f64) -> (i32, i32) {
        let corner = self.pixels.get_base_pixel();
        let (x, y) = self.plane.map_coordinate(&(x, y));
        (x - corner.0, y - corner.1)
    }
}
