//! The size that a method is asked for.

use super::method::At;
use super::solve::{BytesCurve, OutOfReach, Solved, solve};

/// The one size that is given: a retention, or one of the method's own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Size {
    /// Measured bytes over those of the dense cache.
    Retention(f64),
    /// Bytes held, once the prompt has been compressed.
    Bytes(f64),
    /// The same over the prompt's tokens.
    BytesPerToken(f64),
    /// Entries per query head and layer, on average; a shorter prompt is kept whole.
    Budget(usize),
    /// The share of the prompt's entries that each query head keeps, on average: the setting `share`.
    Share(f64),
    /// The knob itself.
    Knob(f64),
}

impl Size {
    /// Returns the place on the knob's range that gives this size on a prompt of `len` tokens, whose bytes `curve`
    /// gives. `least`: the fewest entries that the method keeps, see [`Method::least`](super::method::Method::least).
    ///
    /// # Errors
    /// A size below the method's smallest cache on this prompt.
    pub fn knob(
        self,
        curve: &BytesCurve<'_>,
        len: usize,
        least: usize,
        bytes_dense: u64,
    ) -> Result<Solved, OutOfReach> {
        match self {
            Self::Retention(target) => solve(curve, target, bytes_dense),
            Self::Bytes(bytes) => solve(curve, bytes / bytes_dense as f64, bytes_dense),
            Self::BytesPerToken(bytes) => {
                let bytes = (bytes * len as f64).floor();
                solve(curve, bytes / bytes_dense as f64, bytes_dense)
            }
            Self::Budget(entries) => Ok(At::Value((entries as f64 / len as f64).min(1.0)).into()),
            Self::Share(share) if ((share * len as f64).round() as usize) < least => {
                Err(OutOfReach {
                    what: "share ",
                    smallest: least as f64 / len as f64,
                    largest: 1.0,
                })
            }
            Self::Share(share) => Ok(At::Value(share).into()),
            Self::Knob(knob) => Ok(At::Value(knob).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress::method::Knob;

    #[test]
    fn a_share_below_what_is_always_kept_is_out_of_reach() {
        let knob = Knob {
            name: "share",
            smallest: 0.0,
            largest: 1.0,
            cheap: &[],
        };
        let curve = BytesCurve::new(knob, &|_| 0);
        let of = |size: Size| size.knob(&curve, 300, 8, 1);
        let text = of(Size::Share(0.01)).unwrap_err().to_string();
        assert_eq!(text, "out of reach: share 0.027 to 1.000");
        let of = |size: Size| of(size).map(|solved| solved.at);
        assert_eq!(of(Size::Share(0.027)).unwrap(), At::Value(0.027));
        assert_eq!(of(Size::Budget(30)).unwrap(), At::Value(0.1));
        assert_eq!(of(Size::Budget(1000)).unwrap(), At::Value(1.0));
    }
}
