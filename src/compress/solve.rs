//! Exact size: the knob at which the bytes held meet a target.

use rayon::prelude::*;

use super::method::{Knob, Plan};
use crate::bad_input;
use crate::cache::Footprint;

/// A target is met when retention is within this of it.
const TOLERANCE: f64 = 0.002;
/// What is accepted where a knob moves in steps too coarse for [`TOLERANCE`].
const ACCEPTED: f64 = 0.01;
/// False-position steps before the nearest is taken.
const STEPS: usize = 24;

/// Bytes of all layers at a knob.
pub fn footprint(plans: &[Box<dyn Plan + '_>], knob: f64) -> Footprint {
    let layers: Vec<Footprint> = plans.par_iter().map(|plan| plan.footprint(knob)).collect();
    layers.into_iter().sum()
}

/// The knob at which `bytes` are `target` of `bytes_dense`, by false position (Illinois) between the ends of its
/// range, or between two of its cheap values where it has them; bytes need only rise on the whole.
///
/// # Errors
/// A target outside the reachable range, naming the range.
pub fn solve(
    knob: Knob,
    bytes: impl Fn(f64) -> u64,
    target: f64,
    bytes_dense: u64,
) -> anyhow::Result<f64> {
    let retention = |at: f64| bytes(at) as f64 / bytes_dense as f64;
    let (mut low, mut high) = (knob.smallest, knob.largest);
    let (smallest, largest) = (retention(low), retention(high));
    let (mut below, mut above) = (smallest - target, largest - target);
    if below > ACCEPTED || above < -ACCEPTED {
        return Err(bad_input!(
            "retention = {target}: this method reaches {smallest:.3} to {largest:.3} on this prompt \
             (its {} from {} to {})",
            knob.name,
            knob.smallest,
            knob.largest
        ));
    }
    let mut best = if below.abs() < above.abs() {
        (below.abs(), low)
    } else {
        (above.abs(), high)
    };
    for pair in knob.cheap.windows(2) {
        let (first, second) = (retention(pair[0]) - target, retention(pair[1]) - target);
        if first < 0.0 && second >= 0.0 {
            (low, below, high, above) = (pair[0], first, pair[1], second);
            best = [best, (first.abs(), low), (second.abs(), high)]
                .into_iter()
                .fold(best, |a, b| if b.0 < a.0 { b } else { a });
            break;
        }
    }
    let mut last_moved_low = None;
    for _ in 0..STEPS {
        if best.0 <= TOLERANCE || below >= 0.0 || above <= 0.0 {
            break;
        }
        let at = low + (high - low) * (-below) / (above - below);
        let error = retention(at) - target;
        if error.abs() < best.0 {
            best = (error.abs(), at);
        }
        let moves_low = error < 0.0;
        if moves_low {
            (low, below) = (at, error);
        } else {
            (high, above) = (at, error);
        }
        // The end that stays twice counts half, so that both ends close in.
        if last_moved_low == Some(moves_low) {
            if moves_low {
                above /= 2.0
            } else {
                below /= 2.0
            }
        }
        last_moved_low = Some(moves_low);
    }
    if best.0 > ACCEPTED {
        return Err(bad_input!(
            "retention = {target}: the nearest this method comes on this prompt misses it by {:.3}",
            best.0
        ));
    }
    Ok(best.1)
}
