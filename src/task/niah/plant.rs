//! Needles among the tokens of a haystack, each after a full stop.

use anyhow::Result;

use crate::model::tokenizer::ModelTokenizer;

/// The tokens that are a full stop: at the start of a text and after a letter, which differ where texts begin with a
/// space (Mistral's 842 and 28723; Llama 3 has 13 for both).
pub fn full_stops(tokenizer: &ModelTokenizer) -> Result<Vec<u32>> {
    let first = tokenizer.encode(".", false)?;
    let (after, _) = tokenizer.encode_after("a", ".")?;
    Ok([first, after]
        .iter()
        .filter_map(|tokens| tokens.last().copied())
        .collect())
}

/// `haystack` with the first of `needles` at `depth` percent and the others evenly from there to the end, each moved
/// back to just after a full stop, or to the start where there is none. At 100 % all are put at the end, as they come.
pub fn plant(haystack: Vec<u32>, needles: &[Vec<u32>], depth: f64, full_stops: &[u32]) -> Vec<u32> {
    let mut planted = haystack;
    let step = (100.0 - depth) / needles.len() as f64;
    for (i, needle) in needles.iter().enumerate() {
        let at = if depth >= 100.0 {
            planted.len()
        } else {
            // Needles planted before count, as in the reference.
            let share = (depth + step * i as f64) / 100.0;
            let at = (planted.len() as f64 * share) as usize;
            let stop = planted[..at]
                .iter()
                .rposition(|token| full_stops.contains(token));
            stop.map_or(0, |stop| stop + 1)
        };
        planted.splice(at..at, needle.iter().copied());
    }
    planted
}

#[cfg(test)]
mod tests {
    use super::plant;

    /// 0 is the full stop, 9 and 8 are needles.
    fn planted(needles: &[&[u32]], depth: f64) -> Vec<u32> {
        let haystack = vec![1, 1, 0, 2, 2, 0, 3, 3, 0, 4];
        let needles: Vec<Vec<u32>> = needles.iter().map(|needle| needle.to_vec()).collect();
        plant(haystack, &needles, depth, &[0])
    }

    #[test]
    fn a_needle_moves_back_to_a_full_stop() {
        assert_eq!(planted(&[&[9]], 0.0), [9, 1, 1, 0, 2, 2, 0, 3, 3, 0, 4]);
        assert_eq!(planted(&[&[9]], 22.0), [9, 1, 1, 0, 2, 2, 0, 3, 3, 0, 4]);
        assert_eq!(planted(&[&[9]], 33.0), [1, 1, 0, 9, 2, 2, 0, 3, 3, 0, 4]);
        assert_eq!(planted(&[&[9]], 59.0), [1, 1, 0, 9, 2, 2, 0, 3, 3, 0, 4]);
        assert_eq!(planted(&[&[9]], 60.0), [1, 1, 0, 2, 2, 0, 9, 3, 3, 0, 4]);
    }

    #[test]
    fn at_the_end_it_stands_last_whatever_is_before_it() {
        assert_eq!(planted(&[&[9]], 100.0), [1, 1, 0, 2, 2, 0, 3, 3, 0, 4, 9]);
        assert_eq!(
            planted(&[&[9], &[8]], 100.0),
            [1, 1, 0, 2, 2, 0, 3, 3, 0, 4, 9, 8]
        );
    }

    #[test]
    fn several_are_spread_from_the_first_to_the_end() {
        // The second aims at 50 % of the eleven tokens there are by then.
        assert_eq!(
            planted(&[&[9], &[8]], 0.0),
            [9, 1, 1, 0, 8, 2, 2, 0, 3, 3, 0, 4]
        );
    }
}
