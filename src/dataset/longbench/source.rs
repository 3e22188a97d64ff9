//! Where files of records are: a folder, an archive, or the hub.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::Result;

use super::{LongBenchRecord, Records, archive, read_lines};
use crate::bad_input;
use crate::files;
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
    /// [`BadInput`](crate::error::BadInput) if it is a path to nothing.
    pub fn parse(text: &str) -> Result<Self> {
        let path = Path::new(text);
        match text.split_once(':') {
            None if text == "hub" => Ok(Self::Hub(OFFICIAL.into())),
            Some(("hub", dataset)) => Ok(Self::Hub(dataset.into())),
            _ if path.is_dir() => Ok(Self::Folder(path.into())),
            _ if path.is_file() => Ok(Self::Archive(path.into())),
            _ => Err(bad_input!(
                "data {text}: no such folder or file, expected a folder of .jsonl files, a data.zip, hub, or \
                 hub:owner/name[@revision]"
            )),
        }
    }

    /// That the records of `dataset` are there, as far as that can be said without reading or fetching.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) that says what is missing.
    pub fn check(&self, dataset: &str) -> Result<()> {
        match self {
            Self::Folder(folder) => in_folder(folder, dataset).map(drop),
            Self::Archive(_) | Self::Hub(_) => Ok(()),
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
                let path = in_folder(folder, dataset)?;
                let origin = path.display().to_string();
                let file = files::open(&path)?;
                read_lines(BufReader::new(file), &origin, fits)
            }
            Self::Archive(path) => in_archive(path, dataset, fits),
            Self::Hub(id) => in_archive(&fetched(id)?, dataset, fits),
        }
    }
}

fn in_folder(folder: &Path, dataset: &str) -> Result<PathBuf> {
    let name = format!("{dataset}.jsonl");
    let places = [folder.join(&name), folder.join("data").join(&name)];
    let found = places.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| {
        bad_input!(
            "data {}: no {name} in it nor in data/ (--tasks chooses among tasks)",
            folder.display()
        )
    })
}

fn in_archive(
    path: &Path,
    dataset: &str,
    fits: &dyn Fn(&LongBenchRecord) -> Result<(), String>,
) -> Result<Records> {
    let name = format!("{dataset}.jsonl");
    let (bytes, mut left_out) = archive::read(path, &name)?;
    let origin = format!("{}/{name}", path.display());
    let mut records = read_lines(&bytes[..], &origin, fits)?;
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
