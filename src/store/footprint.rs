//! What a cache holds, counted from its own tensors.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Index};

/// What bytes are spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Keys and values stored whole, or in few bits.
    Entries,
    Codewords,
    Indices,
    Magnitudes,
    Positions,
    /// Of which query head attends to which entries.
    Lists,
}

impl Content {
    pub const ALL: [Self; 6] = [
        Self::Entries,
        Self::Codewords,
        Self::Indices,
        Self::Magnitudes,
        Self::Positions,
        Self::Lists,
    ];
}

/// Bytes of each [`Content`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bytes([u64; Content::ALL.len()]);

impl Bytes {
    /// In the order of [`Content::ALL`].
    pub const fn new(bytes: [u64; Content::ALL.len()]) -> Self {
        Self(bytes)
    }

    /// So many bytes of one content.
    pub fn of(content: Content, bytes: u64) -> Self {
        let mut all = Self::default();
        all.0[content as usize] = bytes;
        all
    }

    /// All of them.
    pub fn total(self) -> u64 {
        self.0.iter().sum()
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
    /// KV entries that can be attended to, over the KV heads (over the query heads where entries are stored so).
    pub entries: u64,
    /// Entries counted once for each query head that keeps them, where query heads select for themselves, whether or
    /// not they agree, or are stored apart (equation 15 counts so); once per KV head where its query heads select
    /// together.
    pub kept: u64,
    pub codewords_k: u64,
    pub codewords_v: u64,
    pub bytes: Bytes,
}

impl AddAssign for Footprint {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.kept += other.kept;
        self.codewords_k += other.codewords_k;
        self.codewords_v += other.codewords_v;
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
