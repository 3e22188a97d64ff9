//! Whether the right class is named.

use super::Rules;

/// 1 over the number of `classes` that `prediction` names, if `answer` is among them; a class whose name is a part of
/// the right one's does not count.
///
/// The official code removes such parts from the list that it is walking over, which makes it miss the one after each;
/// [`Rules::Fixed`] removes them all.
pub fn classification(prediction: &str, answer: &str, classes: &[String], rules: Rules) -> f64 {
    let part = |name: &str| answer.contains(name) && name != answer;
    let mut named: Vec<&str> = classes.iter().map(String::as_str).collect();
    named.retain(|name| prediction.contains(name));
    match rules {
        Rules::Fixed => named.retain(|name| !part(name)),
        Rules::Official => {
            let mut at = 0;
            while let Some(&name) = named.get(at) {
                if part(name)
                    && let Some(first) = named.iter().position(|other| *other == name)
                {
                    named.remove(first);
                }
                at += 1;
            }
        }
    }
    match named.contains(&answer) {
        true => 1.0 / named.len() as f64,
        false => 0.0,
    }
}
