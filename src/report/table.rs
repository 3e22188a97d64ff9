//! A table as text, before it is laid out.

use super::row::Difference;

/// Headers and rows of one width; method and settings are the first two columns.
pub(super) struct Table {
    pub headers: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Columns that are empty in every row are left out, but for the first two.
    pub fn new(headers: &[&'static str], rows: Vec<Vec<String>>) -> Self {
        let kept = |i: &usize| *i < 2 || rows.iter().any(|row| !row[*i].is_empty());
        let columns: Vec<usize> = (0..headers.len()).filter(kept).collect();
        let row = |row: &Vec<String>| columns.iter().map(|&i| row[i].clone()).collect();
        Self {
            headers: columns.iter().map(|&i| headers[i]).collect(),
            rows: rows.iter().map(row).collect(),
        }
    }
}

pub(super) fn or_empty(value: Option<String>) -> String {
    value.unwrap_or_default()
}

/// `n`: how many pairs there would be if none were missing.
pub(super) fn difference(difference: &Difference, n: usize, decimals: usize) -> String {
    let signed = |value| signed(value, decimals);
    let mut text = signed(difference.mean);
    if let Some(interval) = difference.interval {
        text.push_str(&format!(
            " [{}, {}]",
            signed(interval.low),
            signed(interval.high)
        ));
    }
    if difference.pairs != n {
        text.push_str(&format!(" of {}", difference.pairs));
    }
    text
}

/// With its sign; a value that rounds to zero has none. NaN and infinity are written whole.
fn signed(value: f64, decimals: usize) -> String {
    let text = format!("{value:+.decimals$}");
    if !value.is_finite() || text.contains(|c| ('1'..='9').contains(&c)) {
        text
    } else {
        text[1..].to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_whole_with_their_sign_and_zero_without() {
        for (value, text) in [
            (1.26, "+1.3"),
            (-1.26, "-1.3"),
            (0.04, "0.0"),
            (-0.04, "0.0"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(signed(value, 1), text);
        }
    }
}
