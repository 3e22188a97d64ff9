//! Prose to make samples of: the project's own texts, or those of a folder.

mod json;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, Result};
use include_dir::{Dir, include_dir};
use sha2::{Digest, Sha256};
use walkdir::{DirEntry, WalkDir};

use self::json::{Found, TextObject};
use crate::{bad_input, files, memory, terminal};

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
/// `PaulGrahamEssays.json` does. `folder` may also be one such file. Names that start with a dot are passed over, and
/// so are JSON files that begin with something else: results may lie in the same folder.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) if something cannot be read, a link leads back to a folder that it is in, no
/// text is there or all are empty, or a file is not what its name says.
pub fn read_texts(folder: &Path) -> Result<Texts> {
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
    let (mut texts, mut passed_over) = (Vec::new(), Vec::new());
    for path in &paths {
        match Format::of(path) {
            Some(Format::Plain) | None => texts.push(read_text(path)?),
            Some(Format::Json) => match read_json(path)? {
                Ok(found) => texts.extend(found),
                Err(reason) => passed_over.push(reason),
            },
        }
    }
    if let (Some(reason), true) = (passed_over.first(), texts.is_empty()) {
        return Err(bad_input!("{reason}"));
    }
    if texts.iter().all(|text| text.trim().is_empty()) {
        return Err(bad_input!(
            "haystack folder {named}: its texts are empty, expected prose"
        ));
    }
    Ok(Texts { texts, passed_over })
}

/// What a folder holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// The texts, files in the order of their paths.
    pub texts: Vec<String>,
    /// JSON files that hold no texts, each with the reason.
    pub passed_over: Vec<String>,
}

/// The text of a file, with lines that end in a line feed alone.
///
/// # Errors
/// As [`files::read_text`].
pub fn read_text(path: &Path) -> Result<String> {
    files::read_text(path).map(files::unix_lines)
}

/// The texts of `folder`, or the project's own without one.
///
/// # Errors
/// As [`read_texts`] and [`own_texts`].
pub fn of(folder: Option<&Path>) -> Result<Vec<String>> {
    folder.map_or_else(own_texts, |folder| Ok(read_texts(folder)?.texts))
}

/// That `folder`, where there is one, holds texts. Says on standard error, once for each folder, what is passed over.
///
/// # Errors
/// As [`read_texts`].
pub fn check(folder: Option<&Path>) -> Result<()> {
    static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let Some(folder) = folder else {
        return Ok(());
    };
    let passed_over = read_texts(folder)?.passed_over;
    let Some(first) = passed_over.first() else {
        return Ok(());
    };
    let others = match passed_over.len() - 1 {
        0 => String::new(),
        count => format!(", and {count} more"),
    };
    let note = format!("{first}: passed over{others}");
    // A thread that panicked left the set whole.
    let mut said = SAID.lock().unwrap_or_else(|error| error.into_inner());
    if said.insert(note.clone()) {
        terminal::note(&note);
    }
    Ok(())
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
    files::place(folder)?;
    for (count, entry) in walk.into_iter().filter_entry(shown).enumerate() {
        let entry = entry.map_err(|error| {
            let path = error.path().unwrap_or(folder).display().to_string();
            let cause = error
                .io_error()
                .map_or_else(|| error.to_string(), ToString::to_string);
            bad_input!("haystack folder {named}: {path}: {cause}, expected a folder of texts")
        })?;
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

/// The texts of a JSON file, or why it holds none: it begins with something else.
fn read_json(path: &Path) -> Result<Result<Vec<String>, String>> {
    let content = files::read_text(path)?;
    let mut values = serde_json::Deserializer::from_str(&content).into_iter::<TextObject>();
    let mut texts = Vec::new();
    while let Some(found) = values.next() {
        let mut line = None;
        let problem = match found {
            Ok(TextObject(Some(Found::Text(text)))) => {
                texts.push(files::unix_lines(text));
                continue;
            }
            Ok(TextObject(Some(Found::Other))) => "\"text\" is no text".to_string(),
            Ok(TextObject(None)) => "an object without \"text\"".into(),
            Err(error) => {
                line = Some(error.line());
                let said = error.to_string();
                said.split(" at line ").next().unwrap_or_default().into()
            }
        };
        let read = || content[..values.byte_offset()].trim_end();
        let line = line.unwrap_or_else(|| 1 + read().matches('\n').count());
        let reason = format!(
            "{}:{line}: {problem}, expected objects with \"text\" = a text",
            path.display()
        );
        return match texts.is_empty() {
            true => Ok(Err(reason)),
            false => Err(bad_input!("{reason}")),
        };
    }
    Ok(Ok(texts))
}
