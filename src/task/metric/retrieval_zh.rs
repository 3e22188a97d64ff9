//! Whether the right paragraph is named, in Chinese.

use super::count::count;
use super::retrieval::number_after;

/// Share of the numbers in `prediction` that are that of `段落N` in `answer`. 0 where `answer` has no such, on which
/// the official code stops.
pub fn retrieval_zh(prediction: &str, answer: &str) -> f64 {
    paragraph_zh(answer).map_or(0.0, |number| count(prediction, number))
}

/// The number in `段落N`, the first if there are several.
pub fn paragraph_zh(answer: &str) -> Option<&str> {
    number_after("段落", answer)
}
