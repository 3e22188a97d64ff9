//! The JSON files of a folder.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::bad_input;
use crate::files;

/// A JSON object.
pub(super) fn json(path: &Path) -> Result<Value> {
    let file = path.display();
    let value: Value = serde_json::from_str(&files::read_text(path)?)
        .map_err(|error| bad_input!("{file}: not JSON: {error}"))?;
    match value {
        Value::Object(_) => Ok(value),
        _ => Err(bad_input!("{file}: not a JSON object, expected one")),
    }
}
