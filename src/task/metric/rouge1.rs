//! ROUGE-1 as Google's `rouge_score` 0.1.2 has it. LongBench's ROUGE is another program's and differs.

use std::collections::HashMap;

use nltk_porter::{Mode, PorterStemmer};

/// F-measure of the words that `expected` and `response` share, each as often as in the one that has it less often;
/// words are runs of ASCII letters and digits in lower case, stemmed where they have more than three.
pub fn rouge1(expected: &str, response: &str) -> f64 {
    let stemmer = PorterStemmer::new(Mode::Nltk);
    let (expected, response) = (counts(expected, &stemmer), counts(response, &stemmer));
    let total = |counts: &HashMap<String, usize>| counts.values().sum::<usize>() as f64;
    let shared = expected
        .iter()
        .map(|(word, &count)| count.min(*response.get(word).unwrap_or(&0)));
    let shared = shared.sum::<usize>() as f64;
    if shared == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (shared / total(&response), shared / total(&expected));
    2.0 * precision * recall / (precision + recall)
}

fn counts(text: &str, stemmer: &PorterStemmer) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    let text = text.to_lowercase();
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    for word in words.filter(|word| !word.is_empty()) {
        let word = match word.len() > 3 {
            true => stemmer.stem(word),
            false => word.to_string(),
        };
        *counts.entry(word).or_insert(0) += 1;
    }
    counts
}
