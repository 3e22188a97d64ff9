//! Expands a `[[method]]` table to its cells: the product of the settings given as lists, in the order they are
//! written.

use std::collections::HashSet;

use anyhow::Result;

use crate::bad_input;
use crate::compress::methods::{info_of, method_infos};
use crate::compress::settings::Value;
use crate::error::nearest;
use crate::generate::Cell;

/// The cells of one table.
///
/// # Errors
/// An unknown method or setting, or a value that does not fit; `origin` names the file.
pub(super) fn cells(table: &toml::Table, origin: &str) -> Result<Vec<Cell>> {
    let name = match table.get("name") {
        Some(toml::Value::String(name)) => name,
        Some(other) => {
            return Err(bad_input!(
                "{origin}: [[method]] name = {other}: expected a text"
            ));
        }
        None => return Err(bad_input!("{origin}: a [[method]] has no name")),
    };
    let Some(info) = info_of(name) else {
        let known = method_infos().into_iter().map(|info| info.name);
        return Err(bad_input!(
            "{origin}: method \"{name}\" is not known{}",
            nearest(name, known)
        ));
    };
    check_count(table, name, origin)?;
    let mut rows: Vec<Vec<(String, Value)>> = vec![Vec::new()];
    for (key, value) in table.iter().filter(|(key, _)| *key != "name") {
        let values = match value {
            toml::Value::Array(values) => values
                .iter()
                .map(|v| scalar(v, key, origin))
                .collect::<Result<Vec<_>>>()?,
            single => vec![scalar(single, key, origin)?],
        };
        if values.is_empty() {
            return Err(bad_input!(
                "{origin}: method {name}: {key} = []: expected at least one value"
            ));
        }
        let extend = |row: &Vec<(String, Value)>| {
            let row = row.clone();
            values
                .iter()
                .map(move |value| {
                    row.iter()
                        .cloned()
                        .chain([(key.clone(), value.clone())])
                        .collect()
                })
                .collect::<Vec<_>>()
        };
        rows = rows.iter().flat_map(extend).collect();
    }
    rows.iter()
        .map(|given| {
            Cell::new(info, info.settings(given, origin)?)
                .map_err(|e| e.context(origin.to_string()))
        })
        .collect()
}

/// Cells of an experiment, at most: each is a row for each sample.
const MOST_CELLS: usize = 10_000;

/// Checks how many cells a table makes, before they are made.
fn check_count(table: &toml::Table, name: &str, origin: &str) -> Result<()> {
    let lists = table
        .iter()
        .filter_map(|(key, value)| Some((key, value.as_array()?.len())));
    let lists: Vec<_> = lists.filter(|(_, count)| *count > 1).collect();
    let product = lists
        .iter()
        .fold(1usize, |product, (_, count)| product.saturating_mul(*count));
    if product <= MOST_CELLS {
        return Ok(());
    }
    let lists: Vec<String> = lists
        .iter()
        .map(|(key, count)| format!("{key} ({count})"))
        .collect();
    let made = match product {
        usize::MAX => "too many cells to count".to_owned(),
        _ => format!("{product} cells"),
    };
    Err(bad_input!(
        "{origin}: method {name}: {} make {made}, expected at most {MOST_CELLS}",
        lists.join(" x ")
    ))
}

/// # Errors
/// A cell that stands twice, or more cells than a run can have.
pub(super) fn check_distinct(cells: &[Cell], origin: &str) -> Result<()> {
    if cells.len() > MOST_CELLS {
        return Err(bad_input!(
            "{origin}: {} cells, expected at most {MOST_CELLS}",
            cells.len()
        ));
    }
    let mut seen = HashSet::new();
    for cell in cells {
        if !seen.insert((cell.info.name, cell.settings.canonical())) {
            let name = cell.info.name;
            let with = match cell.settings.canonical() {
                none if none.is_empty() => none,
                settings => format!(" with {settings}"),
            };
            return Err(bad_input!(
                "{origin}: method {name}{with} stands twice, expected each cell once"
            ));
        }
    }
    Ok(())
}

fn scalar(value: &toml::Value, key: &str, origin: &str) -> Result<Value> {
    match value {
        toml::Value::Integer(number) => Ok(Value::Number(*number as f64)),
        toml::Value::Float(number) => Ok(Value::Number(*number)),
        toml::Value::String(text) => Ok(Value::Text(text.clone())),
        toml::Value::Boolean(flag) => Ok(Value::Flag(*flag)),
        other => Err(bad_input!(
            "{origin}: {key} = {other}: expected a number, a text, true or false, or a list of these"
        )),
    }
}
