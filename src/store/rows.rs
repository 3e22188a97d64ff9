//! The vectors of one head, `[len, dim]`, kept in the storage type whatever the arithmetic runs in.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use std::ops::Range;
use std::str::FromStr;

use super::scratch::room;
use crate::bad_input;
use crate::kernel::half::{widen, widen_rows};

/// Element type of stored entries, codewords and magnitudes (setting `kv-dtype`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreType {
    /// IEEE 754 half precision.
    F16,
    /// bfloat16: the upper half of an f32.
    BF16,
    /// IEEE 754 single precision.
    F32,
}

impl StoreType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::F32 => 4,
        }
    }

    /// The least magnitude that does not round to a finite number of this type.
    pub fn limit(self) -> f32 {
        match self {
            // Half a step above the largest: a tie, which rounds to the even neighbour, infinity.
            Self::F16 => 65_520.0,
            Self::BF16 => f32::from_bits(0x7f7f_8000),
            Self::F32 => f32::INFINITY,
        }
    }

    /// The greatest magnitude that rounds to 0 in this type.
    pub fn least(self) -> f32 {
        match self {
            // Half of the smallest: a tie, which rounds to the even neighbour, 0.
            Self::F16 => f16::MIN_POSITIVE_SUBNORMAL.to_f32() / 2.0,
            Self::BF16 => bf16::MIN_POSITIVE_SUBNORMAL.to_f32() / 2.0,
            Self::F32 => 0.0,
        }
    }

    /// The largest finite number of this type.
    pub fn largest(self) -> f32 {
        match self {
            Self::F16 => f16::MAX.to_f32(),
            Self::BF16 => bf16::MAX.to_f32(),
            Self::F32 => f32::MAX,
        }
    }

    /// The word for it in `kv-dtype` and in the column `dtype`.
    pub fn name(self) -> &'static str {
        match self {
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::F32 => "f32",
        }
    }
}

impl FromStr for StoreType {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "f16" => Ok(Self::F16),
            "bf16" => Ok(Self::BF16),
            "f32" => Ok(Self::F32),
            other => Err(bad_input!(
                "kv-dtype = \"{other}\": expected f16, bf16 or f32"
            )),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Elements {
    F16(Vec<f16>),
    BF16(Vec<bf16>),
    F32(Vec<f32>),
}

/// A matrix `[len, dim]` that grows at its end. Reading converts to f32; writing rounds to nearest even.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    dim: usize,
    elements: Elements,
}

impl Rows {
    /// No rows yet, of `dim` elements each.
    pub fn new(dim: usize, store: StoreType) -> Self {
        Self::with_capacity(dim, store, 0)
    }

    /// No rows yet, with memory reserved for `rows` of them.
    pub fn with_capacity(dim: usize, store: StoreType, rows: usize) -> Self {
        let n = rows * dim;
        let elements = match store {
            StoreType::F16 => Elements::F16(Vec::with_capacity(n)),
            StoreType::BF16 => Elements::BF16(Vec::with_capacity(n)),
            StoreType::F32 => Elements::F32(Vec::with_capacity(n)),
        };
        Self { dim, elements }
    }

    /// Rows from `values`, `[len, dim]` row-major.
    pub fn from_f32(dim: usize, store: StoreType, values: &[f32]) -> Self {
        let mut rows = Self::with_capacity(dim, store, values.len() / dim);
        rows.push(values);
        rows
    }

