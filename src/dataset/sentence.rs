//! Where the sentences of a plain text end, and where a text that has none is parted instead.

use std::ops::Range;

/// Words whose full stop ends no sentence.
const ABBREVIATIONS: [&str; 10] = [
    "Mr", "Mrs", "Ms", "Dr", "St", "Prof", "Capt", "Rev", "No", "vs",
];

/// Marks that end a sentence where white space follows: those of Latin, Arabic, Indic, Burmese, Ethiopic and Armenian
/// scripts.
const STOPS: [char; 11] = ['.', '!', '?', '…', '؟', '۔', '।', '॥', '။', '።', '։'];

/// Marks that end a sentence whatever follows: those of Chinese and Japanese, which write no spaces.
const WIDE_STOPS: [char; 4] = ['。', '！', '？', '｡'];

/// What may stand between the end of a sentence and the white space after it.
const CLOSING: [char; 18] = [
    '"', '\'', '”', '’', ')', ']', '*', '_', '」', '』', '）', '】', '》', '〉', '］', '｝', '〕',
    '»',
];

/// Characters above which a stretch without an end of sentence is parted.
const LONGEST: usize = 1000;

/// Characters of a part, where lines do not end before.
const PART: usize = 40;

/// Where `text` may be cut, in bytes: each gap starts where a sentence ends, and ends where the next begins, after the
/// white space between them. Headings and other lines without a full stop end no sentence.
///
/// A text without any end of sentence is parted at its line ends, and so is a stretch of more than 1,000 characters
/// without one. A line of more than 40 characters is parted at the last white space before, and after the fortieth
/// character where it has no white space.
pub(super) fn gaps(text: &str) -> Vec<Range<usize>> {
    let ends = sentence_ends(text);
    let none = ends.is_empty();
    let mut gaps = Vec::with_capacity(ends.len());
    let mut start = 0;
    for end in &ends {
        if is_long(&text[start..end.start]) {
            gaps.extend(part(text, start..end.start));
        }
        gaps.push(end.clone());
        start = end.end;
    }
    let rest = text[start..].trim();
    if is_long(rest) || none && !rest.is_empty() {
        gaps.extend(part(text, start..text.len()));
        if gaps.last().is_none_or(|gap| gap.end < text.len()) {
            gaps.push(text.len()..text.len());
        }
    }
    gaps
}

fn is_long(stretch: &str) -> bool {
    stretch.chars().nth(LONGEST).is_some()
}

fn sentence_ends(text: &str) -> Vec<Range<usize>> {
    let mut gaps = Vec::new();
    let mut at = 0;
    while let Some(start) = candidate(text, at) {
        let rest = text[start..].trim_start();
        let gap = start..text.len() - rest.len();
        at = gap.end;
        if ends_sentence(&text[..start], &text[gap.clone()], rest) {
            gaps.push(gap);
        }
    }
    if at < text.len() && ends_sentence(text, "", "") {
        gaps.push(text.len()..text.len());
    }
    gaps
}

/// The first place from `at` on where a sentence may end: before white space, or after a wide stop and the marks that
/// belong to it. None where there is only the end of the text.
fn candidate(text: &str, at: usize) -> Option<usize> {
    let found = text[at..].find(|c: char| c.is_whitespace() || WIDE_STOPS.contains(&c))?;
    let rest = &text[at + found..];
    if rest.starts_with(char::is_whitespace) {
        return Some(at + found);
    }
    let belongs = |c: char| WIDE_STOPS.contains(&c) || STOPS.contains(&c) || CLOSING.contains(&c);
    let after = rest.trim_start_matches(belongs);
    (!after.is_empty()).then_some(text.len() - after.len())
}

fn ends_sentence(before: &str, gap: &str, after: &str) -> bool {
    let bare = before.trim_end_matches(CLOSING);
    if bare.ends_with(WIDE_STOPS) {
        return true;
    }
    if !bare.ends_with(STOPS) {
        return false;
    }
    let Some(next) = after.chars().next() else {
        return true;
    };
    if gap.matches('\n').count() > 1 {
        return true;
    }
    let word = bare.trim_end_matches('.');
    let word = &word[word.rfind(|c: char| !c.is_alphabetic()).map_or(0, |at| {
        at + word[at..].chars().next().map_or(0, char::len_utf8)
    })..];
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    let abbreviated = bare.ends_with('.') && (initial || ABBREVIATIONS.contains(&word));
    !next.is_lowercase() && !abbreviated
}

