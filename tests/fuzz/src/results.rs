//! A results folder whose columns are the program's and whose rows are an input's.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::Value;
use spindle::record::{LayerRecord, Record};

use crate::{parts, put};

/// Writes `records.csv` and `layers.csv` into a folder, and gives its path.
pub fn write(data: &[u8]) -> PathBuf {
    static RECORDS: LazyLock<String> = LazyLock::new(|| header(&Record::default()));
    static LAYERS: LazyLock<String> = LazyLock::new(|| header(&LayerRecord::default()));
    let [records, layers] = parts(data);
    let file = |columns: &str, rows: &[u8]| [columns.as_bytes(), rows].concat();
    put("results/records.csv", &file(&RECORDS, records));
    let path = put("results/layers.csv", &file(&LAYERS, layers));
    path.parent().expect("a folder").to_owned()
}

/// The names of a row's columns, as a line.
fn header(row: &impl serde::Serialize) -> String {
    let Ok(Value::Object(columns)) = serde_json::to_value(row) else {
        unreachable!("a row is a table of columns")
    };
    let names: Vec<&str> = columns.keys().map(String::as_str).collect();
    names.join(",") + "\n"
}
