//! The score that published needle heat maps show.

use std::collections::HashSet;

/// Share of the different words of `expected` that stand in `response`, in lower case and with their punctuation:
/// `day.` is not `day`. After KVCache-Factory's `visualize.py`. 0 where nothing is expected.
pub fn overlap(expected: &str, response: &str) -> f64 {
    let (expected, response) = (expected.to_lowercase(), response.to_lowercase());
    let expected: HashSet<&str> = expected.split_whitespace().collect();
    let response: HashSet<&str> = response.split_whitespace().collect();
    expected.intersection(&response).count() as f64 / expected.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::overlap;

    const EXPECTED: &str = "eat a sandwich and sit in Dolores Park on a sunny day.";

    #[test]
    fn counts_each_of_the_eleven_words_once() {
        assert_eq!(overlap(EXPECTED, EXPECTED), 1.0);
        assert_eq!(overlap(EXPECTED, "A a A sandwich"), 2.0 / 11.0);
        assert_eq!(overlap(EXPECTED, "DOLORES park,"), 1.0 / 11.0);
    }

    #[test]
    fn the_full_stop_belongs_to_its_word() {
        assert_eq!(overlap(EXPECTED, "a sunny day"), 2.0 / 11.0);
        assert_eq!(overlap(EXPECTED, "a sunny day."), 3.0 / 11.0);
    }

    #[test]
    fn nothing_expected_or_answered_is_worth_nothing() {
        assert_eq!(overlap(EXPECTED, ""), 0.0);
        assert_eq!(overlap("", "anything"), 0.0);
    }
}
