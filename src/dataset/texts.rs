//! Prose to make samples of: the project's own texts, or those of a folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};
use walkdir::{DirEntry, WalkDir};

use crate::{bad_input, files, memory};

/// The project's own texts.
static TEXTS: Dir = include_dir!("$CARGO_MANIFEST_DIR/datasets/haystack");

/// Folders within folders, at most.
const MOST_DEPTH: usize = 16;
/// Files and folders looked at, at most.
const MOST_ENTRIES: usize = 100_000;

/// The project's own texts, from the binary.
///
/// # Errors
/// If one of them is not UTF-8.
pub fn own_texts() -> Result<Vec<String>> {
    let mut files: Vec<_> = TEXTS
        .files()
        .filter(|file| Format::of(file.path()).is_some())
        .collect();
    files.sort_by_key(|file| file.path());
    let text = |file: &include_dir::File| {
        let text = file.contents_utf8();
        text.map(str::to_owned)
            .with_context(|| format!("{}: not UTF-8", file.path().display()))
    };
    files.into_iter().map(text).collect()
}

/// The texts of `folder` and its subfolders, sorted by name within each folder: files that end in `.txt`, `.md`,
/// `.json` or `.jsonl`, in capitals or not. A JSON file holds `{"text": ...}`, once or on each line, as RULER's
/// `PaulGrahamEssays.json` does. `folder` may also be one such file. Names that start with a dot are passed over.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) if something cannot be read, a link leads back to a folder that it is in, no
/// such file is there or all are empty, or one is not what its name says.
pub fn read_texts(folder: &Path) -> Result<Vec<String>> {
    let paths = text_files(folder)?;
    let named = folder.display();
    if paths.is_empty() {
        return Err(bad_input!(
            "haystack folder {named}: no text files, expected *.txt, *.md, *.json or *.jsonl"
        ));
    }
    let size = |path: &PathBuf| path.metadata().map_or(0, |found| found.len());
    let bytes = paths.iter().map(size).sum();
    memory::check(bytes, &format_args!("haystack folder {named}: its texts"))?;
    let mut texts = Vec::new();
    for path in &paths {
        match Format::of(path) {
            Some(Format::Plain) | None => texts.push(read_text(path)?),
            Some(Format::Json) => texts.extend(read_json(path)?),
        }
    }
    if texts.iter().all(|text| text.trim().is_empty()) {
        return Err(bad_input!(
            "haystack folder {named}: its texts are empty, expected prose"
        ));
    }
    Ok(texts)
}

/// The text of a file, with lines that end in a line feed alone.
///
/// # Errors
/// As [`files::read_text`].
pub fn read_text(path: &Path) -> Result<String> {
    files::read_text(path).map(unix_lines)
}

/// The texts of `folder`, or the project's own without one.
///
/// # Errors
/// As [`read_texts`] and [`own_texts`].
pub fn of(folder: Option<&Path>) -> Result<Vec<String>> {
    folder.map_or_else(own_texts, read_texts)
}

/// That `folder`, where there is one, holds texts.
///
/// # Errors
/// As [`read_texts`].
pub fn check(folder: Option<&Path>) -> Result<()> {
    folder.map(read_texts).transpose().map(|_| ())
}

/// SHA-256 of the texts in order, each ended by a zero byte.
pub fn digest(texts: &[String]) -> String {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update(text.as_bytes());
        digest.update([0]);
    }
    format!("{:x}", digest.finalize())
}

/// How a file holds text.
enum Format {
    Plain,
    Json,
}

impl Format {
    /// By what the file's name ends in; none: it holds no text.
    fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "txt" | "md" => Some(Self::Plain),
            "json" | "jsonl" => Some(Self::Json),
            _ => None,
        }
    }
}

fn text_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let shown = |entry: &DirEntry| {
        entry.depth() == 0 || !entry.file_name().as_encoded_bytes().starts_with(b".")
    };
    let named = folder.display();
    let walk = WalkDir::new(folder)
        .follow_links(true)
        .max_depth(MOST_DEPTH + 1)
        .sort_by_file_name();
    let mut paths = Vec::new();
    for (count, entry) in walk.into_iter().filter_entry(shown).enumerate() {
        let entry = entry.map_err(|error| bad_input!("haystack folder {named}: {error}"))?;
        if count == MOST_ENTRIES {
            return Err(bad_input!(
                "haystack folder {named}: more than {MOST_ENTRIES} files, expected a folder of texts"
            ));
        }
        if entry.depth() > MOST_DEPTH {
            let path = entry.path().display();
            return Err(bad_input!(
                "haystack folder {named}: {path}: expected at most {MOST_DEPTH} folders within each other"
            ));
        }
        if !entry.file_type().is_dir() && Format::of(entry.path()).is_some() {
            paths.push(entry.into_path());
        }
    }
    Ok(paths)
}

fn read_json(path: &Path) -> Result<Vec<String>> {
    type Object = serde_json::Map<String, serde_json::Value>;
    let content = files::read_text(path)?;
    let expected = "expected objects with \"text\" = a text";
    let mut values = serde_json::Deserializer::from_str(&content).into_iter::<Object>();
    let mut texts = Vec::new();
    while let Some(found) = values.next() {
        let mut found = found.map_err(|error| {
            let (line, column) = (error.line(), error.column());
            let what = error.to_string();
            let what = what.split(" at line ").next().unwrap_or_default();
            bad_input!("{}:{line}:{column}: {what}, {expected}", path.display())
        })?;
        match found.remove("text") {
            Some(serde_json::Value::String(text)) => texts.push(unix_lines(text)),
            found => {
                let line = 1 + content[..values.byte_offset()]
                    .trim_end()
                    .matches('\n')
                    .count();
                let what = match found {
                    Some(_) => "\"text\" is no text",
                    None => "an object without \"text\"",
                };
                return Err(bad_input!("{}:{line}: {what}, {expected}", path.display()));
            }
        }
    }
    Ok(texts)
}

fn unix_lines(text: String) -> String {
    match text.contains('\r') {
        true => text.replace("\r\n", "\n"),
        false => text,
    }
}
