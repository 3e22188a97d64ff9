//! F1 over words, for answers to questions.

use std::collections::HashMap;

use super::python::{without_words, words};

/// F1 of the bags of words that are left of both texts in lower case without ASCII punctuation and articles. 0 where
/// they share none, so also where both are empty.
pub fn qa_f1(prediction: &str, answer: &str) -> f64 {
    let (prediction, answer) = (normalised(prediction), normalised(answer));
    let bag = |text| words(text).collect::<Vec<&str>>();
    token_f1(&bag(&prediction), &bag(&answer))
}

fn normalised(text: &str) -> String {
    let mut text = text.to_lowercase();
    text.retain(|c| !c.is_ascii_punctuation());
    without_words(&text, &["a", "an", "the"])
}

/// F1 of two bags of tokens.
pub(super) fn token_f1<T: AsRef<str>>(prediction: &[T], answer: &[T]) -> f64 {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for token in answer {
        *left.entry(token.as_ref()).or_default() += 1;
    }
    let mut shared = 0;
    for token in prediction {
        if let Some(count) = left.get_mut(token.as_ref()).filter(|count| **count > 0) {
            *count -= 1;
            shared += 1;
        }
    }
    if shared == 0 {
        return 0.0;
    }
    let precision = f64::from(shared) / prediction.len() as f64;
    let recall = f64::from(shared) / answer.len() as f64;
    2.0 * precision * recall / (precision + recall)
}
