//! Reads zip archives from others within limits on entries, bytes and compression ratio.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use zip::ZipArchive;

use crate::bad_input;
use crate::files;

/// Most files and folders in an archive.
const MOST_ENTRIES: usize = 10_000;
/// Greatest compression ratio of an entry. Text that repeats one sentence stays below 300. One repeated letter reaches
/// 1,032, the most that the format allows.
const MOST_RATIO: u64 = 400;
/// Unpacked bytes from which the ratio is checked; fewer are harmless.
const RATIO_FROM: u64 = 16 << 20;

/// An open archive.
pub(crate) struct Archive {
    zip: ZipArchive<File>,
    bytes: u64,
    name: String,
}

/// A file in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Packed {
    /// Its number in the archive, from 0, by which it is opened.
    pub index: usize,
    /// Its path in the archive, which may lead out of a folder.
    pub name: String,
    /// The same path relative to the folder to unpack into. None if it leads out of that folder.
    pub path: Option<PathBuf>,
}

impl Archive {
    /// Opens the archive at `path`.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a file that is no zip archive, or one with too many entries.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let file = files::open(path)?;
        let bytes = file.metadata().with_context(|| name.clone())?.len();
        let zip = ZipArchive::new(file)
            .map_err(|error| bad_input!("{name}: {error}, expected a zip archive"))?;
        if zip.len() > MOST_ENTRIES {
            return Err(bad_input!(
                "{name}: {} entries, expected at most {MOST_ENTRIES}",
                zip.len()
            ));
        }
        Ok(Self { zip, bytes, name })
    }

    /// The files in it, without its folders.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for an entry that is damaged.
    pub(crate) fn files(&mut self) -> Result<Vec<Packed>> {
        let mut found = Vec::new();
        for index in 0..self.zip.len() {
            let entry = self.zip.by_index(index);
            let entry =
                entry.map_err(|error| bad_input!("{}: entry {index}: {error}", self.name))?;
            if entry.is_file() {
                found.push(Packed {
                    index,
                    name: entry.name().to_owned(),
                    path: entry.enclosed_name(),
                });
            }
        }
        Ok(found)
    }

    /// Unpacks an entry into `out`, at most `most` bytes. Does not rely on sizes that the archive states. Returns the
    /// number of bytes unpacked.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for an entry that is damaged, too large, or compressed beyond the greatest
    /// ratio; any other error if `out` cannot be written to.
    pub(crate) fn unpack(
        &mut self,
        packed: &Packed,
        most: u64,
        out: &mut impl Write,
    ) -> Result<u64> {
        let name = format!("{}: {}", self.name, packed.name);
        let entry = self.zip.by_index(packed.index);
        let mut entry = entry.map_err(|error| bad_input!("{name}: {error}"))?;
        let packed = entry.compressed_size().clamp(1, self.bytes.max(1));
        let mut buffer = vec![0; 1 << 16];
        let mut total = 0;
        loop {
            let read = entry.read(&mut buffer);
            let read = read.map_err(|error| bad_input!("{name}: {error}"))?;
            if read == 0 {
                return Ok(total);
            }
            total += read as u64;
            if total > most {
                return Err(bad_input!("{name}: unpacks to more than {most} bytes"));
            }
            if total > RATIO_FROM && total / packed > MOST_RATIO {
                return Err(bad_input!(
                    "{name}: unpacks to more than {MOST_RATIO} times its {packed} bytes, expected less of a text or a \
                     model"
                ));
            }
            out.write_all(&buffer[..read])
                .with_context(|| name.clone())?;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;
    use tempfile::NamedTempFile;
    use zip::write::{SimpleFileOptions, ZipWriter};

    use super::*;

    fn archive(entries: &[(&str, &[u8])]) -> NamedTempFile {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), zip.finish().unwrap().into_inner()).unwrap();
        file
    }

    fn unpack(file: &NamedTempFile, most: u64) -> Result<Vec<u8>> {
        let mut archive = Archive::open(file.path())?;
        let first = archive.files()?.remove(0);
        let mut out = Vec::new();
        archive.unpack(&first, most, &mut out)?;
        Ok(out)
    }

    #[test]
    fn a_bomb_is_refused_by_ratio_and_by_size() {
        let zeros = vec![0; 32 << 20];
        let bomb = archive(&[("zeros", &zeros)]);
        let said = unpack(&bomb, u64::MAX).unwrap_err().to_string();
        assert!(
            said.contains("zeros: unpacks to more than 400 times its"),
            "{said}"
        );
        let said = unpack(&bomb, 1000).unwrap_err().to_string();
        assert!(
            said.contains("zeros: unpacks to more than 1000 bytes"),
            "{said}"
        );
        // A repeated sentence is not refused as a bomb.
        let text = "The grass is green. The sky is blue. The sun is yellow. ".repeat(400_000);
        let file = archive(&[("text", text.as_bytes())]);
        assert_eq!(unpack(&file, u64::MAX).unwrap().len(), text.len());
    }

    #[test]
    fn names_that_lead_out_have_no_path() {
        let file = archive(&[("../up", b""), ("/root", b""), ("a/b", b"")]);
        let files = Archive::open(file.path()).unwrap().files().unwrap();
        let paths: Vec<_> = files.into_iter().map(|packed| packed.path).collect();
        assert_eq!(paths[0], None);
        assert!(paths[1].as_ref().is_none_or(|path| path.is_relative()));
        assert_eq!(paths[2], Some(PathBuf::from("a/b")));
    }

    proptest! {
        #[test]
        fn damage_is_an_error_and_never_more(at in 0usize..200, to: u8, length in 0usize..200) {
            let file = archive(&[("a.jsonl", b"{\"input\": \"q\"}\n{\"input\": \"q\"}\n"), ("b", b"2")]);
            let mut bytes = std::fs::read(file.path()).unwrap();
            let at = at % bytes.len();
            bytes[at] = to;
            bytes.truncate(bytes.len().saturating_sub(length / 4));
            std::fs::write(file.path(), bytes).unwrap();
            let _ = unpack(&file, 1 << 20);
        }
    }
}
