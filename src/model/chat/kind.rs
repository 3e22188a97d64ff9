//! Which characters a text has: `isalpha` and the like.

use std::sync::LazyLock;

use regex::Regex;

/// Digits that are not of the category Nd: Unicode's `Numeric_Type=Digit`.
const DIGITS: &str = r"\u{B2}\u{B3}\u{B9}\u{1369}-\u{1371}\u{19DA}\u{2070}\u{2074}-\u{2079}\u{2080}-\u{2089}\u{2460}-\u{2468}\u{2474}-\u{247C}\u{2488}-\u{2490}\u{24EA}\u{24F5}-\u{24FD}\u{24FF}\u{2776}-\u{277E}\u{2780}-\u{2788}\u{278A}-\u{2792}\u{10A40}-\u{10A43}\u{10E60}-\u{10E68}\u{11052}-\u{1105A}\u{1F100}-\u{1F10A}";
/// Letters that are numbers: Unicode's `Numeric_Type=Numeric` of Han characters.
const NUMERALS: &str = r"\u{3405}\u{3483}\u{382A}\u{3B4D}\u{4E00}\u{4E03}\u{4E07}\u{4E09}\u{4E5D}\u{4E8C}\u{4E94}\u{4E96}\u{4EBF}\u{4EC0}\u{4EDF}\u{4EE8}\u{4F0D}\u{4F70}\u{5104}\u{5146}\u{5169}\u{516B}\u{516D}\u{5341}\u{5343}-\u{5345}\u{534C}\u{53C1}-\u{53C4}\u{56DB}\u{58F1}\u{58F9}\u{5E7A}\u{5EFE}\u{5EFF}\u{5F0C}-\u{5F0E}\u{5F10}\u{62FE}\u{634C}\u{67D2}\u{6F06}\u{7396}\u{767E}\u{8086}\u{842C}\u{8CAE}\u{8CB3}\u{8D30}\u{9621}\u{9646}\u{964C}\u{9678}\u{96F6}\u{F96B}\u{F973}\u{F978}\u{F9B2}\u{F9D1}\u{F9D3}\u{F9FD}\u{20001}\u{20064}\u{200E2}\u{20121}\u{2092A}\u{20983}\u{2098C}\u{2099C}\u{20AEA}\u{20AFD}\u{20B19}\u{22390}\u{22998}\u{23B1B}\u{2626D}\u{2F890}";

static KINDS: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    let kinds = [
        ("isalpha", r"^\p{L}+$".to_owned()),
        ("isdecimal", r"^\p{Nd}+$".to_owned()),
        ("isdigit", format!(r"^[\p{{Nd}}{DIGITS}]+$")),
        ("isnumeric", format!(r"^[\p{{N}}{NUMERALS}]+$")),
        // A numeral of Han is a letter.
        ("isalnum", r"^[\p{L}\p{N}]+$".to_owned()),
        ("isspace", r"^[\s\x1c-\x1f]+$".to_owned()),
        ("isascii", r"^[\x00-\x7f]*$".to_owned()),
        ("isprintable", r"^(?:[^\p{C}\p{Z}]| )*$".to_owned()),
        (
            "isidentifier",
            r"^[\p{XID_Start}_]\p{XID_Continue}*$".to_owned(),
        ),
    ];

    let compiled = |(name, pattern): (_, String)| (name, Regex::new(&pattern).expect("a pattern"));
    kinds.into_iter().map(compiled).collect()
});

static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[\p{L}\p{N}_]+").expect("a pattern"));

/// What the method of that name says. None for another name.
pub(super) fn is(name: &str, text: &str) -> Option<bool> {
    let mut kinds = KINDS.iter();
    let (_, pattern) = kinds.find(|(other, _)| *other == name)?;
    Some(pattern.is_match(text))
}

/// Words as Python's `\w+` finds them.
pub(super) fn words(text: &str) -> usize {
    WORD.find_iter(text).count()
}

/// White space of Python.
pub(super) fn space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}