/// Gaps within a stretch of `text`: at line ends, and in lines that are too long.
fn part(text: &str, stretch: Range<usize>) -> Vec<Range<usize>> {
    let mut gaps = Vec::new();
    let indent = &text[stretch.clone()];
    let mut at = stretch.start + indent.len() - indent.trim_start().len();
    // Of the part so far: its characters, and its last white space.
    let (mut length, mut space) = (0, None);
    while at < stretch.end {
        let rest = &text[at..stretch.end];
        let word = rest.trim_start();
        let gap = at..stretch.end - word.len();
        if gap.is_empty() {
            if length >= PART {
                let gap = space.take().unwrap_or(gap);
                length = text[gap.end..at].chars().count();
                gaps.push(gap);
            }
            length += 1;
            at += word.chars().next().map_or(0, char::len_utf8);
            continue;
        }
        at = gap.end;
        if text[gap.clone()].contains('\n') || at == text.len() {
            gaps.push(gap);
            (length, space) = (0, None);
        } else {
            length += text[gap.clone()].chars().count();
            space = Some(gap);
        }
    }
    gaps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{LONGEST, PART, gaps};

    fn sentences(text: &str) -> Vec<&str> {
        let mut start = 0;
        let mut found = Vec::new();
        for gap in gaps(text) {
            found.push(&text[start..gap.start]);
            start = gap.end;
        }
        found
    }

    #[test]
    fn ends_at_stops_and_paragraphs() {
        assert_eq!(
            sentences("It rained. Did it? \"Yes!\" Said who.\n\nThe end."),
            ["It rained.", "Did it?", "\"Yes!\"", "Said who.", "The end."]
        );
    }

    #[test]
    fn headings_abbreviations_and_numbers_end_none() {
        assert_eq!(
            sentences(
                "A Heading\n\nMr. J. Smith paid 2.50 at 3 p.m. on time. Then \"no?\" he said."
            ),
            [
                "A Heading\n\nMr. J. Smith paid 2.50 at 3 p.m. on time.",
                "Then \"no?\" he said."
            ]
        );
    }

    #[test]
    fn an_initial_ends_a_paragraph() {
        assert_eq!(sentences("Yours, M.\n\nDear M. I came"), ["Yours, M."]);
    }

    #[test]
    fn a_text_cut_short_ends_none() {
        assert_eq!(sentences("One. Two of"), ["One."]);
        assert!(sentences("").is_empty() && sentences(" \n ").is_empty());
    }

    #[test]
    fn wide_stops_need_no_white_space() {
        assert_eq!(
            sentences("第1艘渡船离开了。真的吗？！“是的。”他说\n好！  2.5箱。abc"),
            [
                "第1艘渡船离开了。",
                "真的吗？！",
                "“是的。”",
                "他说\n好！",
                "2.5箱。"
            ]
        );
        assert_eq!(
            sentences("「行く。」と言った。"),
            ["「行く。」", "と言った。"]
        );
    }

    #[test]
    fn stops_of_other_scripts_are_known() {
        assert_eq!(sentences("यह एक है। वह दो।"), ["यह एक है।", "वह दो।"]);
        assert_eq!(sentences("هل هذا؟ نعم۔"), ["هل هذا؟", "نعم۔"]);
    }

    #[test]
    fn a_text_without_stops_is_parted_at_lines_and_then_at_spaces() {
        assert_eq!(
            sentences("\n  one line\n\nand another  \nend"),
            ["\n  one line", "and another", "end"]
        );
        let words = "word ".repeat(20);
        let parted = sentences(&words);
        assert_eq!(parted.len(), 3);
        assert_eq!(parted[0], "word ".repeat(8).trim_end());
        let bare = "渡".repeat(100);
        let lengths: Vec<usize> = sentences(&bare).iter().map(|s| s.chars().count()).collect();
        assert_eq!(lengths, [40, 40, 20]);
    }

    #[test]
    fn a_stretch_too_long_is_parted_and_others_are_not() {
        let line = format!("{} a heading\n", "X".repeat(30));
        let text = format!("One. {}Two. {line}Three.", line.repeat(25));
        assert_eq!(sentences(&text).len(), 28);
        let text = format!("One. {}Two. {line}Three.", line.repeat(23));
        assert_eq!(sentences(&text).len(), 3);
    }

    proptest! {
        #[test]
        fn gaps_are_white_space_in_order_and_never_far_apart(
            words in proptest::collection::vec(r#"(\PC|[.。！\n \"”a字]){0,60}"#, 0..60)
        ) {
            let text = words.concat();
            let found = gaps(&text);
            prop_assert_eq!(found.is_empty(), text.trim().is_empty() || !text.contains(|c: char| !c.is_whitespace()));
            let mut start = 0;
            for gap in &found {
                prop_assert!(start <= gap.start && gap.start <= gap.end && gap.end <= text.len());
                prop_assert!(text[gap.clone()].chars().all(char::is_whitespace));
                prop_assert!(text[start..gap.start].chars().count() <= LONGEST.max(PART));
                start = gap.end;
            }
            prop_assert!(text[start..].chars().count() <= LONGEST + 1);
        }
    }
}
