//! One drawing, two formats.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use plotters::prelude::*;
use sha2::{Digest, Sha256};

use super::png::Png;
use super::style::Area;
use crate::bad_input;
use crate::terminal;

/// A figure that draws itself on any backend.
pub(super) trait Figure {
    /// File name without its ending.
    fn stem(&self) -> String;

    /// Width and height in pixels.
    fn size(&self) -> (u32, u32);

    /// Number of marks it draws, if that can be very large.
    fn marks(&self) -> usize {
        0
    }

    fn draw<DB: DrawingBackend>(&self, area: &Area<DB>) -> Result<()>
    where
        DB::ErrorType: 'static;
}

/// Most pixels of a figure: some 200 panels, three in a row.
const MOST_PIXELS: u64 = 60_000_000;
/// Most marks of a figure: more cannot be told apart.
const MOST_MARKS: usize = 500_000;

/// Draws `figure` to `<dir>/<stem>.svg` and `<dir>/<stem>.png`, and returns their paths. A figure above the limits is
/// left out with a warning.
pub(super) fn save(figure: &impl Figure, dir: &Path) -> Result<Vec<PathBuf>> {
    let (width, height) = figure.size();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MOST_PIXELS || figure.marks() > MOST_MARKS {
        terminal::warn(&format!(
            "figure {} is not drawn: {width} by {height} pixels and {} marks are more than can be looked at",
            short(figure.stem()),
            figure.marks()
        ));
        return Ok(Vec::new());
    }
    fs::create_dir_all(dir).map_err(|error| {
        bad_input!(
            "{}: {error}, expected a folder that can be written to",
            dir.display()
        )
    })?;
    let stem = short(figure.stem());
    let [svg, png] = ["svg", "png"].map(|ending| dir.join(format!("{stem}.{ending}")));
    to_backend(figure, SVGBackend::new(&svg, figure.size()))
        .with_context(|| svg.display().to_string())?;
    to_backend(figure, Png::new(&png, figure.size())?)
        .with_context(|| png.display().to_string())?;
    Ok(vec![svg, png])
}

fn to_backend<DB: DrawingBackend>(figure: &impl Figure, backend: DB) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let area = backend.into_drawing_area();
    figure.draw(&area)?;
    Ok(area.present()?)
}

/// Shortens a name to one that file systems take: the beginning, and a suffix that tells it from others.
fn short(stem: String) -> String {
    const LONGEST: usize = 200;
    if stem.len() <= LONGEST {
        return stem;
    }
    let digest = format!("{:x}", Sha256::digest(&stem));
    let start: String = stem.chars().take(LONGEST - 17).collect();
    format!("{start}-{}", &digest[..16])
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_shortened_and_still_its_own() {
        let (one, other) = (
            format!("{}1", "x".repeat(300)),
            format!("{}2", "x".repeat(300)),
        );
        let (one, other) = (short(slug(&one)), short(slug(&other)));
        assert!(
            one != other && one.len() == 200 && other.len() == 200,
            "{one} {other}"
        );
        assert_eq!(short("accuracy-needle".into()), "accuracy-needle");
    }
}
