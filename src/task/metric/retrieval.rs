//! Whether the right paragraph is named.

use super::count::count;
use super::python::numbers;

/// Share of the numbers in `prediction` that are that of `Paragraph N` in `answer`. 0 where `answer` has no such, on
/// which the official code stops.
pub fn retrieval(prediction: &str, answer: &str) -> f64 {
    paragraph(answer).map_or(0.0, |number| count(prediction, number))
}

/// The number in `Paragraph N`, the first if there are several.
pub fn paragraph(answer: &str) -> Option<&str> {
    number_after("Paragraph ", answer)
}

/// The digits right after the first `mark` that has any.
pub(super) fn number_after<'a>(mark: &str, text: &'a str) -> Option<&'a str> {
    text.match_indices(mark).find_map(|(at, _)| {
        let rest = &text[at + mark.len()..];
        numbers(rest)
            .next()
            .filter(|number| rest.starts_with(number))
    })
}
