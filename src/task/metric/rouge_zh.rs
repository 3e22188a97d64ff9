//! ROUGE-L for Chinese.

use super::Rules;
use super::rouge::rouge_called_from;
use super::segment::segment;

/// [`rouge`](super::rouge::rouge) over the words that both texts are cut into. Only the full stop of ASCII ends a
/// sentence, so that a Chinese text is one, and long ones reach the depth at which the official score is 0.
pub fn rouge_zh(prediction: &str, answer: &str, rules: Rules) -> f64 {
    let spaced = |text| segment(text).join(" ");
    rouge_called_from(1, &spaced(prediction), &spaced(answer), rules)
}
