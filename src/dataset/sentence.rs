//! Where the sentences of a plain text end.

use std::ops::Range;

/// Words whose full stop ends no sentence.
const ABBREVIATIONS: [&str; 10] = [
    "Mr", "Mrs", "Ms", "Dr", "St", "Prof", "Capt", "Rev", "No", "vs",
];

/// The white space after each sentence of `text`, in bytes: it starts where a sentence ends, and ends
/// where the next begins. Headings and other lines without a full stop end no sentence.
pub fn sentence_gaps(text: &str) -> Vec<Range<usize>> {
    let mut gaps = Vec::new();
    let mut at = 0;
    while let Some(found) = text[at..].find(char::is_whitespace) {
        let start = at + found;
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

fn ends_sentence(before: &str, gap: &str, after: &str) -> bool {
    let closing = ['"', '\'', '”', '’', ')', ']', '*', '_'];
    let bare = before.trim_end_matches(closing);
    if !bare.ends_with(['.', '!', '?', '…']) {
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

#[cfg(test)]
mod tests {
    use super::sentence_gaps;

    fn sentences(text: &str) -> Vec<&str> {
        let mut start = 0;
        let mut found = Vec::new();
        for gap in sentence_gaps(text) {
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
        assert!(sentences("").is_empty());
    }
}
