//! The header of a GGUF file: metadata and tensor list, in candle's types.
//!
//! Candle's reader is not used: it names neither the tensor nor the type that it does not know, takes the last of two
//! entries of one name, and makes 32 bytes in memory of each byte of an array. The layout is in `docs/gguf.md` of ggml.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, Result};
use candle_core::Shape;
use candle_core::quantized::gguf_file::{
    Content, DEFAULT_ALIGNMENT, TensorInfo, Value, VersionedMagic,
};

use super::types;
use crate::bad_input;
use crate::files;
use crate::terminal;

/// Bytes of a header. Those of the largest vocabularies have some ten million.
const MOST_BYTES: u64 = 1 << 28;
/// Values in all of a header, items of arrays counted: the largest vocabularies have a million, of 32 bytes in memory.
const MOST_VALUES: u64 = 1 << 22;
const MOST_KEYS: u64 = 1 << 16;
const MOST_TENSORS: u64 = 1 << 18;
const MOST_DIMENSIONS: u32 = 4;
/// Arrays within arrays.
const DEEPEST: usize = 4;

/// Reads the header of the file at `path`. Returns the file's length too.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) as [`read`], and for a file that cannot be opened.
pub(super) fn of_file(path: &Path) -> Result<(Content, u64)> {
    let name = path.display().to_string();
    let file = files::open(path)?;
    let length = file.metadata();
    let length = length
        .with_context(|| format!("reading the length of {name}"))?
        .len();
    let content = read(BufReader::with_capacity(1 << 20, file), length, &name)?;
    Ok((content, length))
}

/// Reads the header of the file called `name`, of `length` bytes.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) naming the file and the key or tensor that is damaged or not supported. Memory
/// is taken for bytes that were there alone, and less than a GiB of it.
fn read(source: impl Read, length: u64, name: &str) -> Result<Content> {
    let mut reader = Reader {
        source,
        name,
        length,
        position: 0,
        wide: true,
        values: 0,
    };
    if reader.array::<4>("its first bytes")? != *b"GGUF" {
        return Err(reader.wrong("its first bytes are not GGUF"));
    }
    let magic = match reader.u32("its version")? {
        1 => VersionedMagic::GgufV1,
        2 => VersionedMagic::GgufV2,
        3 => VersionedMagic::GgufV3,
        other => return Err(reader.wrong(&format!("version {other}, expected 1 to 3"))),
    };
    reader.wide = magic != VersionedMagic::GgufV1;
    let tensors = reader.count("tensors", MOST_TENSORS)?;
    let entries = reader.count("keys", MOST_KEYS)?;
    let mut metadata = HashMap::new();
    for _ in 0..entries {
        let key = reader.text("a key")?;
        let kind = reader.u32(&key)?;
        let value = reader.value(kind, &key, 0)?;
        match metadata.entry(key) {
            Entry::Vacant(place) => place.insert(value),
            Entry::Occupied(place) => {
                return Err(reader.wrong(&format!("key {} stands there twice", place.key())));
            }
        };
    }
    let mut tensor_infos = HashMap::new();
    for _ in 0..tensors {
        let tensor = reader.text("the name of a tensor")?;
        let info = reader.tensor(&tensor)?;
        match tensor_infos.entry(tensor) {
            Entry::Vacant(place) => place.insert(info),
            Entry::Occupied(place) => {
                return Err(reader.wrong(&format!("tensor {} stands there twice", place.key())));
            }
        };
    }
    let alignment = match metadata.get("general.alignment") {
        None => DEFAULT_ALIGNMENT,
        Some(value) => match value.to_u64() {
            Ok(alignment) if alignment.is_power_of_two() && alignment <= 1 << 20 => alignment,
            _ => return Err(reader.wrong(
                "general.alignment is not what it must be, expected a power of two, up to 1048576",
            )),
        },
    };
    Ok(Content {
        magic,
        metadata,
        tensor_infos,
        tensor_data_offset: reader.position.next_multiple_of(alignment),
    })
}

struct Reader<'a, R> {
    source: R,
    name: &'a str,
    length: u64,
    position: u64,
    /// Lengths are of eight bytes, not of four.
    wide: bool,
    /// Read so far.
    values: u64,
}

