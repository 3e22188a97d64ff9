//! How far a compressed cache moves the output of attention.
//!
//! The window's queries, as the dense prefill left them, attend to everything that a layer holds, as the queries of
//! decoded tokens would: no causal mask within the window, and no layer sees what the one before it got wrong.

use crate::attend::attend_held;
use crate::generate::whole_cache;
use crate::model::observe::Prefilled;
use crate::store::Cache;

use super::window::WINDOW;

/// The output of every layer of the dense cache, `[window, heads * head_dim]` each.
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
            // A method may have asked for a longer window.
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
        // So too where nothing was expected.
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
