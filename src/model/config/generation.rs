//! `generation_config.json`: what it asks for beside the most likely token of each step, which is all that is done.

use anyhow::Result;
use serde_json::{Map, Value};

use super::known::{generation_rule, settle};
use crate::bad_input;

/// Notes on what the file called `file` says and the program does not do.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput): no JSON object.
pub(crate) fn generation_notes(text: &str, file: &str) -> Result<Vec<String>> {
    let value: Map<String, Value> = serde_json::from_str(text)
        .map_err(|_| bad_input!("{file}: not a JSON object, expected a generation_config.json"))?;
    let sampled = samples(&value);
    let keys = value
        .iter()
        .map(|(key, value)| (key.clone(), generation_rule(key, sampled), value));
    settle(file, keys)
}

/// Whether a file asks for tokens to be drawn.
pub(super) fn samples(map: &Map<String, Value>) -> bool {
    map.get("do_sample") == Some(&Value::Bool(true))
}
