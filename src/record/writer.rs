//! Appends to a results folder row by row, so that a killed run loses at most the row it was writing.
//!
//! A record's layer rows are written before its own row: the record row is what says "finished".
//! Reopening a folder therefore drops layer rows without a finished record.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::versions::Versions;
use super::{LAYERS_FILE, LayerRecord, RECORDS_FILE, Record, RecordKey, table};
use super::{read_layers, read_records};
use crate::bad_input;

/// The open `records.csv` and `layers.csv` of one results folder.
pub struct RecordWriter {
    dir: PathBuf,
    records: csv::Writer<File>,
    layers: csv::Writer<File>,
    finished: HashSet<RecordKey>,
    /// Keys whose row in the file is an error, to be replaced by the next attempt.
    failed: HashSet<RecordKey>,
    versions: Versions,
}

impl RecordWriter {
    /// Opens or creates the results folder `dir` and finds out what an earlier run has finished.
    ///
    /// # Errors
    /// As [`read_records`] and [`read_layers`] if the folder holds rows that they refuse.
    pub fn open(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
        let records = table::append::<Record>(&dir.join(RECORDS_FILE))?;
        let layers = table::append::<LayerRecord>(&dir.join(LAYERS_FILE))?;
        let mut writer = Self {
            dir: dir.to_path_buf(),
            records,
            layers,
            finished: HashSet::new(),
            failed: HashSet::new(),
            versions: Versions::default(),
        };
        let known = read_records(dir)?;
        for record in &known {
            writer.admit(record)?;
            if record.is_finished() {
                writer.finished.insert(record.key());
            } else {
                writer.failed.insert(record.key());
            }
        }
        writer.drop_orphans(&known)?;
        Ok(writer)
    }

    /// Whether an earlier run, or this one, has a result for `key`; a failure is none.
    pub fn is_finished(&self, key: &RecordKey) -> bool {
        self.finished.contains(key)
    }

    /// Writes one record and its layers, and flushes. The row of an earlier failed attempt is
    /// replaced. The layers of a failed record are not written: nothing reads them, and the next
    /// attempt would write them again.
    ///
    /// # Errors
    /// A [`BadInput`](crate::error::BadInput) if the folder's rows come from other versions; an
    /// error if the record is already finished, or a file cannot be written.
    pub fn append(&mut self, record: &Record, layers: &[LayerRecord]) -> Result<()> {
        let key = record.key();
        ensure!(
            !self.is_finished(&key),
            "{}: already finished: {key:?}",
            self.path(RECORDS_FILE).display()
        );
        self.admit(record)?;
        if record.is_finished() {
            for layer in layers {
                table::write(&mut self.layers, layer)
                    .with_context(|| self.path(LAYERS_FILE).display().to_string())?;
            }
            self.layers
                .flush()
                .with_context(|| self.path(LAYERS_FILE).display().to_string())?;
        }
        if self.failed.contains(&key) {
            self.replace(record)?;
        } else {
            let context = || self.dir.join(RECORDS_FILE).display().to_string();
            table::write(&mut self.records, record).with_context(context)?;
            self.records.flush().with_context(context)?;
        }
        if record.is_finished() {
            self.failed.remove(&key);
            self.finished.insert(key);
        } else {
            self.failed.insert(key);
        }
        Ok(())
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    fn admit(&mut self, record: &Record) -> Result<()> {
        let path = self.path(RECORDS_FILE);
        self.versions
            .admit(record)
            .map_err(|reason| bad_input!("{}: {reason}", path.display()))
    }

    /// Puts `record` in the place of the row with its key.
    fn replace(&mut self, record: &Record) -> Result<()> {
        let key = record.key();
        let mut records = read_records(&self.dir)?;
        for row in records.iter_mut().filter(|row| row.key() == key) {
            row.clone_from(record);
        }
        let path = self.path(RECORDS_FILE);
        table::replace(&path, records.iter())?;
        self.records = table::append::<Record>(&path)?;
        Ok(())
    }

    /// Removes the layer rows of records that were being written when the run was killed.
    fn drop_orphans(&mut self, known: &[Record]) -> Result<()> {
        let owners: HashSet<_> = known
            .iter()
            .filter(|row| row.is_finished())
            .map(Record::reference)
            .collect();
        let layers = read_layers(&self.dir)?;
        if layers.iter().all(|layer| owners.contains(&layer.record())) {
            return Ok(());
        }
        let path = self.path(LAYERS_FILE);
        table::replace(
            &path,
            layers
                .iter()
                .filter(|layer| owners.contains(&layer.record())),
        )?;
        self.layers = table::append::<LayerRecord>(&path)?;
        Ok(())
    }
}
