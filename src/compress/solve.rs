//! Solves for an exact size: finds the knob at which the bytes held meet a target.

use std::cell::RefCell;
use std::collections::HashMap;

use rayon::prelude::*;

use super::method::{At, Knob, Plan};
use crate::store::Footprint;

/// A size at most this far below its target meets it.
pub const WITHIN: f64 = 0.01;
/// How far below the target the search aims, and how near to there it ends.
const AIM: f64 = 0.001;
const NEAR: f64 = 0.002;
/// Times the range is halved before false position: five targets of a sweep share most of these steps.
const HALVINGS: usize = 4;
/// Steps of false position, and then of halving, before the largest size found below the target is taken.
const STEPS: [usize; 2] = [12, 24];

/// A place on a knob's range whose size is no larger than asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Solved {
    /// The place.
    pub at: At,
    /// Whether its size is further than [`WITHIN`] below the target, and no larger one below the target was found.
    pub saturated: bool,
}

impl From<At> for Solved {
    fn from(at: At) -> Self {
        let saturated = false;
        Self { at, saturated }
    }
}

/// Even a method's smallest cache is larger than asked for on this prompt.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}{what}{smallest:.3} to {largest:.3}", OUT_OF_REACH)]
pub struct OutOfReach {
    /// What the numbers are, with a space after it; empty for retention.
    pub what: &'static str,
    /// The least that can be asked for.
    pub smallest: f64,
    /// The most.
    pub largest: f64,
}

/// What the text of an [`OutOfReach`] begins with.
pub const OUT_OF_REACH: &str = "out of reach: ";

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

/// Returns the place on the knob's range with the most bytes found that are at most `target` times `bytes_dense`. Bytes
/// need to rise only on the whole. First brackets the target between two of the knob's cheap values, or by halving its
/// range if it has none; all targets share these places. Then goes on by false position (Illinois), and by halving if
/// that does not end. Which places are tried depends on the target alone.
///
/// # Errors
/// A target below the smallest size.
pub fn solve(curve: &BytesCurve<'_>, target: f64, bytes_dense: u64) -> Result<Solved, OutOfReach> {
    let knob = curve.knob;
    let retention = |at: At| curve.bytes(at) as f64 / bytes_dense as f64;
    let ends = knob.ends();
    let [smallest, largest] = ends.map(retention);
    if smallest > target {
        return Err(OutOfReach {
            what: "",
            smallest,
            largest,
        });
    }
    let mut search = Search {
        target,
        best: (smallest, ends[0]),
        low: (knob.smallest, smallest - (target - AIM)),
        high: (knob.largest, largest - (target - AIM)),
    };
    search.note(largest, ends[1]);
    for i in 1..knob.cheap.len() {
        let places = [At::Cheap(i - 1), At::Cheap(i)];
        let [first, second] = places.map(retention);
        if first < target - AIM && second >= target - AIM {
            search.low = (knob.cheap[i - 1], first - (target - AIM));
            search.high = (knob.cheap[i], second - (target - AIM));
            search.note(first, places[0]);
            search.note(second, places[1]);
            break;
        }
    }
    let halve = |search: &mut Search| {
        let middle = f64::midpoint(search.low.0, search.high.0);
        search.step(middle, retention(At::Value(middle)));
    };
    for _ in 0..if knob.cheap.is_empty() { HALVINGS } else { 0 } {
        halve(&mut search);
    }
    let mut last_moved_low = None;
    for _ in 0..STEPS[0] {
        if search.is_over() {
            break;
        }
        let ((low, below), (high, above)) = (search.low, search.high);
        let at = low + (high - low) * (-below) / (above - below);
        let moves_low = search.step(at, retention(At::Value(at)));
        // Illinois: the end that stays twice counts half, so that both ends close in.
        if last_moved_low == Some(moves_low) {
            match moves_low {
                true => search.high.1 /= 2.0,
                false => search.low.1 /= 2.0,
            }
        }
        last_moved_low = Some(moves_low);
    }
    for _ in 0..STEPS[1] {
        if search.is_over() {
            break;
        }
        halve(&mut search);
    }
    let (found, at) = search.best;
    Ok(Solved {
        at,
        saturated: found < target - WITHIN,
    })
}

/// What is known of where a target is met.
struct Search {
    target: f64,
    /// The largest size found that is not above the target, and where.
    best: (f64, At),
    /// Knobs between which sizes go from below what is aimed at to above it, and by how much their sizes miss it.
    low: (f64, f64),
    high: (f64, f64),
}

