//! Shapes of points. With the colour they tell series apart, also in black and white.

use anyhow::Result;
use plotters::prelude::*;

use super::style::{Area, PALETTE};

/// Half the width of a point, in pixels.
const RADIUS: f64 = 11.0;

/// Corners on the unit circle's scale: (corners, turn in eighths of a circle, radius).
const SHAPES: [(u32, u32, f64); 5] = [
    (0, 0, 1.0),
    (4, 1, 1.3),
    (3, 2, 1.35),
    (4, 0, 1.35),
    (3, 6, 1.35),
];

/// The look of the series with a place in the legend.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub color: RGBColor,
    shape: (u32, u32, f64),
}

impl Look {
    /// Colour and shape of series number `i`; 30 pairs before one repeats.
    pub(super) fn of(i: usize) -> Self {
        Self {
            color: PALETTE[i % PALETTE.len()],
            shape: SHAPES[i % SHAPES.len()],
        }
    }

    /// Draws the point with a white rim, so that points that overlap stay apart.
    pub(super) fn draw<DB: DrawingBackend>(&self, area: &Area<DB>, at: (i32, i32)) -> Result<()>
    where
        DB::ErrorType: 'static,
    {
        for (grow, color) in [(3.0, WHITE), (0.0, self.color)] {
            let (corners, turn, scale) = self.shape;
            let radius = (RADIUS + grow) * scale;
            if corners == 0 {
                area.draw(&Circle::new(at, radius.round() as i32, color.filled()))?;
            } else {
                let corner = |i: u32| {
                    let angle = std::f64::consts::TAU
                        * (f64::from(i) / f64::from(corners) + f64::from(turn) / 8.0);
                    (
                        at.0 + (radius * angle.cos()).round() as i32,
                        at.1 - (radius * angle.sin()).round() as i32,
                    )
                };
                area.draw(&Polygon::new(
                    (0..corners).map(corner).collect::<Vec<_>>(),
                    color.filled(),
                ))?;
            }
        }
        Ok(())
    }
}
