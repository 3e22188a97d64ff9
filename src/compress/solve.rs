//! Solves for an exact size: finds the knob at which the bytes held meet a target.

use std::cell::RefCell;
use std::collections::HashMap;

use rayon::prelude::*;

use super::method::{At, Knob, Plan};
use crate::bad_input;
use crate::store::Footprint;

/// A target is met when retention is within this of it.
const TOLERANCE: f64 = 0.002;
/// Accepted difference if a knob moves in steps too coarse for [`TOLERANCE`].
const ACCEPTED: f64 = 0.01;
/// A target below the smallest cache is met by that cache if it misses by no more than [`ACCEPTED`] and by no more than
/// this share of the target.
const SHARE: f64 = 0.1;
/// Times the range is halved before false position. The targets of a sweep share most of these steps.
const HALVINGS: usize = 4;
/// False-position steps after which the nearest place is taken.
const STEPS: usize = 24;

/// Counts and bytes of all layers at a place on the knob's range.
pub fn footprint(plans: &[Box<dyn Plan + '_>], at: At) -> Footprint {
    let layers: Vec<Footprint> = plans.par_iter().map(|plan| plan.footprint(at)).collect();
    layers.into_iter().sum()
}

/// Bytes held as a function of a method's knob, on one prompt. Remembers the bytes at each place tried, for further
/// targets.
pub struct BytesCurve<'a> {
    /// The knob that bytes are a function of.
    pub knob: Knob,
    bytes: &'a dyn Fn(At) -> u64,
    known: RefCell<HashMap<u64, u64>>,
}

impl<'a> BytesCurve<'a> {
    /// A curve with no place computed yet. `bytes`: of all layers at a place on the knob's range.
    pub fn new(knob: Knob, bytes: &'a dyn Fn(At) -> u64) -> Self {
        let known = RefCell::default();
        Self { knob, bytes, known }
    }

    fn bytes(&self, at: At) -> u64 {
        let mut known = self.known.borrow_mut();
        *known
            .entry(at.value(&self.knob).to_bits())
            .or_insert_with(|| (self.bytes)(at))
    }
}

