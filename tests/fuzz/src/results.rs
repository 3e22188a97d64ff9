//! A results folder whose columns are the program's: with the rows of an input, or with its numbers in good rows.

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::arbitrary::{Result, Unstructured};
use serde::Serialize;
use serde_json::Value;
use spindle::record::{LayerRecord, Record};
use spindle::store::{Bytes, Content};

use crate::{parts, put};

/// Writes `records.csv` and `layers.csv` with these rows into a folder, and gives its path.
pub fn of_rows(data: &[u8]) -> PathBuf {
    static RECORDS: LazyLock<Vec<u8>> = LazyLock::new(|| header(Record::default()));
    static LAYERS: LazyLock<Vec<u8>> = LazyLock::new(|| header(LayerRecord::default()));
    let [records, layers] = parts(data);
    write(&[&RECORDS, records].concat(), &[&LAYERS, layers].concat())
}

/// As [`of_rows`], with up to twelve rows that differ in method, place and numbers.
pub fn of_any_numbers(numbers: &mut Unstructured<'_>) -> Result<PathBuf> {
    let (mut records, mut layers) = (Vec::new(), Vec::new());
    for row in 0..numbers.int_in_range(1..=12)? {
        let method = *numbers.choose(&["full", "snapkv", "spindle"])?;
        let (length, depth): (u32, u8) = (numbers.arbitrary()?, numbers.arbitrary()?);
        let record = Record {
            task: "needle".into(),
            sample: format!("length={length};depth={depth};seed={row}"),
            method: method.into(),
            settings: format!("retention=0.{}", numbers.int_in_range(0..=3)?),
            metric: "recall".into(),
            score: numbers.arbitrary()?,
            retention: numbers.arbitrary()?,
            nll: numbers.arbitrary()?,
            kl: numbers.arbitrary()?,
            bytes_dense: numbers.arbitrary()?,
            bytes_held: numbers.arbitrary()?,
            entries: numbers.arbitrary()?,
            ..Record::default()
        };
        layers.push(LayerRecord {
            task: record.task.clone(),
            sample: record.sample.clone(),
            method: record.method.clone(),
            settings: record.settings.clone(),
            layer: numbers.arbitrary()?,
            bytes_dense: numbers.arbitrary()?,
            bytes: Bytes::of(Content::Entries, numbers.arbitrary()?)
                + Bytes::of(Content::Codewords, numbers.arbitrary()?),
            r1: numbers.arbitrary()?,
            ..LayerRecord::default()
        });
        records.push(record);
    }
    Ok(write(&table(&records), &table(&layers)))
}

fn write(records: &[u8], layers: &[u8]) -> PathBuf {
    put("results/records.csv", records);
    let path = put("results/layers.csv", layers);
    path.parent().expect("a folder").to_owned()
}

/// The names of a row's columns, as a line.
fn header(row: impl Serialize) -> Vec<u8> {
    let mut table = table(&[row]);
    let end = table.iter().position(|byte| *byte == b'\n');
    table.truncate(end.map_or(0, |end| end + 1));
    table
}

/// As the program writes rows: a field may stand for several columns.
fn table(rows: &[impl Serialize]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for (i, row) in rows.iter().enumerate() {
        let row = serde_json::to_value(row).expect("a row");
        let columns = row.as_object().expect("columns by name");
        if i == 0 {
            writer.write_record(columns.keys()).expect("a header");
        }
        let cells = columns.values().map(|value| match value {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        writer.write_record(cells).expect("a row");
    }
    writer.into_inner().expect("a table")
}