impl<R: Read> Reader<'_, R> {
    fn wrong(&self, what: &str) -> anyhow::Error {
        bad_input!(
            "{}: {what} (before byte {} of {} bytes), expected a complete GGUF file",
            self.name,
            self.position,
            self.length
        )
    }

    /// The next bytes, of `what`.
    fn fill(&mut self, bytes: &mut [u8], what: &str) -> Result<()> {
        let end = self.position + bytes.len() as u64;
        match self.source.read_exact(bytes) {
            Ok(()) if end <= MOST_BYTES => {
                self.position = end;
                Ok(())
            }
            Ok(()) => Err(self.wrong(&format!("its header is longer than {MOST_BYTES} bytes"))),
            Err(_) => Err(self.wrong(&format!("the file ends within {}", shown(what)))),
        }
    }

    fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N]> {
        let mut array = [0; N];
        self.fill(&mut array, what)?;
        Ok(array)
    }

    fn count(&mut self, what: &str, most: u64) -> Result<u64> {
        match self.length(&format!("the number of {what}"))? {
            count if count <= most => Ok(count),
            count => Err(self.wrong(&format!("{count} {what}, more than {most}"))),
        }
    }

    fn u32(&mut self, what: &str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    fn u64(&mut self, what: &str) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    fn length(&mut self, what: &str) -> Result<u64> {
        match self.wide {
            true => self.u64(what),
            false => self.u32(what).map(u64::from),
        }
    }

    fn text(&mut self, what: &str) -> Result<String> {
        let length = self.length(what)?;
        if length > (self.length - self.position).min(MOST_BYTES) {
            return Err(self.wrong(&format!("{} has {length} bytes", shown(what))));
        }
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes, what)?;
        // Some files end their texts with a zero, as C does.
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    fn value(&mut self, kind: u32, key: &str, depth: usize) -> Result<Value> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(self.wrong(&format!("more than {MOST_VALUES} values")));
        }
        Ok(match kind {
            0 => Value::U8(self.array::<1>(key)?[0]),
            1 => Value::I8(i8::from_le_bytes(self.array(key)?)),
            2 => Value::U16(u16::from_le_bytes(self.array(key)?)),
            3 => Value::I16(i16::from_le_bytes(self.array(key)?)),
            4 => Value::U32(self.u32(key)?),
            5 => Value::I32(i32::from_le_bytes(self.array(key)?)),
            6 => Value::F32(f32::from_le_bytes(self.array(key)?)),
            7 => match self.array::<1>(key)?[0] {
                0 => Value::Bool(false),
                1 => Value::Bool(true),
                other => {
                    let what = format!("key {} is {other}, expected 0 or 1", shown(key));
                    return Err(self.wrong(&what));
                }
            },
            8 => Value::String(self.text(key)?),
            9 if depth < DEEPEST => {
                let kind = self.u32(key)?;
                let count = self.length(key)?;
                let items = (0..count).map(|_| self.value(kind, key, depth + 1));
                Value::Array(items.collect::<Result<_>>()?)
            }
            10 => Value::U64(self.u64(key)?),
            11 => Value::I64(i64::from_le_bytes(self.array(key)?)),
            12 => Value::F64(f64::from_le_bytes(self.array(key)?)),
            other => {
                let what = format!("key {} has a value of type {other}", shown(key));
                return Err(self.wrong(&what));
            }
        })
    }

    fn tensor(&mut self, tensor: &str) -> Result<TensorInfo> {
        let dimensions = self.u32(tensor)?;
        if dimensions > MOST_DIMENSIONS {
            let what = format!("tensor {} has {dimensions} dimensions", shown(tensor));
            return Err(self.wrong(&what));
        }
        let mut shape = Vec::new();
        for _ in 0..dimensions {
            shape.push(self.length(tensor)? as usize);
        }
        // The file has the fastest dimension first.
        shape.reverse();
        let number = self.u32(tensor)?;
        let offset = self.u64(tensor)?;
        let (kind, read) = match types::of(number) {
            Some((kind, read)) => (kind.to_owned(), read),
            None => (format!("unknown type {number}"), None),
        };
        let Some(ggml_dtype) = read else {
            return Err(bad_input!(
                "{}: tensor {} is {kind}, which is not supported, expected one of {}",
                self.name,
                shown(tensor),
                types::supported()
            ));
        };
        Ok(TensorInfo {
            ggml_dtype,
            shape: Shape::from(shape),
            offset,
        })
    }
}

/// A name from the file, cut where it is long.
fn shown(name: &str) -> String {
    terminal::cut(name, 60)
}
