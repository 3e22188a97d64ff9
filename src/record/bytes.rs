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

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    let columns = BTreeMap::<String, serde_json::Value>::deserialize(deserializer)?;
    Content::ALL
        .iter()
        .try_fold(Bytes::default(), |sum, &content| {
            let column = column(content);
            let found = columns.get(&column).unwrap_or(&serde_json::Value::Null);
            let bytes = found.as_u64().ok_or_else(|| {
                Error::custom(format!("{column} is `{found}`, expected a whole number"))
            })?;
            Ok(sum + Bytes::of(content, bytes))
        })
}
