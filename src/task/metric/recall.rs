//! Recall of the expected words.

/// Share of the words of `expected` that stand in `response` as whole words, whatever their case and
/// the punctuation around them. 0 where nothing is expected.
pub fn recall(expected: &str, response: &str) -> f64 {
    let expected = words(expected);
    if expected.is_empty() {
        return 0.0;
    }
    let response = words(response);
    let found = expected.iter().filter(|word| response.contains(word));
    found.count() as f64 / expected.len() as f64
}

/// Words of `text` in lower case, without the punctuation around them.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::recall;

    #[test]
    fn finds_whole_words_whatever_surrounds_them() {
        assert_eq!(recall("48213", "The number is **48213**."), 1.0);
        assert_eq!(recall("48213", "48213"), 1.0);
        assert_eq!(recall("New York", "It was \"new\", then YORK!"), 1.0);
    }

    #[test]
    fn a_part_of_a_word_is_not_found() {
        assert_eq!(recall("48213", "It is 482134."), 0.0);
        assert_eq!(recall("48213", "It is 48,213."), 0.0);
        assert_eq!(recall("48213", "4821 3"), 0.0);
    }

    #[test]
    fn counts_the_share_found() {
        assert_eq!(recall("one two three four", "Two, and four"), 0.5);
    }

    #[test]
    fn nothing_expected_or_answered_is_worth_nothing() {
        assert_eq!(recall("48213", ""), 0.0);
        assert_eq!(recall("...", "anything"), 0.0);
    }
}
