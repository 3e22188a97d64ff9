//! Budgets: how many entries each layer keeps per head. The same in all layers, or more in shallow and fewer in deep
//! ones.
//!
//! Budgets count entries *including* the observation window: one per layer, shallow first, at most `len`.

/// The same budget, `capacity`, in each layer.
pub fn uniform(capacity: usize, len: usize, layers: usize) -> Vec<usize> {
    vec![capacity.min(len); layers]
}

/// PyramidKV as its paper states it: `k(layers - 1) = base / beta`, `k(0) = 2 base - k(layers - 1)`, linear in between,
/// plus the window, where `base = capacity - window` (the paper's `k_total / m`) and `beta` is 20.
///
/// The paper leaves two things open. If the shallow end asks for more than `len`, it is cut to `len` and the deep end
/// raised so that the mean stays, as in KVCache-Factory. Each layer is rounded down, so the mean is at most one entry
/// short. A capacity of `len` or more keeps all; a capacity within the window keeps just that many.
pub fn pyramid_paper(
    capacity: usize,
    len: usize,
    window: usize,
    layers: usize,
    beta: f64,
) -> Vec<usize> {
    if capacity >= len || capacity <= window {
        return uniform(capacity, len, layers);
    }
    let (base, before) = ((capacity - window) as f64, (len - window) as f64);
    let mut deep = base / beta;
    let mut shallow = 2.0 * base - deep;
    if shallow > before {
        (shallow, deep) = (before, 2.0 * base - before);
    }
    linear(shallow, deep, layers)
        .map(|k| window + floor(k))
        .collect()
}

/// PyramidKV as KVCache-Factory computes it (`PyramidKVCluster`), integer division and all; `beta` is 20.
///
/// `len < capacity`: no compression. `len < 2 (capacity - window)`: flat. Else from `max = 2 base - base / beta` (cut
/// to what there is) down by a whole number of entries per layer. The whole step makes the mean exceed `capacity` (64
/// gives 71.5 in 32 layers): report the mean, not the capacity. A single layer, for which the reference divides by
/// zero, is flat; so is a capacity within the window, which it refuses.
pub fn pyramid_kvcf(
    capacity: usize,
    len: usize,
    window: usize,
    layers: usize,
    beta: usize,
) -> Vec<usize> {
    let base = capacity.saturating_sub(window);
    if len < capacity || len < 2 * base || base == 0 || layers < 2 {
        return uniform(capacity, len, layers);
    }
    let mut min = base / beta;
    let mut max = 2 * base - min;
    if max >= len - window {
        max = len - window;
        min = 2 * base - max;
    }
    let step = (max - min) / (layers - 1);
    (0..layers)
        .map(|layer| max - layer * step + window)
        .collect()
}

/// SpindleKV section 3.3 (eq. 4-6): the share of entries before the window falls linearly over the layers,
/// for a mean share of all `len` entries of `retention`; `beta`, the least share at the deep end, is 0.05.
///
/// With `r_c = (retention len - window) / (len - window)` and `alpha = (1 + beta) / 2`, the ends are `2 r_c - beta` and
/// `beta` up to `alpha`, and `1` and `2 r_c - 1` above it. The paper prints `1 - 2 r_c`, which is negative and misses
/// the mean; see docs/PAPER.md 1.4. It does not say what to do for `r_c <= beta`: here every layer keeps `r_c`, because
/// flat is the one shape that neither goes under zero at an end nor gives deep layers more than shallow ones, and still
/// has mean `r_c`. Each layer is rounded down. A retention that leaves less than the window keeps the window.
pub fn spindle_linear(
    retention: f64,
    len: usize,
    window: usize,
    layers: usize,
    beta: f64,
) -> Vec<usize> {
    if len <= window {
        return vec![len; layers];
    }
    let before = (len - window) as f64;
    let share = ((retention * len as f64 - window as f64) / before).clamp(0.0, 1.0);
    let (shallow, deep) = if share <= beta {
        (share, share)
    } else if share <= (1.0 + beta) / 2.0 {
        (2.0 * share - beta, beta)
    } else {
        (1.0, 2.0 * share - 1.0)
    };
    linear(shallow, deep, layers)
        .map(|share| window + floor(share * before))
        .collect()
}

