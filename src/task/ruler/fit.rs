//! As much haystack as a length has room for.

use std::ops::RangeInclusive;

use anyhow::Result;

/// What `attempt` makes of the largest number of `units` for which it makes something: by doubling steps, then by
/// halving. `None` if there is nothing even for the fewest.
///
/// # Errors
/// The first error of an attempt.
pub(super) fn most<T>(
    units: RangeInclusive<usize>,
    attempt: impl Fn(usize) -> Result<Option<T>>,
) -> Result<Option<T>> {
    let (mut low, last) = units.into_inner();
    let Some(mut best) = attempt(low)? else {
        return Ok(None);
    };
    let mut step = 1;
    let mut high = last.saturating_add(1);
    while low < last {
        let next = low.saturating_add(step).min(last);
        match attempt(next)? {
            Some(made) => (low, best) = (next, made),
            None => {
                high = next;
                break;
            }
        }
        step *= 2;
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match attempt(middle)? {
            Some(made) => (low, best) = (middle, made),
            None => high = middle,
        }
    }
    Ok(Some(best))
}

#[cfg(test)]
mod tests {
    use super::most;

    #[test]
    fn finds_the_largest_that_fits() {
        for room in 3..200 {
            let fits = |units: usize| Ok((units <= room).then_some(units));
            assert_eq!(most(3..=usize::MAX, fits).unwrap(), Some(room));
            assert_eq!(most(3..=50, fits).unwrap(), Some(room.min(50)));
        }
    }

    #[test]
    fn nothing_fits_where_the_fewest_do_not() {
        let fits = |units: usize| Ok((units < 3).then_some(units));
        assert_eq!(most(3..=50, fits).unwrap(), None);
    }

    #[test]
    fn an_error_ends_the_search() {
        let fails = |units: usize| match units {
            0..5 => Ok(Some(units)),
            _ => anyhow::bail!("at {units}"),
        };
        assert!(most(0..=50, fails).is_err());
    }
}
