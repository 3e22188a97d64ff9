//! How much compression changes the output of attention.
//!
//! The window's queries of the dense prefill attend to every entry of a layer, as queries of decoded tokens do: without
//! a causal mask within the window. The error of one layer does not reach the next.

use crate::attend::attend_held;
use crate::generate::whole_cache;
use crate::model::observe::Prefilled;
use crate::store::Cache;

use super::window::WINDOW;

/// Attention output of every layer of the dense cache, `[window, heads * head_dim]` each.
pub(super) fn of_dense(prefilled: &Prefilled) -> Vec<Vec<f32>> {
    of(&whole_cache(prefilled), prefilled)
}

/// Per layer, `|| out - full || / || full ||` over all of the window's queries and heads.
pub(super) fn errors(cache: &Cache, prefilled: &Prefilled, full: &[Vec<f32>]) -> Vec<f64> {
    let outputs = of(cache, prefilled);
    outputs
        .iter()
        .zip(full)
        .map(|(out, full)| relative_error(out, full))
        .collect()
}

fn of(cache: &Cache, prefilled: &Prefilled) -> Vec<Vec<f32>> {
    let width = prefilled.geometry.heads * prefilled.geometry.head_dim;
    let positions: Vec<usize> = (prefilled.len - WINDOW..prefilled.len).collect();
    cache
        .layers
        .iter()
        .zip(&prefilled.layers)
        .map(|(layer, observed)| {
            // The prefill may have observed a longer window, if a method asked for one.
            let start = observed.queries.len() - WINDOW * width;
            attend_held(
                &observed.rule,
                layer,
                &observed.queries[start..],
                &positions,
            )
        })
        .collect()
}

fn relative_error(found: &[f32], expected: &[f32]) -> f64 {
    let square = |x: f32| f64::from(x).powi(2);
    let off: f64 = found.iter().zip(expected).map(|(a, b)| square(a - b)).sum();
    let whole: f64 = expected.iter().map(|&x| square(x)).sum();
    match off {
        // No difference is no error, also if the expected output is 0.
        0.0 => 0.0,
        _ => (off / whole).sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_relative_to_what_was_expected() {
        assert_eq!(relative_error(&[3.0, 4.0], &[3.0, 4.0]), 0.0);
        assert_eq!(relative_error(&[3.0, 0.0], &[0.0, 4.0]), 1.25);
        assert_eq!(relative_error(&[0.0], &[0.0]), 0.0);
        assert!(relative_error(&[f32::NAN], &[1.0]).is_nan());
    }
}
