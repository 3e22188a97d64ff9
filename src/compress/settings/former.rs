//! What settings and their words were called in earlier versions: refused by name, and known in results.

/// Former names, each with the present one.
const NAMES: [(&str, &str); 2] = [("r", "share"), ("score", "normalisation")];

/// Settings with a former word and the present one.
const WORDS: [(&str, &str, &str); 2] = [
    ("keys", "unrotated", "pre-rope"),
    ("keys", "rotated", "post-rope"),
];

/// What the setting `name` is called now, where it was called otherwise.
pub(super) fn present_name(name: &str) -> Option<&'static str> {
    let found = NAMES.iter().find(|(former, _)| *former == name);
    found.map(|(_, present)| *present)
}

/// What the `word` of the setting `name` is called now, where it was called otherwise.
pub(super) fn present_word(name: &str, word: &str) -> Option<&'static str> {
    let found = WORDS
        .iter()
        .find(|(setting, former, _)| *setting == name && *former == word);
    found.map(|(_, _, present)| *present)
}
