//! A bitmap backend that sets text as the SVG backend does.
//!
//! plotters' own bitmap text drops each glyph's left bearing, rounds its position, is a fifteenth
//! larger than in the SVG and sits above the point it is centred on. Here both formats agree.

use std::path::Path;

use ab_glyph::{Font, FontRef, ScaleFont, point};
use anyhow::{Context, Result};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingErrorKind,
};

/// plotters' font size over the size of an em, as in its SVG backend.
const SIZE_PER_EM: f64 = 1.24;
/// From the point text is centred on down to its baseline, in ems: half the height of an `x`.
const BASELINE: f32 = 0.27;

/// Draws to a PNG file, which is written on `present`.
pub(super) struct Png<'a> {
    bitmap: BitMapBackend<'a>,
    regular: FontRef<'static>,
    bold: FontRef<'static>,
}

impl<'a> Png<'a> {
    /// # Errors
    /// If an embedded face does not parse.
    pub(super) fn new(path: &'a Path, size: (u32, u32)) -> Result<Self> {
        let face =
            |bytes| FontRef::try_from_slice(bytes).context("the embedded font does not parse");
        Ok(Self {
            bitmap: BitMapBackend::new(path, size),
            regular: face(dejavu::sans::regular())?,
            bold: face(dejavu::sans::bold())?,
        })
    }

    /// The pixels that `text` covers, relative to the point it is anchored at, each with the share covered.
    fn cover<S: BackendTextStyle>(&self, text: &str, style: &S) -> Vec<(BackendCoord, f32)> {
        let face = if matches!(style.style(), FontStyle::Bold) {
            &self.bold
        } else {
            &self.regular
        };
        let em = (style.size() / SIZE_PER_EM) as f32;
        // ab_glyph scales by a face's height, not by its em.
        let font = face.as_scaled(
            face.pt_to_px_scale(em * 72.0 / 96.0)
                .unwrap_or_else(|| em.into()),
        );
        let mut pen = 0.0;
        let mut glyphs = Vec::new();
        let mut before = None;
        for c in text.chars() {
            let id = font.glyph_id(c);
            pen += before.map_or(0.0, |before| font.kern(before, id));
            glyphs.push(id.with_scale_and_position(font.scale(), point(pen, 0.0)));
            pen += font.h_advance(id);
            before = Some(id);
        }
        let left = match style.anchor().h_pos {
            HPos::Left => 0.0,
            HPos::Center => -pen / 2.0,
            HPos::Right => -pen,
        };
        let baseline = match style.anchor().v_pos {
            VPos::Top => 0.76 * em,
            VPos::Center => BASELINE * em,
            VPos::Bottom => -BASELINE * em,
        };
        let mut pixels = Vec::new();
        for mut glyph in glyphs {
            glyph.position = point(glyph.position.x + left, baseline.round());
            let Some(outline) = font.outline_glyph(glyph) else {
                continue;
            };
            let corner = outline.px_bounds().min;
            outline.draw(|x, y, cover| {
                pixels.push((
                    (corner.x as i32 + x as i32, corner.y as i32 + y as i32),
                    cover.min(1.0),
                ));
            });
        }
        pixels
    }
}

impl DrawingBackend for Png<'_> {
    type ErrorType = <BitMapBackend<'static> as DrawingBackend>::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.bitmap.get_size()
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.bitmap.ensure_prepared()
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.bitmap.present()
    }

    fn draw_pixel(
        &mut self,
        at: BackendCoord,
        color: BackendColor,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.bitmap.draw_pixel(at, color)
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.bitmap.draw_line(from, to, style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        upper_left: BackendCoord,
        bottom_right: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.bitmap.draw_rect(upper_left, bottom_right, style, fill)
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        at: BackendCoord,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let color = style.color();
        let (width, height) = self.get_size();
        for ((x, y), cover) in self.cover(text, style) {
            let (x, y) = style.transform().transform(x, y);
            let (x, y) = (at.0 + x, at.1 + y);
            if (0..width as i32).contains(&x) && (0..height as i32).contains(&y) {
                let alpha = color.alpha * f64::from(cover);
                self.draw_pixel((x, y), BackendColor { alpha, ..color })?;
            }
        }
        Ok(())
    }
}
