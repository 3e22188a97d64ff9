//! Where files of records are: a folder, an archive, or the hub.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Result;

use super::{LongBenchRecord, Records, archive, read_lines};
use crate::bad_input;
use crate::files::{self, Place};
use crate::source::{SourceOptions, dataset_file};

/// The official dataset on the hub, and its one file of data.
const OFFICIAL: &str = "THUDM/LongBench";
const ARCHIVE: &str = "data.zip";

/// Archives of the hub that this process has fetched: every task asks for its own file, the hub is asked once.
static FETCHED: Mutex<Vec<(String, PathBuf)>> = Mutex::new(Vec::new());

/// Where the files of records are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataSource {
    /// `NAME.jsonl` in the folder, or in `data/` below it.
    Folder(PathBuf),
    /// A zip archive.
    Archive(PathBuf),
    /// `data.zip` of a dataset, `owner/name[@revision]`.
    Hub(String),
}

impl DataSource {
    /// `hub`, `hub:owner/name[@revision]`, or a path.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if it is a path to nothing, or to a pipe or a device.
    pub fn parse(text: &str) -> Result<Self> {
        let path = Path::new(text);
        match text.split_once(':') {
            None if text == "hub" => return Ok(Self::Hub(OFFICIAL.into())),
            Some(("hub", dataset)) => return Ok(Self::Hub(dataset.into())),
            _ => {}
        }
        match files::place(path)? {
            Place::Folder => Ok(Self::Folder(path.into())),
            Place::File if path.extension().is_some_and(|end| end == "jsonl") => Err(bad_input!(
                "data {text}: one file of records, expected the folder that it lies in"
            )),
            Place::File => Ok(Self::Archive(path.into())),
            Place::Nothing => Err(bad_input!(
                "data {text}: no such folder or file, expected a folder of .jsonl files, a data.zip, hub, or \
                 hub:owner/name[@revision]"
            )),
        }
    }

    /// Whether there is a file of the records of `dataset`, as far as that can be said without fetching.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for an archive that cannot be read.
    pub fn has(&self, dataset: &str) -> Result<bool> {
        match self {
            Self::Folder(folder) => Ok(in_folder(folder, dataset).is_some()),
            Self::Archive(path) => archive::has(path, &file_name(dataset)),
            Self::Hub(_) => Ok(true),
        }
    }

    /// That it is there.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) that says what is missing, or as [`has`](Self::has).
    pub fn check(&self, dataset: &str) -> Result<()> {
        match self.has(dataset)? {
            true => Ok(()),
            false => Err(self.lacks(dataset)),
        }
    }

    fn lacks(&self, dataset: &str) -> anyhow::Error {
        let name = file_name(dataset);
        match self {
            Self::Folder(path) => {
                bad_input!("data {}: no {name} in it nor in data/", path.display())
            }
            Self::Archive(path) => bad_input!("data {}: no {name} in it", path.display()),
            Self::Hub(id) => bad_input!("data hub:{id}: no {name} in its {ARCHIVE}"),
        }
    }

    /// The records of `dataset` that `fits` does not refuse.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if there is no such file or no record in it; any other error if the hub
    /// cannot be reached.
    pub fn read(
        &self,
        dataset: &str,
        fits: &dyn Fn(&LongBenchRecord) -> Result<(), String>,
    ) -> Result<Records> {
        match self {
            Self::Folder(folder) => {
                let path = in_folder(folder, dataset).ok_or_else(|| self.lacks(dataset))?;
                let origin = path.display().to_string();
                official(&files::read(&path)?, &origin, fits)
            }
            Self::Archive(path) => in_archive(path, dataset, fits),
            Self::Hub(id) => in_archive(&fetched(id)?, dataset, fits),
        }
    }
}

fn file_name(dataset: &str) -> String {
    format!("{dataset}.jsonl")
}

fn in_folder(folder: &Path, dataset: &str) -> Option<PathBuf> {
    let name = file_name(dataset);
    let places = [folder.join(&name), folder.join("data").join(&name)];
    places.into_iter().find(|path| path.exists())
}

/// The records of a file in LongBench's schema.
fn official(
    bytes: &[u8],
    origin: &str,
    fits: &dyn Fn(&LongBenchRecord) -> Result<(), String>,
) -> Result<Records> {
    read_lines(bytes, origin, "_id", &|line, _| {
        let record = LongBenchRecord::parse(line)?;
        fits(&record).map(|()| record)
    })
}

fn in_archive(
    path: &Path,
    dataset: &str,
    fits: &dyn Fn(&LongBenchRecord) -> Result<(), String>,
) -> Result<Records> {
    let name = file_name(dataset);
    let (bytes, mut left_out) = archive::read(path, &name)?;
    let origin = format!("{}/{name}", path.display());
    let mut records = official(&bytes, &origin, fits)?;
    left_out.append(&mut records.left_out);
    Ok(Records {
        left_out,
        ..records
    })
}

fn fetched(id: &str) -> Result<PathBuf> {
    // A thread that panicked left the list whole.
    let mut fetched = FETCHED.lock().unwrap_or_else(|error| error.into_inner());
    if let Some((_, path)) = fetched.iter().find(|(known, _)| known == id) {
        return Ok(path.clone());
    }
    let path = dataset_file(id, ARCHIVE, &SourceOptions::default())?;
    fetched.push((id.into(), path.clone()));
    Ok(path)
}
