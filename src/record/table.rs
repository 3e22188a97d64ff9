//! A CSV file whose header is the field names of a row type: reading it whole, appending, replacing it.

use std::fs::{self, File, OpenOptions};
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::bytes;
use super::check::Checked;
use crate::bad_input;
use crate::files;
use crate::terminal;

/// Characters of a value or column name that a message shows.
const SHOWN: usize = 100;

/// The column names of `T`, taken from its serde fields so that header and rows cannot drift apart.
pub(super) fn columns<T: Serialize + Default>() -> Result<csv::StringRecord> {
    Ok(fields(&T::default())?.keys().collect())
}

/// Writes one row.
pub(super) fn write<T: Serialize>(writer: &mut csv::Writer<File>, row: &T) -> Result<()> {
    let cells = fields(row)?.into_iter().map(|(_, value)| match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    });
    Ok(writer.write_record(cells)?)
}

/// The columns of a row with their values, in order. The csv crate itself writes no row with a field that stands for
/// several columns.
fn fields<T: Serialize>(row: &T) -> Result<Map<String, Value>> {
    match serde_json::to_value(row)? {
        Value::Object(fields) => Ok(fields),
        other => bail!("a row is {other}, expected columns by name"),
    }
}

/// Length of the leading part of `bytes` that ends with a complete row.
///
/// A run killed while it writes leaves a last row without its line end; a line end inside quotes
/// (an error text) is part of its row. Doubled quotes toggle twice and so change nothing.
fn complete_len(bytes: &[u8]) -> usize {
    let mut quoted = false;
    let mut end = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => end = at + 1,
            _ => {}
        }
    }
    end
}

/// Every complete row with the line it starts on. A torn last row is left out. Columns are known by their names: those
/// that may be empty may be missing, as in a file of an earlier version.
///
/// # Errors
/// A [`BadInput`](crate::error::BadInput) naming file and line if a column is not known, stands twice or is missing, or
/// a value does not parse or is one that no run comes to.
pub(super) fn read<T: Serialize + DeserializeOwned + Default + Checked>(
    path: &Path,
) -> Result<Vec<(u64, T)>> {
    let bytes = files::read(path)?;
    let complete = &bytes[..complete_len(&bytes)];
    let mut reader = csv::ReaderBuilder::new()
        .flexible(false)
        .from_reader(complete);
    if complete.is_empty() {
        return Ok(Vec::new());
    }
    let found = reader
        .headers()
        .map_err(|error| unreadable(path, complete, &error))?
        .clone();
    check_names::<T>(path, &found)?;
    let mut rows = Vec::new();
    let mut raw = csv::StringRecord::new();
    let mut lines = Lines::of(complete);
    while reader
        .read_record(&mut raw)
        .map_err(|error| unreadable(path, complete, &error))?
    {
        let line = lines.at(raw.position());
        let row: T = raw
            .deserialize(Some(&found))
            .map_err(|error| unparsable(path, line, &found, &raw, &error))?;
        row.check()
            .map_err(|reason| bad_input!("{}:{line}: {reason}", path.display()))?;
        rows.push((line, row));
    }
    if complete.len() < bytes.len() {
        terminal::warn(&format!(
            "{}: its last row is not whole, and left out",
            path.display()
        ));
    }
    Ok(rows)
}

/// The lines of a file that rows begin on. The csv crate counts a line too few where lines end in CR and LF.
struct Lines<'a> {
    bytes: &'a [u8],
    /// How far lines are counted, and the number of the line there.
    at: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            line: 1,
        }
    }

    /// The line of a position, which is not before one that was asked for earlier.
    fn at(&mut self, position: Option<&csv::Position>) -> u64 {
        let byte = position.map_or(0, |position| position.byte() as usize);
        let is_end = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let ends = self.bytes[byte..].iter().take_while(is_end).count();
        let passed = &self.bytes[self.at.min(byte)..byte + ends];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.at = byte + ends;
        self.line
    }
}

fn unreadable(path: &Path, bytes: &[u8], error: &csv::Error) -> anyhow::Error {
    let line = Lines::of(bytes).at(error.position());
    bad_input!("{}:{line}: {error}", path.display())
}