    /// Elements of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Rows held.
    pub fn len(&self) -> usize {
        let elements = match &self.elements {
            Elements::F16(v) => v.len(),
            Elements::BF16(v) => v.len(),
            Elements::F32(v) => v.len(),
        };
        elements / self.dim
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element type that they are stored in.
    pub fn store(&self) -> StoreType {
        match self.elements {
            Elements::F16(_) => StoreType::F16,
            Elements::BF16(_) => StoreType::BF16,
            Elements::F32(_) => StoreType::F32,
        }
    }

    /// Bytes of the elements held, without spare capacity.
    pub fn bytes(&self) -> u64 {
        self.bytes_of(self.len())
    }

    /// Bytes of `len` rows of this width and element type.
    pub fn bytes_of(&self, len: usize) -> u64 {
        (len * self.dim * self.store().size()) as u64
    }

    /// Appends whole rows, `values.len()` a multiple of `dim`.
    pub fn push(&mut self, values: &[f32]) {
        debug_assert_eq!(values.len() % self.dim, 0);
        match &mut self.elements {
            Elements::F16(v) => {
                let start = v.len();
                v.resize(start + values.len(), f16::ZERO);
                v[start..].convert_from_f32_slice(values);
            }
            Elements::BF16(v) => {
                let start = v.len();
                v.resize(start + values.len(), bf16::ZERO);
                v[start..].convert_from_f32_slice(values);
            }
            Elements::F32(v) => v.extend_from_slice(values),
        }
    }

    /// Keeps the first `len` rows.
    pub fn truncate(&mut self, len: usize) {
        let n = len * self.dim;
        match &mut self.elements {
            Elements::F16(v) => v.truncate(n),
            Elements::BF16(v) => v.truncate(n),
            Elements::F32(v) => v.truncate(n),
        }
    }

    /// The rows of `range` as f32: borrowed when stored so, else converted into `scratch`.
    pub fn block<'a>(&'a self, range: Range<usize>, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        let span = range.start * self.dim..range.end * self.dim;
        if let Elements::F32(v) = &self.elements {
            return &v[span];
        }
        let scratch = room(scratch, span.len());
        self.read_span(range, scratch);
        scratch
    }

    /// Writes the rows of `range` as f32 into `out`, `[range, dim]`.
    pub fn read_span(&self, range: Range<usize>, out: &mut [f32]) {
        let span = range.start * self.dim..range.end * self.dim;
        match &self.elements {
            Elements::F16(v) => widen(&v[span], out),
            Elements::BF16(v) => v[span].convert_to_f32_slice(out),
            Elements::F32(v) => out.copy_from_slice(&v[span]),
        }
    }

    /// Writes row `i` as f32 into `out`, `[dim]`.
    pub fn read(&self, i: usize, out: &mut [f32]) {
        self.read_span(i..i + 1, out);
    }

    /// Writes the rows at `indices` as f32 into `out`, `[indices, dim]`.
    pub fn read_all(&self, indices: &[u32], out: &mut [f32]) {
        match &self.elements {
            Elements::F16(v) => widen_rows(v, indices, out),
            _ => {
                for (&i, out) in indices.iter().zip(out.chunks_exact_mut(self.dim)) {
                    self.read(i as usize, out);
                }
            }
        }
    }

    /// All rows as f32, `[len, dim]`.
    pub fn to_f32(&self) -> Vec<f32> {
        let mut scratch = Vec::new();
        self.block(0..self.len(), &mut scratch).to_vec()
    }

    /// The rows at `indices`, in that order, bit for bit.
    pub fn gather(&self, indices: &[u32]) -> Self {
        fn pick<T: Copy>(from: &[T], dim: usize, indices: &[u32]) -> Vec<T> {
            let mut out = Vec::with_capacity(indices.len() * dim);
            for &i in indices {
                out.extend_from_slice(&from[i as usize * dim..(i as usize + 1) * dim]);
            }
            out
        }
        let elements = match &self.elements {
            Elements::F16(v) => Elements::F16(pick(v, self.dim, indices)),
            Elements::BF16(v) => Elements::BF16(pick(v, self.dim, indices)),
            Elements::F32(v) => Elements::F32(pick(v, self.dim, indices)),
        };
        Self {
            dim: self.dim,
            elements,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_the_limit_is_held_and_the_limit_is_not() {
        for store in [StoreType::F16, StoreType::BF16, StoreType::F32] {
            let limit = store.limit();
            let held = Rows::from_f32(1, store, &[limit.next_down(), -store.largest()]).to_f32();
            assert_eq!(held, [store.largest(), -store.largest()]);
            assert!(Rows::from_f32(1, store, &[limit]).to_f32()[0].is_infinite());
            let least = store.least();
            let held = Rows::from_f32(1, store, &[-least, least.next_up()]).to_f32();
            assert!(held[0] == 0.0 && held[1] > 0.0, "{held:?}");
        }
    }
}
