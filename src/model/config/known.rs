//! Keys of a configuration that its reader does not read: which of them are harmless, and which would change the
//! result. A family is a list here; a key that stands in no list is a note for the reader of the results.

mod generation;
mod gguf;
mod hf;

use std::fmt;

use anyhow::Result;
use serde_json::Value;

use crate::bad_input;
use crate::terminal;

pub(super) use generation::rule as generation_rule;
pub(super) use gguf::rule as gguf_rule;
pub(super) use hf::{rope_rule as hf_rope_rule, rule as hf_rule};

/// What is to be done about a key that is not read.
#[derive(Debug, Clone, Copy)]
pub(super) enum KeyRule {
    /// No forward pass depends on it.
    Harmless,
    /// The model that it describes is not computed: refused, unless it has the value that changes nothing.
    Only(Neutral),
    /// The reference does not look at it either, but a reader may think so: a note, unless it changes nothing.
    Ignored(Neutral),
    /// About how an answer is made, which is done in one way whatever is said: a note, unless it changes nothing.
    Greedy(Neutral),
}

/// A value that leaves the result as it is. What is null counts as absent for each of them.
#[derive(Debug, Clone, Copy)]
pub(super) enum Neutral {
    /// Also false, zero, and an empty text, list or object.
    Absent,
    /// Null alone.
    Null,
    False,
    True,
    Zero,
    One,
    Text(&'static str),
}

/// A list of keys and their rules.
type KeyRules = &'static [(&'static str, KeyRule)];

fn find(rules: KeyRules, key: &str) -> Option<KeyRule> {
    let known = rules.iter().find(|(name, _)| *name == key);
    known.map(|(_, rule)| *rule)
}

impl Neutral {
    fn is(self, value: &Value) -> bool {
        let number = |wanted: f64| value.as_f64() == Some(wanted);
        match self {
            _ if value.is_null() => true,
            Self::Absent => match value {
                Value::Bool(on) => !on,
                Value::Number(_) => number(0.0),
                Value::String(text) => text.is_empty(),
                Value::Array(items) => items.is_empty(),
                Value::Object(map) => map.is_empty(),
                Value::Null => true,
            },
            Self::Null => false,
            Self::False => *value == Value::Bool(false),
            Self::True => *value == Value::Bool(true),
            Self::Zero => number(0.0),
            Self::One => number(1.0),
            Self::Text(text) => value.as_str() == Some(text),
        }
    }
}

impl fmt::Display for Neutral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent | Self::Null => "it to be absent",
            Self::False => "false",
            Self::True => "true",
            Self::Zero => "0",
            Self::One => "1",
            Self::Text(text) => text,
        })
    }
}

/// Applies the rules to the keys of `file` that were not read. Returns the notes.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) naming the first key that would change the result.
pub(super) fn settle<'a>(
    file: &str,
    keys: impl Iterator<Item = (String, Option<KeyRule>, &'a Value)>,
) -> Result<Vec<String>> {
    let (mut notes, mut greedy, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (key, rule, value) in keys {
        match rule {
            Some(KeyRule::Harmless) => {}
            Some(KeyRule::Only(neutral)) if !neutral.is(value) => {
                return Err(bad_input!(
                    "{file}: {key} is {}, expected {neutral}: it would change the result, and is not supported",
                    short(value)
                ));
            }
            Some(KeyRule::Ignored(neutral)) if !neutral.is(value) => notes.push(format!(
                "{file}: {key} is {}, which the reference does not apply to this family either",
                short(value)
            )),
            Some(KeyRule::Greedy(neutral)) if !neutral.is(value) => {
                greedy.push(format!("{key} is {}", short(value)));
            }
            Some(_) => {}
            None if value.is_null() => {}
            None => unknown.push(key),
        }
    }
    if !greedy.is_empty() {
        notes.push(format!(
            "{file}: without effect, as each token of an answer is the most likely one: {}",
            greedy.join(", ")
        ));
    }
    if !unknown.is_empty() {
        notes.push(format!(
            "{file}: not known, and not used: {}",
            list("key", &unknown)
        ));
    }
    Ok(notes)
}

/// A value as messages show it, cut where it is long.
pub(crate) fn short(value: &Value) -> String {
    const LONGEST: usize = 60;
    terminal::cut(&value.to_string(), LONGEST)
}

/// `3 keys (a, b, c)`, all of them: for a note, which is cut where it is printed.
pub(crate) fn list(what: &str, names: &[String]) -> String {
    listed(what, names, usize::MAX)
}

/// As [`list`], with the first names alone where there are many: for an error.
pub(crate) fn list_some(what: &str, names: &[String]) -> String {
    const SHOWN: usize = 20;
    listed(what, names, SHOWN)
}

fn listed(what: &str, names: &[String], most: usize) -> String {
    let shown = names[..names.len().min(most)].join(", ");
    let more = match names.len().saturating_sub(most) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("{} {what}{plural} ({shown}{more})", names.len())
}
