//! What every figure shares: fonts, sizes in pixels, colours, and text in them.

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontDesc, register_font};

use crate::terminal;

/// The part of a figure that is being drawn on, in pixels from its own corner.
pub(super) type Area<DB> = DrawingArea<DB, Shift>;

/// Fonts. The PNG is drawn with DejaVu Sans. The SVG names fallbacks for viewers without it.
const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Width of every figure: twice the width it has on a page, so that the PNG is sharp there.
pub(super) const WIDTH: u32 = 1600;
/// Margin around a figure.
pub(super) const MARGIN: i32 = 36;

pub(super) const TITLE: i32 = 40;
pub(super) const SUBTITLE: i32 = 26;
pub(super) const AXIS: i32 = 28;
pub(super) const LABEL: i32 = 26;
pub(super) const SMALL: i32 = 22;
/// Height of the title and subtitle at the top of each figure.
pub(super) const HEADER: i32 = 128;

pub(super) const INK: RGBColor = RGBColor(34, 34, 34);
pub(super) const MUTED: RGBColor = RGBColor(96, 96, 96);
pub(super) const GRID: RGBColor = RGBColor(226, 226, 226);
pub(super) const MISSING: RGBColor = RGBColor(236, 236, 236);

/// Colours of Okabe and Ito that colour-blind readers can tell apart, and that show on white.
pub(super) const PALETTE: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// [`PALETTE`] and two more, for areas: as lines these would hardly be seen.
pub(super) const LONG_PALETTE: [RGBColor; 8] = [
    PALETTE[0],
    PALETTE[1],
    PALETTE[2],
    PALETTE[3],
    PALETTE[4],
    PALETTE[5],
    RGBColor(240, 228, 66),
    RGBColor(153, 153, 153),
];

/// Colours of scores 0, 0.5 and 1 in the published needle figures (red, yellow, green).
pub(super) const HEAT: [RGBColor; 3] = [
    RGBColor(240, 73, 110),
    RGBColor(235, 184, 57),
    RGBColor(12, 215, 159),
];

/// Colours of the shallowest, the middle and the deepest layer.
pub(super) const DEPTH: [RGBColor; 3] = [
    RGBColor(86, 180, 233),
    RGBColor(120, 94, 160),
    RGBColor(213, 94, 0),
];

/// The colour at `place`, 0 to 1, linear between three.
pub(super) fn between(colors: [RGBColor; 3], place: f64) -> RGBColor {
    let place = place.clamp(0.0, 1.0) * 2.0;
    let (from, to, share) = if place < 1.0 {
        (colors[0], colors[1], place)
    } else {
        (colors[1], colors[2], place - 1.0)
    };
    let mix = |from: u8, to: u8| {
        (f64::from(from) + (f64::from(to) - f64::from(from)) * share).round() as u8
    };
    RGBColor(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// Makes the embedded faces known to plotters, so that no font of the system is needed.
///
/// # Errors
/// If a face does not parse.
pub(super) fn register_fonts() -> Result<()> {
    for (style, face) in [
        (FontStyle::Normal, dejavu::sans::regular()),
        (FontStyle::Bold, dejavu::sans::bold()),
    ] {
        register_font(FAMILY, style, face)
            .map_err(|_| anyhow!("the embedded font {FAMILY} does not parse"))?;
    }
    Ok(())
}

/// Text of a tick's value, without rounding errors of its computation.
pub(super) fn number(value: f64) -> String {
    format!("{}", (value * 1000.0).round() / 1000.0)
}

/// Text of a size and colour, anchored at its left and middle.
pub(super) fn text(size: i32, color: RGBColor) -> TextStyle<'static> {
    styled(size, color, FontStyle::Normal)
}

/// As [`text`], bold.
pub(super) fn bold(size: i32, color: RGBColor) -> TextStyle<'static> {
    styled(size, color, FontStyle::Bold)
}

fn styled(size: i32, color: RGBColor, style: FontStyle) -> TextStyle<'static> {
    let font = FontDesc::new(FontFamily::Name(FAMILY), f64::from(size), style);
    TextStyle {
        font,
        color: color.to_backend_color(),
        pos: Pos::new(HPos::Left, VPos::Center),
    }
}

/// `style` with its text centred on, or ending at, the point it is drawn at.
pub(super) fn anchored(style: TextStyle<'static>, at: HPos) -> TextStyle<'static> {
    style.pos(Pos::new(at, VPos::Center))
}

/// Most characters of a text: no more fit into a figure's width.
const LONGEST: usize = 200;

/// Draws `words` at a point, leaving out characters that an SVG must not hold.
pub(super) fn write<DB: DrawingBackend>(
    area: &Area<DB>,
    words: &str,
    at: (i32, i32),
    style: &TextStyle<'static>,
) -> Result<()>
where
    DB::ErrorType: 'static,
{
    let words = terminal::cut(&terminal::line(words), LONGEST);
    Ok(area.draw(&Text::new(words, at, style.clone()))?)
}

/// Clears the figure to white, draws title and subtitle, and returns the area below them.
pub(super) fn header<DB: DrawingBackend>(
    area: &Area<DB>,
    title: &str,
    subtitle: &str,
) -> Result<Area<DB>>
where
    DB::ErrorType: 'static,
{
    area.fill(&WHITE)?;
    write(area, title, (MARGIN, MARGIN + 18), &bold(TITLE, INK))?;
    write(
        area,
        subtitle,
        (MARGIN, MARGIN + 62),
        &text(SUBTITLE, MUTED),
    )?;
    Ok(area.margin(HEADER, MARGIN, MARGIN, MARGIN))
}
