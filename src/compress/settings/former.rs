//! Former names of settings and of their words. Input with one is refused by name; results with one are read.

/// Former names, each with the present one.
const NAMES: [(&str, &str); 2] = [("r", "share"), ("score", "normalisation")];

/// Settings with a former word and the present one.
const WORDS: [(&str, &str, &str); 2] = [
    ("keys", "unrotated", "pre-rope"),
    ("keys", "rotated", "post-rope"),
];

/// Present name of the setting that was called `name`.
pub(super) fn present_name(name: &str) -> Option<&'static str> {
    let found = NAMES.iter().find(|(former, _)| *former == name);
    found.map(|(_, present)| *present)
}

/// Present word for the former `word` of the setting `name`.
pub(super) fn present_word(name: &str, word: &str) -> Option<&'static str> {
    let found = WORDS
        .iter()
        .find(|(setting, former, _)| *setting == name && *former == word);
    found.map(|(_, _, present)| *present)
}
