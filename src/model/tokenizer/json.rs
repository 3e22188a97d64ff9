//! The JSON files of a folder: each is one object, whose keys are read by type.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::bad_input;
use crate::files;
use crate::model::config::short;
use crate::typed;

/// A JSON object and the file that it stands in; null for a file that is not there.
#[derive(Debug, Default)]
pub(super) struct Object {
    pub file: String,
    pub value: Value,
}

impl Object {
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a file that holds no JSON object.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let file = path.display().to_string();
        let value: Value = typed::json(files::read_description(path)?.as_bytes())
            .map_err(|error| bad_input!("{file}: not JSON: {error}"))?;
        match value {
            Value::Object(_) => Ok(Self { file, value }),
            _ => Err(bad_input!("{file}: not a JSON object, expected one")),
        }
    }

    /// As [`read`](Self::read), of a file that may be left out.
    pub(super) fn optional(path: Option<&Path>) -> Result<Self> {
        path.map_or_else(|| Ok(Self::default()), Self::read)
    }

    /// The value of a key; null where there is none.
    pub(super) fn get(&self, key: &str) -> &Value {
        &self.value[key]
    }

    pub(super) fn wrong(&self, key: &str, expected: &str) -> anyhow::Error {
        let found = short(self.get(key));
        bad_input!("{}: {key} is {found}, expected {expected}", self.file)
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            Value::Null => Ok(None),
            Value::Bool(on) => Ok(Some(*on)),
            _ => Err(self.wrong(key, "true or false")),
        }
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>> {
        match self.get(key) {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(text)),
            _ => Err(self.wrong(key, "a text")),
        }
    }

    /// One id or a list of ids. Those that no token can have are left out.
    pub(super) fn ids(&self, key: &str) -> Result<Vec<u32>> {
        let list = match self.get(key) {
            Value::Null => &[],
            Value::Array(list) => &list[..],
            one => std::slice::from_ref(one),
        };
        if !list.iter().all(|id| id.is_i64() || id.is_u64()) {
            return Err(self.wrong(key, "the id of a token, or a list of ids"));
        }
        let id = |id: &Value| id.as_u64().and_then(|id| u32::try_from(id).ok());
        Ok(list.iter().filter_map(id).collect())
    }
}
