//! One drawing, two formats.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use plotters::prelude::*;

use super::png::Png;
use super::style::Area;

/// A figure that draws itself on any backend.
pub(super) trait Figure {
    /// File name without its ending.
    fn stem(&self) -> String;

    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<()>
    where
        DB::ErrorType: 'static;
}

/// Draws `figure` to `<dir>/<stem>.svg` and `<dir>/<stem>.png`.
pub(super) fn save(figure: &impl Figure, dir: &Path) -> Result<[PathBuf; 2]> {
    fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let [svg, png] = ["svg", "png"].map(|ending| dir.join(format!("{}.{ending}", figure.stem())));
    to_backend(figure, SVGBackend::new(&svg, figure.size()))
        .with_context(|| svg.display().to_string())?;
    to_backend(figure, Png::new(&png, figure.size())?)
        .with_context(|| png.display().to_string())?;
    Ok([svg, png])
}

fn to_backend<DB: DrawingBackend>(figure: &impl Figure, backend: DB) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let area = backend.into_drawing_area();
    figure.draw(&area)?;
    Ok(area.present()?)
}

/// `text` as part of a file name: everything but letters, digits and dots becomes a hyphen.
pub(super) fn slug(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect()
}
