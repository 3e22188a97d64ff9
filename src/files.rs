//! Reads the files that a user names: regular files only, bounded by memory, text without a byte order mark.

use std::fs::{self, File, Metadata};
use std::io::Read;
use std::path::Path;

use anyhow::Result;

use crate::bad_input;
use crate::memory;

/// Opens a regular file.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) naming `path`: it cannot be read, or is a folder, a pipe or a device, whose
/// reading might never end.
pub fn open(path: &Path) -> Result<File> {
    // Checked before opening, because opening a pipe waits for a writer.
    let kind = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    check_regular(path, &kind)?;
    File::open(path).map_err(|error| unreadable(path, &error))
}

/// Whether an optional regular file is at `path`. Anything else there is refused.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) for a folder, a pipe, a device, or a link that leads nowhere.
pub fn is_there(path: &Path) -> Result<bool> {
    if fs::symlink_metadata(path).is_err() {
        return Ok(false);
    }
    let Ok(kind) = fs::metadata(path) else {
        return Err(bad_input!(
            "{}: a link that leads nowhere, expected a regular file",
            path.display()
        ));
    };
    check_regular(path, &kind)?;
    Ok(true)
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A folder, or a link to one.
    Folder,
    /// A regular file, or a link to one.
    File,
    /// Nothing, or something that cannot be examined: a link that leads nowhere, a folder that may not be read.
    Nothing,
}

/// Tells what is at `path`, where a folder or a file may be meant.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) for a pipe, a device or a socket.
pub fn place(path: &Path) -> Result<Place> {
    match fs::metadata(path) {
        Err(_) => Ok(Place::Nothing),
        Ok(kind) if kind.is_dir() => Ok(Place::Folder),
        Ok(kind) if kind.is_file() => Ok(Place::File),
        Ok(_) => Err(bad_input!(
            "{}: {NO_FILE}, expected a regular file or a folder",
            path.display()
        )),
    }
}

/// Words for what is neither a file nor a folder.
const NO_FILE: &str = "a pipe or a device";

fn check_regular(path: &Path, kind: &Metadata) -> Result<()> {
    let found = match (kind.is_file(), kind.is_dir()) {
        (true, _) => return Ok(()),
        (_, true) => "a folder",
        _ => NO_FILE,
    };
    Err(bad_input!(
        "{}: {found}, expected a regular file",
        path.display()
    ))
}

/// The content of a regular file.
///
/// # Errors
/// As [`open`]; also for a file larger than this machine's memory.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let file = open(path)?;
    let size = file.metadata().map_or(0, |found| found.len());
    memory::check(size, &format_args!("{}: its content", path.display()))?;
    fs::read(path).map_err(|error| unreadable(path, &error))
}

/// The text of a regular UTF-8 file, without the byte order mark that some editors write.
///
/// # Errors
/// As [`read`]; also for a file that is not UTF-8, with the line of the first wrong byte.
pub fn read_text(path: &Path) -> Result<String> {
    text(read(path)?, &path.display().to_string())
}

/// Most bytes of a description. Its values can take a hundred times as much memory as its text.
const DESCRIPTION: u64 = 8 << 20;

/// The text of a file that describes something: a configuration, a tokenizer's settings, a template, an experiment. Its
/// lines end in a line feed alone.
///
/// # Errors
/// As [`read_text`]; also a file of more than 8 MiB, before it is read.
pub fn read_description(path: &Path) -> Result<String> {
    read_text_within(path, DESCRIPTION).map(unix_lines)
}

/// The text of a file of at most `most` bytes.
///
/// # Errors
/// As [`read_text`]; also a larger file, before it is read.
pub fn read_text_within(path: &Path, most: u64) -> Result<String> {
    let size = open(path)?.metadata().map_or(0, |found| found.len());
    if size > most {
        return Err(bad_input!(
            "{}: {size} bytes, expected at most {most}",
            path.display()
        ));
    }
    read_text(path)
}

/// The text on standard input, which may be a pipe.
///
/// # Errors
/// As [`text`]; also for more bytes than this machine's memory.
pub fn standard_input() -> Result<String> {
    const NAME: &str = "standard input";
    let mut bytes = Vec::new();
    let most = memory::total() / 2;
    let mut input = std::io::stdin().lock().take(most + 1);
    let read = input.read_to_end(&mut bytes);
    let read = read.map_err(|error| bad_input!("{NAME}: cannot be read: {error}"))? as u64;
    if read > most {
        return Err(bad_input!(
            "{NAME}: more than {most} bytes, half of this machine's memory"
        ));
    }
    text(bytes, NAME)
}

/// Bytes of the file called `name` as text, without a byte order mark.
///
/// # Errors
/// If the bytes are not UTF-8, with the line of the first wrong byte.
pub fn text(bytes: Vec<u8>, name: &str) -> Result<String> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        bad_input!("{name}:{line}: not UTF-8, expected a text file in UTF-8")
    })?;
    Ok(match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// `text` with lines that end in a line feed alone, as Python reads text files.
pub fn unix_lines(text: String) -> String {
    match text.contains('\r') {
        true => text.replace("\r\n", "\n"),
        false => text,
    }
}

/// What some editors write at the beginning of a UTF-8 file.
pub const BYTE_ORDER_MARK: char = '\u{feff}';

fn unreadable(path: &Path, error: &std::io::Error) -> anyhow::Error {
    bad_input!("{}: cannot be read: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_regular_file_is_refused() {
        for (path, says) in [
            ("/dev/zero", "a pipe or a device"),
            (".", "a folder"),
            ("absent", "cannot be read"),
        ] {
            let error = read_text(Path::new(path)).expect_err(path).to_string();
            assert!(error.contains(path) && error.contains(says), "{error}");
        }
    }

    #[test]
    fn a_place_is_a_folder_a_file_or_nothing() -> Result<()> {
        for (path, expected) in [
            (".", Place::Folder),
            ("Cargo.toml", Place::File),
            ("absent", Place::Nothing),
        ] {
            assert_eq!(place(Path::new(path))?, expected);
        }
        let error = place(Path::new("/dev/zero")).expect_err("a device");
        assert!(error.to_string().starts_with("/dev/zero: a pipe or"));
        Ok(())
    }

    #[test]
    fn text_has_no_mark_and_is_utf_8() -> Result<()> {
        assert_eq!(text("\u{feff}a\u{feff}".into(), "x")?, "a\u{feff}");
        let error = text(b"one\ntwo \xff".to_vec(), "x").expect_err("not UTF-8");
        assert!(error.to_string().starts_with("x:2: not UTF-8"), "{error}");
        Ok(())
    }
}