/// Returns the place on the knob's range where the bytes are `target` times `bytes_dense`. Bytes need to rise only on
/// the whole. First brackets the target between two of the knob's cheap values, or by halving its range if it has none;
/// all targets share these places. Then goes on by false position (Illinois). Which places are tried depends on the
/// target alone.
///
/// # Errors
/// A target outside the reachable range, naming the range.
pub fn solve(curve: &BytesCurve<'_>, target: f64, bytes_dense: u64) -> anyhow::Result<At> {
    let knob = curve.knob;
    let retention = |at: At| curve.bytes(at) as f64 / bytes_dense as f64;
    let (mut low, mut high) = (knob.smallest, knob.largest);
    let ends = knob.ends();
    let [smallest, largest] = ends.map(retention);
    let (mut below, mut above) = (smallest - target, largest - target);
    if below > ACCEPTED.min(SHARE * target) || above < -ACCEPTED {
        return Err(bad_input!(
            "retention = {target}: this method reaches {smallest:.3} to {largest:.3} on this prompt \
             (its {} from {} to {})",
            knob.name,
            knob.smallest,
            knob.largest
        ));
    }
    let mut best = if below.abs() < above.abs() {
        (below.abs(), ends[0])
    } else {
        (above.abs(), ends[1])
    };
    let nearer = |a: (f64, At), b: (f64, At)| if b.0 < a.0 { b } else { a };
    for i in 1..knob.cheap.len() {
        let places = [At::Cheap(i - 1), At::Cheap(i)];
        let [first, second] = places.map(|at| retention(at) - target);
        if first < 0.0 && second >= 0.0 {
            (low, high) = (knob.cheap[i - 1], knob.cheap[i]);
            (below, above) = (first, second);
            best = nearer(best, (first.abs(), places[0]));
            best = nearer(best, (second.abs(), places[1]));
            break;
        }
    }
    for _ in 0..if knob.cheap.is_empty() { HALVINGS } else { 0 } {
        let middle = (low + high) / 2.0;
        let error = retention(At::Value(middle)) - target;
        best = nearer(best, (error.abs(), At::Value(middle)));
        if error < 0.0 {
            (low, below) = (middle, error);
        } else {
            (high, above) = (middle, error);
        }
    }
    let mut last_moved_low = None;
    for _ in 0..STEPS {
        if best.0 <= TOLERANCE || below >= 0.0 || above <= 0.0 {
            break;
        }
        let at = low + (high - low) * (-below) / (above - below);
        let error = retention(At::Value(at)) - target;
        best = nearer(best, (error.abs(), At::Value(at)));
        let moves_low = error < 0.0;
        if moves_low {
            (low, below) = (at, error);
        } else {
            (high, above) = (at, error);
        }
        // Illinois: the end that stays twice counts half, so that both ends close in.
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
            "retention = {target}: this method reaches {smallest:.3} to {largest:.3} on this prompt, but in steps \
             (its {}); the nearest misses by {:.3}",
            knob.name,
            best.0
        ));
    }
    Ok(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KNOB: Knob = Knob {
        name: "share",
        smallest: 0.0,
        largest: 1.0,
        cheap: &[],
    };
    const DENSE: u64 = 1_000_000;

    fn held(retention: f64) -> u64 {
        (retention * DENSE as f64).round() as u64
    }

    fn value(at: At) -> f64 {
        at.value(&KNOB)
    }

    proptest! {
        /// Curved either way, in steps, and with a kink: what false position meets in practice.
        #[test]
        fn a_target_within_reach_is_met(power in 0.2f64..8.0, steps in 200u32..3000, kink in 0.0f64..1.0, floor in 0.0f64..0.3, target in 0.05f64..1.0) {
            let bytes = |knob: f64| {
                let stepped = (knob * f64::from(steps)).floor() / f64::from(steps);
                let curved = stepped.powf(power);
                held(floor + (1.0 - floor) * if stepped < kink { curved } else { curved.max(stepped) })
            };
            let at = |step: u32| bytes(f64::from(step) / f64::from(steps) + 1e-9) as f64 / DENSE as f64;
            let coarsest = (0..steps).map(|step| at(step + 1) - at(step)).fold(0.0, f64::max);
            match solve(&BytesCurve::new(KNOB, &|at| bytes(value(at))), target, DENSE) {
                Ok(at) => prop_assert!((bytes(value(at)) as f64 / DENSE as f64 - target).abs() <= ACCEPTED),
                Err(_) => prop_assert!(target < floor || coarsest > 2.0 * ACCEPTED, "steps of {coarsest}"),
            }
        }
    }

    #[test]
    fn what_one_target_measured_is_not_measured_again_for_the_next() {
        let calls = std::cell::Cell::new(0);
        let bytes = |at: At| {
            calls.set(calls.get() + 1);
            held(value(at).powi(3))
        };
        let curve = BytesCurve::new(KNOB, &bytes);
        let first = solve(&curve, 0.3, DENSE).unwrap();
        let alone = calls.get();
        assert_eq!(solve(&curve, 0.3, DENSE).unwrap(), first);
        assert_eq!(calls.get(), alone);
        let next = solve(&curve, 0.31, DENSE).unwrap();
        assert!(
            calls.get() < 2 * alone,
            "{} calls after {alone}",
            calls.get()
        );
        assert_eq!(
            solve(&BytesCurve::new(KNOB, &bytes), 0.31, DENSE).unwrap(),
            next
        );
    }

    #[test]
    fn what_is_out_of_reach_names_the_range() {
        let error = solve(
            &BytesCurve::new(KNOB, &|at| held(0.2 + 0.5 * value(at))),
            0.15,
            DENSE,
        )
        .unwrap_err();
        let text = error.to_string();
        assert!(text.contains("reaches 0.200 to 0.700"), "{text}");
        assert!(text.contains("its share from 0 to 1"), "{text}");
        assert_eq!(crate::error::exit_code(&error), 2);
    }

    #[test]
    fn a_target_between_two_steps_names_the_range_and_by_how_much_it_is_missed() {
        let bytes = |at: At| held(if value(at) < 0.5 { 0.1 } else { 0.5 });
        let text = solve(&BytesCurve::new(KNOB, &bytes), 0.25, DENSE)
            .unwrap_err()
            .to_string();
        assert!(text.contains("reaches 0.100 to 0.500"), "{text}");
        assert!(text.contains("misses by 0.150"), "{text}");
    }
}