/// `layers` values from `shallow` to `deep` in equal steps; for a single layer their mean.
fn linear(shallow: f64, deep: f64, layers: usize) -> impl Iterator<Item = f64> {
    (0..layers).map(move |layer| {
        if layers == 1 {
            return (shallow + deep) / 2.0;
        }
        shallow + (deep - shallow) * (layer as f64 / (layers - 1) as f64)
    })
}

/// Rounds down, after adding a tolerance for a value that rounding left just below a whole number.
fn floor(value: f64) -> usize {
    (value + 1e-6).floor() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mean(budgets: &[usize]) -> f64 {
        budgets.iter().sum::<usize>() as f64 / budgets.len() as f64
    }

    #[test]
    fn kvcf_exceeds_its_capacity_as_computed_from_the_reference() {
        for (capacity, want) in [
            (64, 71.5),
            (96, 102.5),
            (128, 133.5),
            (512, 526.0),
            (2048, 2048.5),
        ] {
            assert_eq!(mean(&pyramid_kvcf(capacity, 32_000, 8, 32, 20)), want);
        }
    }

    #[test]
    fn kvcf_is_flat_or_idle_on_short_prompts() {
        assert_eq!(pyramid_kvcf(128, 100, 8, 4, 20), [100; 4]);
        assert_eq!(pyramid_kvcf(128, 200, 8, 4, 20), [128; 4]);
        assert_eq!(pyramid_kvcf(128, 242, 8, 4, 20), [242, 166, 90, 14]);
    }

    #[test]
    fn spindle_has_the_ends_worked_out_from_the_paper() {
        // r_c -> shares of the ends, PAPER 1.4, for 1,000 entries before the window.
        for (share, shallow, deep) in [
            (0.1, 150, 50),
            (0.2, 350, 50),
            (0.4, 750, 50),
            (0.525, 1000, 50),
            (0.6, 1000, 200),
            (0.03, 30, 30),
            (1.0, 1000, 1000),
        ] {
            let budgets = spindle_linear((share * 1000.0 + 8.0) / 1008.0, 1008, 8, 32, 0.05);
            assert_eq!(
                (budgets[0], budgets[31]),
                (shallow + 8, deep + 8),
                "r_c {share}"
            );
        }
    }

    #[test]
    fn degenerate_shapes_keep_what_they_can() {
        assert_eq!(spindle_linear(0.001, 1000, 8, 2, 0.05), [8, 8]);
        assert_eq!(spindle_linear(0.5, 6, 8, 2, 0.05), [6, 6]);
        assert_eq!(pyramid_paper(6, 1000, 8, 2, 20.0), [6, 6]);
        assert_eq!(pyramid_kvcf(6, 1000, 8, 2, 20), [6, 6]);
        assert_eq!(pyramid_paper(100, 1000, 8, 1, 20.0), [100]);
        assert_eq!(pyramid_kvcf(100, 1000, 8, 1, 20), [100]);
    }

    proptest! {
        #[test]
        fn means_hit_their_target(len in 64usize..5000, window in 1usize..33, layers in 1usize..64, part in 0.0f64..1.0) {
            let capacity = window + 1 + ((len - window - 1) as f64 * part) as usize;
            let paper = pyramid_paper(capacity, len, window, layers, 20.0);
            let spindle = spindle_linear(capacity as f64 / len as f64, len, window, layers, 0.05);
            for budgets in [&paper, &spindle] {
                let short = capacity as f64 - mean(budgets);
                prop_assert!((-1e-6..1.0).contains(&short), "{short} entries short of {capacity}");
            }
            let kvcf = pyramid_kvcf(capacity, len, window, layers, 20);
            let over = mean(&kvcf) - capacity as f64;
            prop_assert!(over >= -0.5 - 1e-9 && over <= layers as f64 / 2.0, "{over} over {capacity}");
            for budgets in [&paper, &spindle, &kvcf] {
                prop_assert_eq!(budgets.len(), layers);
                prop_assert!(budgets.is_sorted_by(|a, b| a >= b));
                prop_assert!(budgets.iter().all(|&k| k >= window && k <= len));
            }
        }
    }
}
