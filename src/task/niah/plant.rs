//! Needles among the tokens of a haystack, each after a full stop.

use anyhow::Result;

use crate::dataset::haystack::Cut;
use crate::model::tokenizer::ModelTokenizer;

/// Full stops as tokens: `.` for the published haystack, and the stops of Chinese and Japanese, which may be several
/// tokens each.
pub(super) struct FullStops(Vec<Vec<u32>>);

impl FullStops {
    /// A `.` is one token at the start of a text and after a letter, which differ where texts begin with a space
    /// (Mistral's 842 and 28723; Llama 3 has 13 for both).
    ///
    /// # Errors
    /// If the tokenizer fails.
    pub(super) fn new(tokenizer: &ModelTokenizer) -> Result<Self> {
        let last = |tokens: Vec<u32>| tokens.last().copied().into_iter().collect();
        let mut stops: Vec<Vec<u32>> = vec![
            last(tokenizer.encode(".", false)?),
            last(tokenizer.encode_after("a", ".")?.0),
        ];
        for stop in ["。", "！", "？"] {
            let (tokens, _) = tokenizer.encode_after("字", stop)?;
            // A vocabulary without the mark has a token for whatever it does not know.
            if tokenizer.decode(&tokens, false)?.trim() == stop {
                stops.push(tokens);
            }
        }
        stops.retain(|stop| !stop.is_empty());
        Ok(Self(stops))
    }

    /// For each of `tokens`, whether a full stop ends with it.
    fn ends(&self, tokens: &[u32]) -> Vec<bool> {
        let at = |i: usize| self.0.iter().any(|stop| tokens[..=i].ends_with(stop));
        (0..tokens.len()).map(at).collect()
    }
}

/// `haystack` with the first of `needles` at `depth` percent and the others evenly from there to the end, each moved
/// back to just after a full stop, or to the start where there is none. At 100 % all are put at the end, as they come.
/// A haystack without any full stop is parted where its texts are.
pub(super) fn plant(
    haystack: Cut,
    needles: &[Vec<u32>],
    depth: f64,
    full_stops: &FullStops,
) -> Vec<u32> {
    let mut stops = stops(&haystack, full_stops);
    let mut planted = haystack.tokens;
    let step = (100.0 - depth) / needles.len() as f64;
    for (i, needle) in needles.iter().enumerate() {
        let at = if depth >= 100.0 {
            planted.len()
        } else {
            // Needles planted before count, as in the reference.
            place(&stops, depth + step * i as f64)
        };
        planted.splice(at..at, needle.iter().copied());
        stops.splice(at..at, full_stops.ends(needle));
    }
    planted
}

/// For each token of a haystack, whether a needle may follow it.
fn stops(haystack: &Cut, full_stops: &FullStops) -> Vec<bool> {
    let mut stops = full_stops.ends(&haystack.tokens);
    if !stops.contains(&true) {
        for end in &haystack.ends {
            stops[end - 1] = true;
        }
    }
    stops
}

/// Tokens before what is planted at `depth` percent among `stops`.
fn place(stops: &[bool], depth: f64) -> usize {
    let at = (stops.len() as f64 * (depth / 100.0)) as usize;
    let stop = stops[..at].iter().rposition(|stop| *stop);
    stop.map_or(0, |stop| stop + 1)
}

/// The first of `depths`, in percent, whose needle [`plant`] moves back by more than a tenth of the haystack, and the
/// percentage where it then stands.
pub(super) fn moved_far(
    haystack: &Cut,
    depths: &[f64],
    full_stops: &FullStops,
) -> Option<(f64, f64)> {
    let stops = stops(haystack, full_stops);
    let inner = depths.iter().filter(|depth| **depth < 100.0);
    let mut found = inner.map(|&depth| {
        let place = place(&stops, depth);
        (depth, 100.0 * place as f64 / stops.len().max(1) as f64)
    });
    found.find(|(depth, place)| depth - place > 10.0)
}

#[cfg(test)]
mod tests {
    use super::{Cut, FullStops, moved_far, plant};

    /// 0 is the full stop, and so are 5 and 6 together; 9 and 8 are needles.
    fn planted_in(tokens: &[u32], ends: &[usize], needles: &[&[u32]], depth: f64) -> Vec<u32> {
        let needles: Vec<Vec<u32>> = needles.iter().map(|needle| needle.to_vec()).collect();
        let haystack = Cut {
            tokens: tokens.to_vec(),
            ends: ends.to_vec(),
        };
        plant(
            haystack,
            &needles,
            depth,
            &FullStops(vec![vec![0], vec![5, 6]]),
        )
    }

    fn planted(needles: &[&[u32]], depth: f64) -> Vec<u32> {
        planted_in(&[1, 1, 0, 2, 2, 0, 3, 3, 0, 4], &[1, 7], needles, depth)
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

    #[test]
    fn a_full_stop_may_be_several_tokens_and_a_needle_may_end_with_one() {
        let tokens = [1, 5, 1, 5, 6, 2, 6, 2];
        assert_eq!(
            planted_in(&tokens, &[], &[&[9]], 99.0),
            [1, 5, 1, 5, 6, 9, 2, 6, 2]
        );
        assert_eq!(
            planted_in(&tokens, &[], &[&[9, 0], &[8]], 70.0),
            [1, 5, 1, 5, 6, 9, 0, 8, 2, 6, 2]
        );
    }

    #[test]
    fn a_needle_that_moves_far_is_told() {
        let full_stops = FullStops(vec![vec![0]]);
        let told = |tokens: &[u32], depths: &[f64]| {
            let (tokens, ends) = (tokens.to_vec(), vec![2, 10]);
            moved_far(&Cut { tokens, ends }, depths, &full_stops)
        };
        assert_eq!(
            told(&[1, 0, 1, 1, 1, 1, 1, 1, 1, 1], &[20.0, 25.0, 80.0, 90.0]),
            Some((80.0, 20.0))
        );
        assert_eq!(
            told(&[1, 0, 1, 1, 1, 0, 1, 0, 1, 0], &[20.0, 60.0, 90.0, 100.0]),
            None
        );
        assert_eq!(told(&[1; 10], &[50.0]), Some((50.0, 20.0)));
    }

    #[test]
    fn a_haystack_without_full_stops_is_parted_where_its_texts_are() {
        let tokens = [1, 1, 2, 2, 3, 3];
        assert_eq!(
            planted_in(&tokens, &[2, 4, 6], &[&[9]], 99.0),
            [1, 1, 2, 2, 9, 3, 3]
        );
        assert_eq!(
            planted_in(&tokens, &[], &[&[9]], 99.0),
            [9, 1, 1, 2, 2, 3, 3]
        );
    }
}
