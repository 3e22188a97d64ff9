//! What a task file calls the fields of its records.

use serde::Deserialize;

/// What the records call their fields.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Fields {
    /// The long text, whose cache is compressed.
    pub context: String,
    /// The right answer, or a list of right answers.
    pub answers: String,
    /// What a record is known by; none: the number of its line.
    pub id: Option<String>,
    /// The names to choose from, for `classification`.
    pub classes: Option<String>,
}

impl Default for Fields {
    fn default() -> Self {
        Self {
            context: "context".into(),
            answers: "answers".into(),
            id: None,
            classes: None,
        }
    }
}
