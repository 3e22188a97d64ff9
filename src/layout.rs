//! Width of text for a terminal, and wrapping.

use std::io::stdout;

use terminal_size::{Width, terminal_size_of};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns to assume if the width is unknown, and the greatest width of prose.
pub(crate) const READABLE: usize = 100;
/// Least width that tables are laid out for, in columns.
const NARROWEST: usize = 80;

/// Columns of a line on standard output: `COLUMNS` if it is set to a number, else those of the terminal, else
/// [`READABLE`]; at least 80.
pub(crate) fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok();
    let columns = columns.and_then(|columns| columns.trim().parse().ok());
    let terminal = || Some(terminal_size_of(stdout())?.0).map(|Width(columns)| columns.into());
    columns
        .filter(|columns| *columns > 0)
        .or_else(terminal)
        .unwrap_or(READABLE)
        .max(NARROWEST)
}

/// A number with the noun `one` in its singular or plural: `1 cell`, `2 cells`.
pub(crate) fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

/// Breaks `text` after `separator` into lines of at most `width` columns. Breaks within a part only if the part alone
/// is wider. Drops spaces at a break. Returns at least one line.
pub(crate) fn wrap(text: &str, separator: char, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut filled = 0;
    for part in text.split_inclusive(separator) {
        if filled > 0 && filled + part.trim_end().width() > width {
            lines.push(String::new());
            filled = 0;
        }
        let part = if filled == 0 { part.trim_start() } else { part };
        for c in part.chars() {
            let columns = c.width().unwrap_or(0);
            if filled > 0 && filled + columns > width && c != ' ' {
                lines.push(String::new());
                filled = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
            filled += columns;
        }
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_string())
        .collect()
}

/// Splits the columns of a table, `widths` wide with `gap` between them, into groups to be printed one below the other.
/// Each group has as many columns as fit into `width` beside something `beside` wide, and at least one.
pub(crate) fn groups(widths: &[usize], gap: usize, beside: usize, width: usize) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut filled = width;
    for (column, columns) in widths.iter().enumerate() {
        let needed = gap + columns;
        match groups.last_mut() {
            Some(group) if filled + needed <= width => group.push(column),
            _ => {
                groups.push(vec![column]);
                filled = beside;
            }
        }
        filled += needed;
    }
    groups
}

/// Wraps `text` into lines of at most `width` columns, each with a line end. Indents the first line by `indents[0]`
/// columns and the others by `indents[1]`.
pub(crate) fn paragraph(text: &str, separator: char, indents: [usize; 2], width: usize) -> String {
    let text = text.trim_start();
    let [first, others] = indents;
    let lines = wrap(text, separator, width.saturating_sub(first));
    let mut out = format!("{:first$}{}\n", "", lines[0]);
    let rest = text[lines[0].len()..].trim_start();
    if !rest.is_empty() {
        for line in wrap(rest, separator, width.saturating_sub(others)) {
            out += &format!("{:others$}{line}\n", "");
        }
    }
    out
}

/// Sets `text` beside `head`, in lines of at most `width` columns, each with a line end. The text starts at column
/// `indent`, below `head` if that is wider.
pub(crate) fn beside(head: &str, text: &str, indent: usize, width: usize) -> String {
    let mut out = String::new();
    let mut head = head.to_owned();
    if head.width() >= indent {
        out = format!("{}\n", head.trim_end());
        head.clear();
    }
    for line in wrap(text, ' ', width.saturating_sub(indent)) {
        let gap = indent - head.width();
        out += format!("{head}{:gap$}{line}", "").trim_end();
        out.push('\n');
        head.clear();
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    use super::{beside, groups, paragraph, wrap};

    #[test]
    fn wrapping_breaks_after_the_separator_and_loses_nothing() {
        assert_eq!(wrap("a=1;bb=2;c=3", ';', 9), ["a=1;bb=2;", "c=3"]);
        assert_eq!(wrap("abcdefgh", ';', 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("one, two, three", ',', 10), ["one, two,", "three"]);
        assert_eq!(wrap("渡船离开", ' ', 5), ["渡船", "离开"]);
        assert_eq!(wrap("", ';', 3), [""]);
    }

    #[test]
    fn what_follows_the_first_line_is_indented() {
        assert_eq!(
            paragraph("one two three four", ' ', [1, 2], 8),
            " one two\n  three\n  four\n"
        );
        assert_eq!(paragraph("one", ' ', [0, 2], 8), "one\n");
        assert_eq!(
            beside("key", "a long text", 5, 10),
            "key  a\n     long\n     text\n"
        );
        assert_eq!(beside("longer", "text", 5, 10), "longer\n     text\n");
        assert_eq!(beside("key", "", 5, 10), "key\n");
    }

    #[test]
    fn columns_stand_in_as_few_groups_as_fit() {
        assert_eq!(groups(&[3, 4, 5], 2, 10, 31), [[0, 1, 2]]);
        assert_eq!(groups(&[3, 4, 5], 2, 10, 27), [vec![0, 1], vec![2]]);
        assert_eq!(groups(&[30, 4, 30], 2, 10, 20), [[0], [1], [2]]);
        assert!(groups(&[], 2, 10, 20).is_empty());
    }

    proptest! {
        #[test]
        fn no_line_is_wider_and_no_letter_is_lost(text in r"[a-z渡; ]{0,60}", width in 8..30usize) {
            let letters = |text: &str| text.replace([' ', '\n'], "");
            for out in [
                wrap(&text, ';', width).join("\n"),
                paragraph(&text, ' ', [1, 2], width),
                beside("", &text, 4, width),
            ] {
                prop_assert!(out.lines().all(|line| line.width() <= width), "{}", out);
                prop_assert_eq!(letters(&out), letters(&text));
            }
        }
    }
}
