//! How much a line of code is like the right one.

use super::Rules;
use super::sequence_matcher::ratio;

/// Likeness of the first line of code in `prediction` to `answer`, in whole percent as `fuzzywuzzy.fuzz.ratio` rounds
/// it. A line with a backtick, `#` or `//` is no code; a blank one is to the official code, after the first that is
/// not, and to [`Rules::Fixed`] never.
pub fn code_sim(prediction: &str, answer: &str, rules: Rules) -> f64 {
    let code = |line: &&str| {
        let blank = rules == Rules::Fixed && line.trim().is_empty();
        !blank && !["`", "#", "//"].iter().any(|mark| line.contains(mark))
    };
    let mut lines = prediction.trim_start_matches('\n').split('\n');
    percent(lines.find(code).unwrap_or_default(), answer) / 100.0
}

fn percent(line: &str, answer: &str) -> f64 {
    if line == answer {
        100.0
    } else if line.is_empty() || answer.is_empty() {
        0.0
    } else {
        (100.0 * ratio(line, answer)).round_ties_even()
    }
}
