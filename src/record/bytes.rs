//! The columns of what bytes are spent on.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

use crate::store::{Bytes, Content};

/// The column of one content.
pub(super) fn column(content: Content) -> String {
    format!("bytes_{}", content.name())
}

pub(super) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    let columns = bytes
        .iter()
        .map(|(content, bytes)| (column(content), bytes));
    serializer.collect_map(columns)
}

/// Whether a column is of one content.
pub(super) fn is_column(name: &str) -> bool {
    Content::ALL.iter().any(|&content| column(content) == name)
}

/// A cell of any column.
#[derive(Deserialize)]
#[serde(untagged)]
enum Cell {
    Whole(u64),
    Number(f64),
    Text(String),
}

/// A content without a column was not known to the version that wrote the file: there are none of its bytes.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let columns = BTreeMap::<String, Cell>::deserialize(deserializer)?;
    let of = |content| columns.get(&column(content)).map(|found| (content, found));
    let mut found = Content::ALL.iter().copied().filter_map(of).peekable();
    if found.peek().is_none() {
        return Err(Error::custom("no column of bytes but `bytes_dense`"));
    }
    found.try_fold(Bytes::default(), |sum, (content, found)| {
        let shown: &dyn std::fmt::Display = match found {
            Cell::Whole(bytes) => return Ok(sum + Bytes::of(content, *bytes)),
            Cell::Number(number) => number,
            Cell::Text(text) => text,
        };
        let column = column(content);
        Err(Error::custom(format!(
            "{column} is `{shown}`, expected a whole number"
        )))
    })
}
