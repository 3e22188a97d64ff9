//! How the attention of the window's queries becomes one score per entry.

// The method that strum derives, `into_str`, has no documentation.
#![allow(missing_docs)]

use serde::Deserialize;
use strum::{IntoStaticStr, VariantNames};

/// How the attention of the window's queries is reduced to one score per entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum Normalisation {
    /// The sum over the window's queries (SnapKV, PyramidKV in KVCache-Factory).
    Sum,
    /// The mean over the window's queries (kvpress). Ranks as [`Normalisation::Sum`] does.
    Mean,
    /// SpindleKV's eq. 2 as printed: the sum divided by `len - a` for entry `a`, the number of queries that can see it,
    /// though only the window's are summed. Favours late entries.
    Literal,
}
