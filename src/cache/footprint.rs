//! What a cache holds, counted from its own tensors.

use std::iter::Sum;
use std::ops::AddAssign;

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
    /// Bytes of keys and values stored whole.
    pub bytes_entries: u64,
    pub bytes_codewords: u64,
    pub bytes_indices: u64,
    pub bytes_magnitudes: u64,
    pub bytes_positions: u64,
    /// Bytes of the lists that tell each query head which entries it attends to.
    pub bytes_lists: u64,
}

impl Footprint {
    /// All bytes held.
    pub fn bytes(&self) -> u64 {
        self.bytes_entries
            + self.bytes_codewords
            + self.bytes_indices
            + self.bytes_magnitudes
            + self.bytes_positions
            + self.bytes_lists
    }
}

impl AddAssign for Footprint {
    fn add_assign(&mut self, other: Self) {
        self.entries += other.entries;
        self.kept += other.kept;
        self.codewords_k += other.codewords_k;
        self.codewords_v += other.codewords_v;
        self.bytes_entries += other.bytes_entries;
        self.bytes_codewords += other.bytes_codewords;
        self.bytes_indices += other.bytes_indices;
        self.bytes_magnitudes += other.bytes_magnitudes;
        self.bytes_positions += other.bytes_positions;
        self.bytes_lists += other.bytes_lists;
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