/// Says which value of a row does not parse.
fn unparsable(
    path: &Path,
    line: u64,
    columns: &csv::StringRecord,
    row: &csv::StringRecord,
    error: &csv::Error,
) -> anyhow::Error {
    let place = format!("{}:{line}", path.display());
    let csv::ErrorKind::Deserialize { err: cause, .. } = error.kind() else {
        return bad_input!("{place}: {error}");
    };
    let field = cause.field().map(|field| field as usize);
    match field.and_then(|field| Some((columns.get(field)?, row.get(field)?))) {
        None => bad_input!("{place}: {}", cause.kind()),
        Some((column, value)) => bad_input!(
            "{place}: {column} is `{}`: {}",
            terminal::cut(value, SHOWN),
            cause.kind()
        ),
    }
}

/// That each column found is one of `T`, once, and that none is missing that has a value in every row.
fn check_names<T: Serialize + Default>(path: &Path, found: &csv::StringRecord) -> Result<()> {
    let known = fields(&T::default())?;
    let place = format!("{}:1", path.display());
    let name = |name| terminal::cut(name, SHOWN);
    for (at, column) in found.iter().enumerate() {
        if !known.contains_key(column) {
            return Err(bad_input!(
                "{place}: column {} is `{}`, which this version of the program does not know",
                at + 1,
                name(column)
            ));
        }
        if let Some(first) = found.iter().take(at).position(|other| other == column) {
            return Err(bad_input!(
                "{place}: columns {} and {} are both `{}`, expected each once",
                first + 1,
                at + 1,
                name(column)
            ));
        }
    }
    let has = |column: &String| found.iter().any(|name| name == column);
    let needed =
        |(column, value): &(&String, &Value)| !value.is_null() && !bytes::is_column(column);
    match known.iter().filter(needed).find(|(column, _)| !has(column)) {
        Some((column, _)) => Err(bad_input!("{place}: no column `{column}`")),
        None => Ok(()),
    }
}

fn check_columns(
    path: &Path,
    found: &csv::StringRecord,
    expected: &csv::StringRecord,
) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let at = (0..)
        .find(|&i| found.get(i) != expected.get(i))
        .unwrap_or(0);
    let name = |record: &csv::StringRecord| {
        record.get(at).map_or("none".to_string(), |name| {
            format!("`{}`", terminal::cut(name, SHOWN))
        })
    };
    Err(bad_input!(
        "{}:1: column {} is {}, expected {}: written by another version of the program",
        path.display(),
        at + 1,
        name(found),
        name(expected)
    ))
}

/// Opens `path` for appending: cuts a torn last row off, and writes the header if the file is new.
///
/// # Errors
/// A [`BadInput`](crate::error::BadInput) if the columns are not those of `T`, all of them.
pub(super) fn append<T: Serialize + Default>(path: &Path) -> Result<csv::Writer<File>> {
    let context = || path.display().to_string();
    let bytes = match path.exists() {
        true => files::read(path)?,
        false => Vec::new(),
    };
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .with_context(context)?;
    let complete = complete_len(&bytes);
    if complete > 0 {
        let mut reader = csv::Reader::from_reader(&bytes[..complete]);
        let found = reader
            .headers()
            .map_err(|error| unreadable(path, &bytes[..complete], &error))?;
        check_columns(path, found, &columns::<T>()?)?;
    }
    file.set_len(complete as u64).with_context(context)?;
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .from_writer(file);
    if complete == 0 {
        writer
            .write_record(&columns::<T>()?)
            .with_context(context)?;
        writer.flush().with_context(context)?;
    }
    Ok(writer)
}

/// Replaces `path` by exactly `rows`; a kill leaves either the old file or the new one.
pub(super) fn replace<'a, T: Serialize + Default + 'a>(
    path: &Path,
    rows: impl Iterator<Item = &'a T>,
) -> Result<()> {
    let partial = path.with_extension("csv.partial");
    let context = || partial.display().to_string();
    let mut writer = csv::WriterBuilder::new()
        .has_headers(false)
        .from_path(&partial)
        .with_context(context)?;
    writer
        .write_record(&columns::<T>()?)
        .with_context(context)?;
    for row in rows {
        write(&mut writer, row).with_context(context)?;
    }
    let file = writer
        .into_inner()
        .map_err(|error| error.into_error())
        .with_context(context)?;
    file.sync_all().with_context(context)?;
    fs::rename(&partial, path).with_context(|| path.display().to_string())
}
