//! Whether the right number is given.

use super::python::numbers;

/// Share of the numbers in `prediction` that are `answer`, digit for digit. 0 where there is none.
pub fn count(prediction: &str, answer: &str) -> f64 {
    let (mut right, mut all) = (0, 0);
    for number in numbers(prediction) {
        all += 1;
        right += usize::from(number == answer);
    }
    right as f64 / all.max(1) as f64
}
