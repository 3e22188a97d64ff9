//! What a cache holds, counted from its own tensors.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Index};

use serde::{Serialize, Serializer};
use strum::{IntoStaticStr, VariantArray};

/// What bytes are spent on: the one list that columns, JSON and legends come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Content {
    /// Keys and values stored whole, or in few bits.
    Entries,
    /// Codewords, each stored once however many entries they stand for.
    Codewords,
    /// For each coded vector, the number of its codeword.
    Indices,
    /// For each vector that is coded with a magnitude, its norm.
    Magnitudes,
    /// Positions of entries whose keys are rotated when they are read.
    Positions,
    /// For each query head, which entries of its KV head it attends to, where those of a group differ.
    Lists,
    /// What the elements of a vector in few bits are multiplied by.
    Scales,
}

impl Content {
    /// All of them, in the order that they are shown.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its name in lower case, as in the column `bytes_entries`.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// Bytes of each [`Content`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bytes([u64; Content::ALL.len()]);

impl Bytes {
    /// `bytes` bytes of one content.
    pub fn of(content: Content, bytes: u64) -> Self {
        let mut all = Self::default();
        all.0[content as usize] = bytes;
        all
    }

    /// Bytes of all contents.
    pub fn total(self) -> u64 {
        self.0.iter().sum()
    }

    /// Each content with its bytes, in the order of [`Content::ALL`].
    pub fn iter(self) -> impl Iterator<Item = (Content, u64)> {
        Content::ALL.iter().copied().zip(self.0)
    }
}

/// As a map from the name of a content to its bytes.
impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(content, bytes)| (content.name(), bytes)))
    }
}

impl Index<Content> for Bytes {
    type Output = u64;

    fn index(&self, content: Content) -> &u64 {
        &self.0[content as usize]
    }
}

impl Add for Bytes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
}

/// Counts and bytes of one layer's cache, or a sum over layers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Footprint {
    /// KV entries held, summed over KV heads (over query heads if entries are stored for each).
    pub entries: u64,
    /// Entries counted once for each query head that keeps them, if query heads select for themselves or entries are
    /// stored for each (as equation 15 counts); else once per KV head.
    pub kept: u64,
    /// Codewords of keys.
    pub codewords_k: u64,
    /// Codewords of values.
    pub codewords_v: u64,
    /// Number of keys and values that are written in codewords.
    pub coded: u64,
    /// Bytes, by what they are spent on.
    pub bytes: Bytes,
}

impl AddAssign for Footprint {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.kept += other.kept;
        self.codewords_k += other.codewords_k;
        self.codewords_v += other.codewords_v;
        self.coded += other.coded;
        self.bytes = self.bytes + other.bytes;
    }
}

impl Sum for Footprint {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), |mut total, part| {
            total += part;
            total
        })
    }
}
