//! What the user chooses about a chat template.

use chrono::NaiveDate;
use serde_json::{Map, Value};

/// Settings of a chat template.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatOptions {
    /// Which of several named templates. None: the one called `default`.
    pub template: Option<String>,
    /// What `strftime_now` gives, at midnight, so that a prompt is the same on every day.
    pub date: NaiveDate,
    /// More values that the template asks for, as `apply_chat_template` takes them: `enable_thinking`.
    pub arguments: Map<String, Value>,
}

impl ChatOptions {
    /// The date where none is given: the one that Llama 3's template falls back to.
    pub const DATE: NaiveDate = NaiveDate::from_ymd_opt(2024, 7, 26).expect("a date");
}

impl Default for ChatOptions {
    fn default() -> Self {
        Self {
            template: None,
            date: Self::DATE,
            arguments: Map::new(),
        }
    }
}
