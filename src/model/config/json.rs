//! The keys of one JSON object, read by type, with what an error needs to name them. It remembers which were asked for.

use std::cell::RefCell;
use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::{Map, Value};

use super::known::short;
use crate::bad_input;

#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    pub file: &'a str,
    /// The enclosing key and a dot, or nothing.
    pub section: &'static str,
    pub map: &'a Map<String, Value>,
    /// Keys asked for, each with its section.
    pub read: &'a RefCell<BTreeSet<String>>,
}

impl<'a> Keys<'a> {
    /// The value of a key; `null` counts as absent, as in Python.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.read
            .borrow_mut()
            .insert(format!("{}{key}", self.section));
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// Keys that nobody has asked for, with their values.
    pub(super) fn unread(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let read = self.read.borrow().clone();
        let section = self.section;
        self.map
            .iter()
            .filter(move |(key, _)| !read.contains(&format!("{section}{key}")))
            .map(|(key, value)| (key.as_str(), value))
    }

    /// The object under `key`, whose keys are named with `section` before them.
    pub(super) fn inner(&self, key: &str, section: &'static str) -> Result<Option<Keys<'a>>> {
        let map = self.optional(key, "an object or null", Value::as_object)?;
        Ok(map.map(|map| Keys {
            section,
            map,
            ..*self
        }))
    }

    pub(super) fn missing(&self, key: &str) -> anyhow::Error {
        bad_input!(
            "{}: key {}{key} is missing, expected it in the config.json of a model",
            self.file,
            self.section
        )
    }

    pub(super) fn wrong(&self, key: &str, expected: &str) -> anyhow::Error {
        let found = self.map.get(key).unwrap_or(&Value::Null);
        bad_input!(
            "{}: {}{key} is {}, expected {expected}",
            self.file,
            self.section,
            short(found)
        )
    }

    pub(super) fn optional<T>(
        &self,
        key: &str,
        expected: &str,
        read: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        self.get(key)
            .map(|value| read(value).ok_or_else(|| self.wrong(key, expected)))
            .transpose()
    }

    pub(super) fn optional_count(&self, key: &str) -> Result<Option<usize>> {
        self.optional(key, "a whole number", |value| {
            value.as_u64().and_then(|n| usize::try_from(n).ok())
        })
    }

    pub(super) fn count(&self, key: &str) -> Result<usize> {
        self.optional_count(key)?.ok_or_else(|| self.missing(key))
    }

    pub(super) fn optional_number(&self, key: &str) -> Result<Option<f64>> {
        self.optional(key, "a number", Value::as_f64)
    }

    pub(super) fn number(&self, key: &str) -> Result<f64> {
        self.optional_number(key)?.ok_or_else(|| self.missing(key))
    }

    /// Absent is false.
    pub(super) fn flag(&self, key: &str) -> Result<bool> {
        Ok(self
            .optional(key, "true or false", Value::as_bool)?
            .unwrap_or(false))
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>> {
        self.optional(key, "a string", Value::as_str)
    }
}
