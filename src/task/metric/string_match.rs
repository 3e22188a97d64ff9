//! RULER's metrics: whether the references stand in a response, whatever the case and whatever is around them.

/// `string_match_all`: share of `references` that stand in `response`. 0 without any.
pub fn all(references: &[String], response: &str) -> f64 {
    let response = response.to_lowercase();
    let found = references
        .iter()
        .filter(|reference| response.contains(&reference.to_lowercase()));
    found.count() as f64 / references.len().max(1) as f64
}

/// `string_match_part`: 1 if one of `references` stands in `response`, else 0.
pub fn part(references: &[String], response: &str) -> f64 {
    if all(references, response) > 0.0 {
        1.0
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::{all, part};

    #[test]
    fn all_is_the_share_found_and_part_any() {
        let references = ["Figs".to_string(), "1234567".into(), "two words".into()];
        for (response, found) in [
            ("figs, 1234567 and TWO words", 3.0),
            ("a fig and 91234567890", 1.0),
            ("two  words", 0.0),
            ("", 0.0),
        ] {
            assert_eq!(all(&references, response), found / 3.0, "{response}");
            assert_eq!(
                part(&references, response),
                f64::from(u8::from(found > 0.0))
            );
        }
        assert_eq!(all(&[], "anything"), 0.0);
        assert_eq!(part(&[], "anything"), 0.0);
    }
}