impl Search {
    fn note(&mut self, retention: f64, at: At) {
        if retention <= self.target && retention > self.best.0 {
            self.best = (retention, at);
        }
    }

    /// Takes the size at a knob into account. Returns whether it is the new lower end.
    fn step(&mut self, knob: f64, retention: f64) -> bool {
        self.note(retention, At::Value(knob));
        let error = retention - (self.target - AIM);
        let is_below = error < 0.0;
        match is_below {
            true => self.low = (knob, error),
            false => self.high = (knob, error),
        }
        is_below
    }

    /// Whether the best is near enough, or nothing lies between the ends.
    fn is_over(&self) -> bool {
        self.best.0 >= self.target - AIM - NEAR || self.low.1 >= 0.0 || self.high.1 <= 0.0
    }
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
        fn a_target_is_met_from_below(power in 0.2f64..8.0, steps in 200u32..3000, kink in 0.0f64..1.0, floor in 0.0f64..0.3, target in 0.05f64..1.0) {
            let bytes = |knob: f64| {
                let stepped = (knob * f64::from(steps)).floor() / f64::from(steps);
                let curved = stepped.powf(power);
                held(floor + (1.0 - floor) * if stepped < kink { curved } else { curved.max(stepped) })
            };
            let at = |step: u32| bytes(f64::from(step) / f64::from(steps) + 1e-9) as f64 / DENSE as f64;
            let coarsest = (0..steps).map(|step| at(step + 1) - at(step)).fold(0.0, f64::max);
            match solve(&BytesCurve::new(KNOB, &|at| bytes(value(at))), target, DENSE) {
                Ok(Solved { at, saturated }) => {
                    let found = bytes(value(at)) as f64 / DENSE as f64;
                    prop_assert!(found <= target, "{found}");
                    prop_assert_eq!(saturated, found < target - WITHIN);
                    prop_assert!(!saturated || coarsest > WITHIN, "{} in steps of {}", found, coarsest);
                }
                Err(range) => prop_assert!(target < floor && (range.smallest - floor).abs() < 1e-5),
            }
        }

        /// Where sizes come in steps, the largest that is not above the target is found, wherever it lies.
        #[test]
        fn of_steps_the_largest_below_the_target_is_taken(mut sizes in prop::collection::vec(0.0f64..1.0, 1..9), edges in prop::collection::vec(0.001f64..0.999, 8), target in 0.0f64..1.2) {
            sizes.sort_by(f64::total_cmp);
            let mut edges = edges[..sizes.len() - 1].to_vec();
            edges.sort_by(f64::total_cmp);
            prop_assume!(edges.windows(2).all(|pair| pair[1] - pair[0] > 1e-5));
            let bytes = |knob: f64| held(sizes[edges.iter().filter(|edge| **edge <= knob).count()]);
            let right = sizes.iter().map(|size| held(*size) as f64 / DENSE as f64).filter(|size| *size <= target);
            let right = right.fold(None, |most: Option<f64>, size| Some(most.map_or(size, |most| most.max(size))));
            let found = solve(&BytesCurve::new(KNOB, &|at| bytes(value(at))), target, DENSE);
            match (found, right) {
                (Err(_), None) => {}
                (Ok(Solved { at, saturated }), Some(right)) => {
                    let found = bytes(value(at)) as f64 / DENSE as f64;
                    let near = found <= target && found >= target - AIM - NEAR;
                    prop_assert!(found == right || near, "{} for {}", found, right);
                    prop_assert_eq!(saturated, found < target - WITHIN);
                }
                (found, right) => prop_assert!(false, "{:?} for {:?}", found, right),
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
        let curve = BytesCurve::new(KNOB, &|at| held(0.2 + 0.5 * value(at)));
        let error = solve(&curve, 0.199, DENSE).unwrap_err();
        assert_eq!(error.to_string(), "out of reach: 0.200 to 0.700");
        let all = solve(&curve, 0.9, DENSE).unwrap();
        assert_eq!((value(all.at), all.saturated), (1.0, true));
        let all = solve(&curve, 0.7, DENSE).unwrap();
        assert_eq!((value(all.at), all.saturated), (1.0, false));
        let least = solve(&curve, 0.2, DENSE).unwrap();
        assert_eq!((value(least.at), least.saturated), (0.0, false));
    }

    #[test]
    fn a_target_between_two_steps_takes_the_lower() {
        let bytes = |at: At| held(if value(at) < 0.5 { 0.1 } else { 0.5 });
        let found = solve(&BytesCurve::new(KNOB, &bytes), 0.25, DENSE).unwrap();
        assert!(value(found.at) < 0.5 && found.saturated);
    }
}
