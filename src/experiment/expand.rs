//! A `[[method]]` table to its cells: the product of the settings given as lists, in the order they are written.

use std::collections::HashSet;

use anyhow::Result;

use crate::bad_input;
use crate::compress::methods::method_infos;
use crate::compress::settings::Value;
use crate::error::nearest;
use crate::generate::Cell;

/// The cells of one table.
///
/// # Errors
/// An unknown method or setting, or a value that does not fit; `origin` names the file.
pub fn cells(table: &toml::Table, origin: &str) -> Result<Vec<Cell>> {
    let name = match table.get("name") {
        Some(toml::Value::String(name)) => name,
        Some(other) => {
            return Err(bad_input!(
                "{origin}: [[method]] name = {other}: expected a text"
            ));
        }
        None => return Err(bad_input!("{origin}: a [[method]] has no name")),
    };
    let infos = method_infos();
    let Some(info) = infos.iter().find(|info| info.name == name) else {
        let known = infos.iter().map(|info| info.name);
        return Err(bad_input!(
            "{origin}: method \"{name}\" is not known{}",
            nearest(name, known)
        ));
    };
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

/// # Errors
/// A cell that stands twice.
pub fn check_distinct(cells: &[Cell], origin: &str) -> Result<()> {
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
