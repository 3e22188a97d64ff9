//! Small multiples: panels side by side, each with its caption, its axes and a frame to draw in.

use anyhow::Result;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::style::{self, Area, INK, LABEL, MUTED, SMALL};
use crate::layout::wrap;

const COLUMNS: usize = 3;
/// Space between panels.
const GUTTER: i32 = 28;
/// Room for tick labels and axis title left of and below a frame.
const LEFT: i32 = 112;
const BELOW: i32 = 92;
const CAPTION_LINE: i32 = 32;
/// Upper bound on the width of a character of caption text, pixels.
const CHARACTER: i32 = 12;

/// The text above a panel, wrapped to its width. An empty text takes no line.
pub(super) struct Caption {
    pub heading: String,
    pub settings: String,
    pub measured: String,
}

impl Caption {
    /// Its lines, and whether each belongs to the heading.
    fn lines(&self, characters: usize) -> Vec<(String, bool)> {
        [
            (&self.heading, ';', true),
            (&self.settings, ';', false),
            (&self.measured, ',', false),
        ]
        .into_iter()
        .filter(|(text, ..)| !text.is_empty())
        .flat_map(|(text, separator, heading)| {
            wrap(text, separator, characters)
                .into_iter()
                .map(move |line| (line, heading))
        })
        .collect()
    }
}

/// How the panels of a figure are laid out.
pub(super) struct Layout {
    columns: usize,
    rows: usize,
    caption_lines: usize,
    characters: usize,
    frame_height: i32,
}

impl Layout {
    /// Lays out panels with `captions`, each with a frame of `frame_height`, on `width` pixels.
    pub(super) fn new(captions: &[&Caption], width: i32, frame_height: i32) -> Self {
        let columns = captions.len().clamp(1, COLUMNS);
        let characters = ((width / columns as i32 - GUTTER - LEFT) / CHARACTER) as usize;
        let lines = |caption: &&Caption| caption.lines(characters).len();
        Self {
            columns,
            rows: captions.len().div_ceil(columns),
            caption_lines: captions.iter().map(lines).max().unwrap_or(1),
            characters,
            frame_height,
        }
    }

    fn panel_height(&self) -> i32 {
        (self.caption_lines as i32) * CAPTION_LINE + 16 + self.frame_height + BELOW + GUTTER
    }

    /// Height of all panels, in pixels.
    pub(super) fn height(&self) -> i32 {
        self.rows as i32 * self.panel_height() - GUTTER
    }

    /// Draws the caption of panel `i` and returns its frame.
    pub(super) fn frame<DB: DrawingBackend>(
        &self,
        area: &Area<DB>,
        i: usize,
        caption: &Caption,
    ) -> Result<Area<DB>>
    where
        DB::ErrorType: 'static,
    {
        let width = area.dim_in_pixel().0 as i32 / self.columns as i32;
        let (x, y) = (
            (i % self.columns) as i32 * width,
            (i / self.columns) as i32 * self.panel_height(),
        );
        for (n, (line, heading)) in (0..).zip(caption.lines(self.characters)) {
            let style = if heading {
                style::bold(SMALL, INK)
            } else {
                style::text(SMALL, MUTED)
            };
            style::write(
                area,
                &line,
                (x + LEFT, y + CAPTION_LINE / 2 + n * CAPTION_LINE),
                &style,
            )?;
        }
        let top = y + self.caption_lines as i32 * CAPTION_LINE + 16;
        let total = area.dim_in_pixel();
        let right = (total.0 as i32 - (x + width - GUTTER)).max(0);
        let bottom = total.1 as i32 - (top + self.frame_height);
        Ok(area.margin(top, bottom, x + LEFT, right))
    }
}

/// Writes axis titles and tick labels around `frame`. A tick is (pixel along the axis, label); ticks
/// closer than their labels are wide are thinned evenly.
pub(super) fn axes<DB: DrawingBackend>(
    area: &Area<DB>,
    frame: &Area<DB>,
    [x_title, y_title]: [&str; 2],
    [x_ticks, y_ticks]: [&[(i32, String)]; 2],
) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let (width, height) = frame.dim_in_pixel();
    let (width, height) = (width as i32, height as i32);
    let (base, frame_base) = (area.get_base_pixel(), frame.get_base_pixel());
    let at = |x: i32, y: i32| (frame_base.0 - base.0 + x, frame_base.1 - base.1 + y);
    let widest = x_ticks
        .iter()
        .map(|(_, label)| label.len() as i32 * CHARACTER + 16)
        .max()
        .unwrap_or(0);
    for (x, label) in thinned(x_ticks, widest) {
        style::write(
            area,
            label,
            at(*x, height + 22),
            &style::anchored(style::text(SMALL, INK), HPos::Center),
        )?;
    }
    for (y, label) in thinned(y_ticks, SMALL + 6) {
        style::write(
            area,
            label,
            at(-12, *y),
            &style::anchored(style::text(SMALL, INK), HPos::Right),
        )?;
    }
    let title = style::anchored(style::text(LABEL, INK), HPos::Center);
    style::write(area, x_title, at(width / 2, height + 60), &title)?;
    style::write(
        area,
        y_title,
        at(-88, height / 2),
        &title.transform(FontTransform::Rotate270),
    )
}

/// Every `k`-th tick, with the least `k` that leaves `room` pixels for each.
fn thinned(ticks: &[(i32, String)], room: i32) -> impl Iterator<Item = &(i32, String)> {
    let apart = ticks
        .windows(2)
        .map(|pair| (pair[1].0 - pair[0].0).abs())
        .min()
        .unwrap_or(i32::MAX)
        .max(1);
    let every = if apart >= room {
        1
    } else {
        (room + apart - 1) / apart
    };
    ticks.iter().step_by(every as usize)
}
