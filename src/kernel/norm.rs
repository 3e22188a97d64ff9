//! The length of a vector.

use super::dot;

/// Squares below this lose digits that count, down to all of them.
const SMALLEST: f32 = f32::MIN_POSITIVE * 1e8;

/// The Euclidean norm. Only of a zero vector it is 0.
pub fn norm(vector: &[f32]) -> f32 {
    let squares = dot(vector, vector);
    match squares < SMALLEST {
        true => {
            let squares = vector.iter().map(|&x| f64::from(x) * f64::from(x));
            squares.sum::<f64>().sqrt() as f32
        }
        false => squares.sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_norm_is_that_of_the_definition_however_small() {
        assert_eq!(norm(&[3.0, 4.0]), 5.0);
        assert_eq!(norm(&[0.0; 8]), 0.0);
        for exponent in [-10, -60, -70, -120] {
            let scale = 2f32.powi(exponent);
            assert_eq!(norm(&[3.0 * scale, -4.0 * scale]), 5.0 * scale);
        }
        assert!(norm(&[f32::NAN]).is_nan());
    }
}
