//! Where needles go in a haystack, and how they are put there.

use anyhow::Result;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::fact::Fact;
use crate::dataset::haystack::Slice;
use crate::model::tokenizer::ModelTokenizer;

/// Boundaries of `slice` for the needle, first, and for `distractors`: the needle's is the last at or
/// before `depth` percent of the tokens, the others are drawn from equal parts of the text. `None` if
/// there are too few boundaries, or no text.
pub(super) fn places(
    slice: &Slice,
    depth: u32,
    distractors: usize,
    rng: &mut ChaCha8Rng,
) -> Option<Vec<usize>> {
    let boundaries = &slice.boundaries;
    let tokens = slice.tokens.len();
    if tokens == 0 || boundaries.len() <= distractors {
        return None;
    }
    let before = boundaries.partition_point(|b| b.at * 100 <= depth as usize * tokens);
    let mut places = vec![before.checked_sub(1)?];
    for part in 0..distractors {
        let share = (part as f64 + rng.random::<f64>()) / distractors as f64;
        let target = (share * tokens as f64) as usize;
        let free = (0..boundaries.len()).filter(|place| !places.contains(place));
        places.push(free.min_by_key(|&place| boundaries[place].at.abs_diff(target))?);
    }
    Some(places)
}

/// Tokens of `sentence` after a boundary whose white space `gap` is before it: with the same white
/// space after it, or a space in front where there is none yet.
pub(super) fn insertion(tokenizer: &ModelTokenizer, sentence: &str, gap: &str) -> Result<Vec<u32>> {
    let (tokens, _) = if gap.is_empty() {
        tokenizer.encode_after(".", &format!(" {sentence}"))?
    } else {
        tokenizer.encode_after("\n", &format!("{sentence}{gap}"))?
    };
    Ok(tokens)
}

/// The tokens of `slice` with each of `facts` at the boundary in the same place of `places`.
pub(super) fn plant(
    slice: &Slice,
    places: &[usize],
    facts: &[Fact],
    tokenizer: &ModelTokenizer,
) -> Result<Vec<u32>> {
    let mut needles: Vec<_> = places.iter().zip(facts).collect();
    needles.sort_by_key(|(place, _)| **place);
    let mut planted = Vec::with_capacity(slice.tokens.len());
    let mut copied = 0;
    for (&place, fact) in needles {
        let boundary = &slice.boundaries[place];
        planted.extend_from_slice(&slice.tokens[copied..boundary.at]);
        planted.extend(insertion(tokenizer, &fact.sentence(), &boundary.gap)?);
        copied = boundary.at;
    }
    planted.extend_from_slice(&slice.tokens[copied..]);
    Ok(planted)
}
