//! Values that are not finite or that a cache cannot hold. Results computed from them are invalid.

use std::fmt;

use super::rows::StoreType;
use crate::kernel::{first_beyond, first_outside};

/// Where a value that is not finite was found, or one that the element type of the cache cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Number of the layer, from 0. None: after the last layer.
    pub layer: Option<usize>,
    /// The kind of value: `keys`, `norms of values`, `scales of keys`, `attention`, `scores`, `logits` and the like.
    pub what: &'static str,
    /// Position of the token, from 0.
    pub token: usize,
    /// Why it is a fault.
    pub wrong: Wrong,
}

/// What is wrong with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// NaN or infinity.
    NotFinite,
    /// Finite, but more than this element type holds.
    TooLarge(StoreType),
    /// Of a vector that is not 0 and would be rounded to 0 in this element type.
    TooSmall(StoreType),
}

impl Fault {
    /// The first row of `rows`, `[n, width]`, that is not finite. Row `i` is the `what` of token `token + i`.
    pub fn of_rows(what: &'static str, rows: &[f32], width: usize, token: usize) -> Option<Self> {
        let row = first_beyond(rows, width, f32::INFINITY)?;
        Some(Self {
            layer: None,
            what,
            token: token + row,
            wrong: Wrong::NotFinite,
        })
    }

    /// As [`Fault::of_rows`], for rows that are narrowed to `store`: also a row that `store` cannot hold, or one that
    /// is not 0 and would become 0.
    pub fn of_stored(
        what: &'static str,
        rows: &[f32],
        width: usize,
        token: usize,
        store: StoreType,
    ) -> Option<Self> {
        let row = first_outside(rows, width, store.least(), store.limit())?;
        let elements = &rows[row * width..][..width];
        let is_beyond = |x: &f32| x.abs() >= store.limit();
        Some(Self {
            layer: None,
            what,
            token: token + row,
            wrong: match (
                elements.iter().all(|x| x.is_finite()),
                elements.iter().any(is_beyond),
            ) {
                (false, _) => Wrong::NotFinite,
                (true, true) => Wrong::TooLarge(store),
                (true, false) => Wrong::TooSmall(store),
            },
        })
    }

    /// The first score that is not finite. `scores` has rows of `len` tokens, from token 0 on.
    pub fn of_scores(scores: &[f32], len: usize) -> Option<Self> {
        let row = first_beyond(scores, len.max(1), f32::INFINITY)?;
        let token = scores[row * len..].iter().position(|s| !s.is_finite())?;
        Some(Self {
            layer: None,
            what: "scores",
            token,
            wrong: Wrong::NotFinite,
        })
    }

    /// The fault, found in layer `layer`.
    pub fn in_layer(self, layer: usize) -> Self {
        Self {
            layer: Some(layer),
            ..self
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(layer) = self.layer {
            write!(f, "layer {layer}, ")?;
        }
        write!(f, "{} of token {}: ", self.what, self.token)?;
        let store = match self.wrong {
            Wrong::NotFinite => return f.write_str("not finite"),
            Wrong::TooLarge(store) => {
                match store {
                    StoreType::F16 => write!(f, "beyond {}", store.largest())?,
                    _ => write!(f, "beyond {:e}", store.largest())?,
                }
                write!(f, ", the most that {} holds", store.name())?;
                store
            }
            Wrong::TooSmall(store) => {
                let (least, name) = (store.least(), store.name());
                write!(f, "up to {least:e} and not 0, but all 0 in {name}")?;
                store
            }
        };
        match (store, self.wrong) {
            (StoreType::F16, Wrong::TooLarge(_)) => f.write_str("; kv-dtype = \"bf16\" holds more"),
            (StoreType::F16, _) => f.write_str("; kv-dtype = \"bf16\" holds less"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_layer_kind_and_token_and_f16_offers_bf16() {
        let of = |rows: &[f32], store| Fault::of_stored("keys", rows, 2, 10, store);
        assert_eq!(of(&[1.0, 65_519.0], StoreType::F16), None);
        let narrow = of(&[1.0, 2.0, 3.0, -70_000.0], StoreType::F16);
        assert_eq!(
            narrow.unwrap().in_layer(3).to_string(),
            "layer 3, keys of token 11: beyond 65504, the most that f16 holds; kv-dtype = \"bf16\" holds more"
        );
        assert_eq!(of(&[1.0, 2.0, 3.0, -70_000.0], StoreType::BF16), None);
        let vanishing = of(&[0.0, 0.0, 1.0, 1e-9, 1e-9, -2e-8], StoreType::F16);
        assert_eq!(
            vanishing.unwrap().to_string(),
            "keys of token 12: up to 2.9802322e-8 and not 0, but all 0 in f16; kv-dtype = \"bf16\" holds less"
        );
        assert_eq!(of(&[0.0, 1e-9], StoreType::BF16), None);
        let nan = of(&[f32::NAN, 70_000.0], StoreType::F16).unwrap();
        assert_eq!(nan.to_string(), "keys of token 10: not finite");
        let rows = Fault::of_rows("logits", &[f32::MAX, f32::NEG_INFINITY], 1, 4);
        assert_eq!(rows.unwrap().to_string(), "logits of token 5: not finite");
        let scores = Fault::of_scores(&[0.0, 1.0, 2.0, 3.0, f32::NAN, 5.0], 3);
        assert_eq!(scores.unwrap().to_string(), "scores of token 1: not finite");
        assert_eq!(Fault::of_scores(&[], 0), None);
    }
}
