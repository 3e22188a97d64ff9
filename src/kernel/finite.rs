//! Whether numbers are finite: a pass over them that compares magnitudes as whole numbers, in which NaN is the largest.

use multiversion::multiversion;
use rayon::prelude::*;

use super::LANES;

/// Rows that one task looks at, so that a decoded token is looked at where it is.
const ROWS: usize = 128;

/// The first row of `values`, `[n, width]`, that has an element of magnitude `limit` or more, or NaN.
///
/// With a limit of infinity: the first row that is not finite.
pub fn first_beyond(values: &[f32], width: usize, limit: f32) -> Option<usize> {
    first_outside(values, width, 0.0, limit)
}

/// As [`first_beyond`]; also a row that is not 0, but has no element of a magnitude above `least`.
pub fn first_outside(values: &[f32], width: usize, least: f32, limit: f32) -> Option<usize> {
    let rows = values.par_chunks(width).with_min_len(ROWS);
    rows.position_first(|row| {
        let largest = largest(row);
        largest >= limit.to_bits() || (largest > 0 && largest <= least.to_bits())
    })
}

/// The bits of the largest magnitude. Those of infinity are greater than a finite number's, those of NaN greater still.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
fn largest(values: &[f32]) -> u32 {
    let bits = |x: &f32| x.abs().to_bits();
    let (chunks, rest) = values.as_chunks::<LANES>();
    let mut lanes = [0u32; LANES];
    for chunk in chunks {
        for (lane, x) in lanes.iter_mut().zip(chunk) {
            *lane = bits(x).max(*lane);
        }
    }
    rest.iter().map(bits).chain(lanes).fold(0, u32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_bad_element_is_found_wherever_it_stands() {
        for width in [1, 5, 16, 40] {
            for at in 0..3 * width {
                for bad in [
                    f32::NAN,
                    -f32::NAN,
                    f32::INFINITY,
                    -f32::INFINITY,
                    -10.0,
                    10.0,
                ] {
                    let mut values = vec![9.5; 3 * width];
                    assert_eq!(first_beyond(&values, width, 10.0), None);
                    values[at] = bad;
                    assert_eq!(first_beyond(&values, width, 10.0), Some(at / width));
                    let infinite = (!bad.is_finite()).then_some(at / width);
                    assert_eq!(first_beyond(&values, width, f32::INFINITY), infinite);
                }
            }
        }
        assert_eq!(first_beyond(&[], 4, 1.0), None);
        let rows = [0.0, 0.0, 0.5, 0.1, -0.5, 0.5001];
        assert_eq!(first_outside(&rows, 2, 0.5, 1.0), Some(1));
        assert_eq!(first_outside(&rows[..2], 2, 0.5, 1.0), None);
        assert_eq!(first_outside(&rows[4..], 2, 0.5, 1.0), None);
        assert_eq!(first_beyond(&[f32::MAX, f32::MIN], 1, f32::INFINITY), None);
    }

    #[test]
    fn of_many_rows_the_first_is_named() {
        let mut values = vec![0.0; 3 * 1000];
        values[3 * 700] = f32::NAN;
        values[3 * 500 + 2] = f32::INFINITY;
        assert_eq!(first_beyond(&values, 3, f32::INFINITY), Some(500));
    }
}
