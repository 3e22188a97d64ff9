//! Parts of Python's `str` and `re` that the metrics rest on, where Rust's own differ.

use std::sync::LazyLock;

use regex::Regex;

/// Decimal digits of any script.
static NUMBER: LazyLock<Regex> = LazyLock::new(|| pattern(r"\d+"));
/// A run of `\w` as Python has it: letters and numbers, without combining marks.
static WORD: LazyLock<Regex> = LazyLock::new(|| pattern(r"[\p{L}\p{N}_]+"));

fn pattern(text: &'static str) -> Regex {
    Regex::new(text).expect("a pattern of this file")
}

/// `str.isspace` of one character: Unicode's white space and the four separators of ASCII.
pub(super) fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

/// `text.split()`.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_space).filter(|word| !word.is_empty())
}

/// `re.findall(r"\d+", text)`.
pub(super) fn numbers(text: &str) -> impl Iterator<Item = &str> {
    NUMBER.find_iter(text).map(|found| found.as_str())
}

/// `text` with each whole word that `replaced` names by a space, as `\b` finds words.
pub(super) fn without_words(text: &str, replaced: &[&str]) -> String {
    let kept = |found: &regex::Captures| match &found[0] {
        word if replaced.contains(&word) => " ".to_string(),
        word => word.to_string(),
    };
    WORD.replace_all(text, kept).into_owned()
}
