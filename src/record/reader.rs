//! Reads a results folder, and refuses rows that must not be averaged together.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;

use super::versions::Versions;
use super::{LAYERS_FILE, LayerRecord, RECORDS_FILE, Record, table};
use crate::bad_input;

/// The rows of `dir/records.csv` in file order, failed ones included; a torn last row is left out.
///
/// # Errors
/// A [`BadInput`](crate::error::BadInput) naming file and line for columns of another schema, a value
/// that does not parse, two rows with one [`key`](Record::key), or mixed versions.
pub fn read_records(dir: &Path) -> Result<Vec<Record>> {
    let path = dir.join(RECORDS_FILE);
    let mut versions = Versions::default();
    let mut lines = HashMap::new();
    let mut records = Vec::new();
    for (line, record) in table::read::<Record>(&path)? {
        versions
            .admit(&record)
            .map_err(|reason| bad_input!("{}:{line}: {reason}", path.display()))?;
        if let Some(first) = lines.insert(record.key(), line) {
            return Err(bad_input!(
                "{}:{line}: duplicate of line {first}: task `{}`, sample `{}`, method `{}`, settings `{}`",
                path.display(),
                record.task,
                record.sample,
                record.method,
                record.settings
            ));
        }
        records.push(record);
    }
    Ok(records)
}

/// The rows of `dir/layers.csv` in file order; a torn last row is left out.
///
/// # Errors
/// A [`BadInput`](crate::error::BadInput) naming file and line for columns of another schema, a value
/// that does not parse, or one layer of a record given twice.
pub fn read_layers(dir: &Path) -> Result<Vec<LayerRecord>> {
    let path = dir.join(LAYERS_FILE);
    let mut lines = HashMap::new();
    let mut layers = Vec::new();
    for (line, layer) in table::read::<LayerRecord>(&path)? {
        if let Some(first) = lines.insert((layer.record(), layer.layer), line) {
            return Err(bad_input!(
                "{}:{line}: duplicate of line {first}: sample `{}`, method `{}`, settings `{}`, layer {}",
                path.display(),
                layer.sample,
                layer.method,
                layer.settings,
                layer.layer
            ));
        }
        layers.push(layer);
    }
    Ok(layers)
}
