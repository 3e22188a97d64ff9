//! One drawing, two formats.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use plotters::prelude::*;
use sha2::{Digest, Sha256};

use super::png::Png;
use super::style::Area;
use crate::bad_input;

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

/// A name that file systems take: of a long one the beginning, and what tells it from others.
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
