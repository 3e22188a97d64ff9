//! Lists of whole numbers in the smallest unsigned type that holds them, so that few bytes are stored.

use std::ops::Range;

/// Codeword indices, positions or entry lists. Grows at the end and widens when a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Indices {
    /// Values up to 255.
    U8(Vec<u8>),
    /// Values up to 65,535, one at least above 255 when the list was made.
    U16(Vec<u16>),
    /// Values up to the largest u32.
    U32(Vec<u32>),
}

impl Indices {
    /// The list of `values`, in the smallest type that holds the largest of them.
    pub fn from_slice(values: &[u32]) -> Self {
        let largest = values.iter().copied().max().unwrap_or(0);
        if largest <= u8::MAX.into() {
            Self::U8(values.iter().map(|&v| v as u8).collect())
        } else if largest <= u16::MAX.into() {
            Self::U16(values.iter().map(|&v| v as u16).collect())
        } else {
            Self::U32(values.to_vec())
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::U32(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Value number `i`, from 0.
    ///
    /// # Panics
    /// When there are fewer.
    pub fn get(&self, i: usize) -> usize {
        match self {
            Self::U8(v) => v[i].into(),
            Self::U16(v) => v[i].into(),
            Self::U32(v) => v[i] as usize,
        }
    }

    /// All values, in order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).map(|i| self.get(i))
    }

    /// Replaces the contents of `out` by the values of `range`.
    pub fn read(&self, range: Range<usize>, out: &mut Vec<u32>) {
        out.clear();
        match self {
            Self::U8(v) => out.extend(v[range].iter().map(|&v| u32::from(v))),
            Self::U16(v) => out.extend(v[range].iter().map(|&v| u32::from(v))),
            Self::U32(v) => out.extend_from_slice(&v[range]),
        }
    }

    /// Appends `value`; all values are stored anew in a larger type where it does not fit.
    pub fn push(&mut self, value: u32) {
        match self {
            Self::U8(v) if value <= u8::MAX.into() => v.push(value as u8),
            Self::U16(v) if value <= u16::MAX.into() => v.push(value as u16),
            Self::U32(v) => v.push(value),
            _ => {
                let mut values: Vec<u32> = self.iter().map(|v| v as u32).collect();
                values.push(value);
                *self = Self::from_slice(&values);
            }
        }
    }

    /// The values at `places`, in that order, in the smallest type that holds them.
    pub fn gather(&self, places: &[u32]) -> Self {
        let values = places.iter().map(|&i| self.get(i as usize) as u32);
        Self::from_slice(&values.collect::<Vec<_>>())
    }

    /// Bytes of one element of a list whose largest value is `largest`.
    pub fn width(largest: usize) -> u64 {
        match largest {
            0..=0xff => 1,
            0x100..=0xffff => 2,
            _ => 4,
        }
    }

    /// Bytes of the values, without spare capacity.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::U8(v) => v.len() as u64,
            Self::U16(v) => 2 * v.len() as u64,
            Self::U32(v) => 4 * v.len() as u64,
        }
    }
}
