//! ROUGE-L, for summaries: the F measure of the PyPI package `rouge` 1.0.1, not Google's `rouge_score`.

use std::collections::HashSet;

use super::Rules;
use super::python::words;

/// How deep the package's recursive back-trace can be called before Python 3.11 gives up, from where LongBench's
/// `eval.py` calls it. Its 3.10 and older allow one less.
const DEPTH: usize = 991;

/// ROUGE-L F of `prediction`. Sentences are what stands between full stops, words what stands between white space, and
/// both are compared as they are; how often a word occurs does not count: the numerator is the number of different
/// words on the longest common subsequence of any pair of sentences.
///
/// The package finds a subsequence by recursion, and LongBench takes the error that Python raises on a pair of very
/// long sentences for a score of 0; [`Rules::Fixed`] does not.
pub fn rouge(prediction: &str, answer: &str, rules: Rules) -> f64 {
    rouge_called_from(0, prediction, answer, rules)
}

/// With `frames` more of Python's between `eval.py` and the package.
pub(super) fn rouge_called_from(
    frames: usize,
    prediction: &str,
    answer: &str,
    rules: Rules,
) -> f64 {
    let limit = match rules {
        Rules::Official => DEPTH - frames,
        Rules::Fixed => usize::MAX,
    };
    let (prediction, answer) = (sentences(prediction), sentences(answer));
    if prediction.is_empty() || answer.is_empty() {
        return 0.0;
    }
    let mut common = HashSet::new();
    for reference in &answer {
        for written in &prediction {
            let Some(shared) = longest_common(reference, written, limit) else {
                return 0.0;
            };
            common.extend(shared);
        }
    }
    let different = |sentences: &[Vec<&str>]| {
        let words: HashSet<&str> = sentences.iter().flatten().copied().collect();
        words.len() as f64
    };
    let recall = common.len() as f64 / different(&answer);
    let precision = common.len() as f64 / different(&prediction);
    2.0 * (precision * recall / (precision + recall + 1e-8))
}

/// The words of each sentence. One of white space alone holds an empty word.
fn sentences(text: &str) -> Vec<Vec<&str>> {
    let pieces = text.split('.').filter(|piece| !piece.is_empty());
    let words = pieces.map(|piece| match words(piece).collect::<Vec<_>>() {
        none if none.is_empty() => vec![""],
        words => words,
    });
    words.collect()
}

/// The words of the longest common subsequence that the package's back-trace meets: from the ends, and back along `y`
/// where either way is as long. None where that takes more than `limit` calls of it.
fn longest_common<'a>(x: &[&'a str], y: &[&'a str], limit: usize) -> Option<Vec<&'a str>> {
    let width = y.len() + 1;
    let mut lengths = vec![0_u32; (x.len() + 1) * width];
    for (i, a) in x.iter().enumerate() {
        for (j, b) in y.iter().enumerate() {
            let (above, here) = (i * width + j, (i + 1) * width + j + 1);
            lengths[here] = match a == b {
                true => lengths[above] + 1,
                false => lengths[above + 1].max(lengths[here - 1]),
            };
        }
    }
    let (mut i, mut j) = (x.len(), y.len());
    let mut calls = 1;
    let mut shared = Vec::new();
    while i > 0 && j > 0 {
        if x[i - 1] == y[j - 1] {
            shared.push(x[i - 1]);
            (i, j) = (i - 1, j - 1);
        } else if lengths[(i - 1) * width + j] > lengths[i * width + j - 1] {
            i -= 1;
        } else {
            j -= 1;
        }
        calls += 1;
    }
    (calls <= limit).then_some(shared)
}
