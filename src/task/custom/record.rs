//! A line of JSON to a record, by the names that a task file gives its fields.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fields::Fields;
use crate::dataset::longbench::{LongBenchRecord, object};
use crate::task::longbench::Definition;

/// The record of `line`, the `number`th of its file.
///
/// # Errors
/// What is wrong with the line: it is no object, lacks a field that is named or shown, one has another kind of value,
/// or the metric does not fit.
pub(super) fn parse(
    line: &[u8],
    number: usize,
    fields: &Fields,
    definition: &Definition,
) -> Result<LongBenchRecord, String> {
    let line: Map<String, Value> = object(line)?;
    let shown = |name: &str| Ok((name.to_string(), text(&line, name)?));
    let others: Result<BTreeMap<String, String>, String> =
        definition.template.others().map(shown).collect();
    let context = text(&line, &fields.context)?;
    let record = LongBenchRecord {
        input: String::new(),
        length: context.chars().count(),
        context,
        answers: texts(&line, &fields.answers)?,
        dataset: definition.name.clone(),
        language: definition.language.clone(),
        all_classes: match &fields.classes {
            Some(name) => Some(texts(&line, name)?),
            None => None,
        },
        id: match &fields.id {
            Some(name) => text(&line, name)?,
            None => format!("line={number}"),
        },
        others: others?,
    };
    record.check_answers()?;
    definition.metric.fits(&record)?;
    Ok(record)
}

fn field<'a>(line: &'a Map<String, Value>, name: &str) -> Result<&'a Value, String> {
    line.get(name).ok_or_else(|| format!("no field `{name}`"))
}

/// A text, or a number or truth value as JSON writes it.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn text(line: &Map<String, Value>, name: &str) -> Result<String, String> {
    as_text(field(line, name)?).ok_or_else(|| format!("field `{name}` is no text"))
}

/// One text, or a list of texts.
fn texts(line: &Map<String, Value>, name: &str) -> Result<Vec<String>, String> {
    let texts = match field(line, name)? {
        Value::Array(values) => values.iter().map(as_text).collect(),
        value => as_text(value).map(|text| vec![text]),
    };
    texts.ok_or_else(|| format!("field `{name}` is neither a text nor a list of texts"))
}
