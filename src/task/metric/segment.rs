//! Chinese text to words, as `jieba` 0.42.1 cuts it (accurate mode, with its hidden Markov model).
//!
//! jieba-rs 0.11 has the same dictionary but for one word, and the same model. Left alone it differs in three ways,
//! which are put right here: it lacks `B超`; it joins what `.`, `_` and `-` connect (`GPT-4`, `1.2.3`), of which jieba
//! joins only a number's decimals; and it takes more ideographs for Chinese. `tests/library/metrics.rs` counts how
//! often.

use std::sync::LazyLock;

use jieba_rs::Jieba;
use regex::Regex;

static JIEBA: LazyLock<Jieba> = LazyLock::new(|| {
    let mut jieba = Jieba::new();
    jieba.add_word("B超", Some(3), Some("n"));
    jieba
});

/// What jieba keeps together of the characters that no word of its dictionary holds.
static RUN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[a-zA-Z0-9]+(?:\.[0-9]+)?%?").expect("a pattern of this file"));

/// The words of `text` in order; joined they are `text` again, so white space is among them.
pub fn segment(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (block, after) = rest.split_at(rest.find(|c| !is_cut(c)).unwrap_or(rest.len()));
        for token in JIEBA.cut(block, true) {
            push(token.word, &mut words);
        }
        // Each by itself, but for the two of a line end.
        let first = after.chars().next().map_or(0, char::len_utf8);
        let length = if after.starts_with("\r\n") { 2 } else { first };
        let (single, after) = after.split_at(length);
        words.extend(Some(single).filter(|single| !single.is_empty()));
        rest = after;
    }
    words
}

/// Whether jieba cuts runs of this character into words.
fn is_cut(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fd5}') || c.is_ascii_alphanumeric() || "+#&._%-".contains(c)
}

/// Adds a word of jieba-rs, or its parts where jieba would not have joined them.
fn push<'a>(word: &'a str, words: &mut Vec<&'a str>) {
    if !word.is_ascii() || !word.contains(['.', '_', '-']) {
        words.push(word);
        return;
    }
    let mut end = 0;
    for run in RUN.find_iter(word) {
        if run.start() > end {
            words.push(&word[end..run.start()]);
        }
        words.push(run.as_str());
        end = run.end();
    }
    if end < word.len() {
        words.push(&word[end..]);
    }
}
