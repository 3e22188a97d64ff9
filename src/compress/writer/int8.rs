//! Vectors in 8 bits an element and one scale: `x = scale * level`, level from -127 to 127, symmetric.

use std::ops::Range;

use multiversion::multiversion;

use super::write::{Measured, SideView, Writer, WriterEntry, WriterPlan, Written};
use crate::compress::choice::Choice;
use crate::compress::method::At;
use crate::store::{Bytes, Content, Fault, Form, Joining, Rows, Side, StoreType};

pub(super) const ENTRY: WriterEntry = WriterEntry {
    name: "int8",
    make: |_| Box::new(Int8Writer),
};

/// The largest level.
const LEVELS: f32 = 127.0;

/// Writes vectors in 8 bits an element.
#[derive(Debug)]
pub(super) struct Int8Writer;

impl Writer for Int8Writer {
    fn plan<'a>(&'a self, source: SideView<'a>) -> Result<Box<dyn WriterPlan + 'a>, Fault> {
        for rows in &source.heads {
            let vectors = rows.to_f32();
            let scales: Vec<f32> = vectors.chunks_exact(rows.dim()).map(scale).collect();
            let store = source.layer.store();
            if let Some(fault) = Fault::of_stored(scales_of(source.side), &scales, 1, 0, store) {
                return Err(fault.in_layer(source.layer.layer));
            }
        }
        Ok(Box::new(Int8Plan(source)))
    }

    fn empty(&self, heads: usize, dim: usize, store: StoreType) -> Box<dyn Form> {
        Box::new(Int8 {
            dim,
            heads: vec![Head::new(store); heads],
        })
    }
}

struct Int8Plan<'a>(SideView<'a>);

impl WriterPlan for Int8Plan<'_> {
    fn measure(&self, choice: &Choice<'_>, heads: Range<usize>, _at: Option<At>) -> Measured {
        let (rows, scale) = (self.0.heads[0], Rows::new(1, self.0.layer.store()));
        let count = heads.map(|head| choice.len(head)).sum::<usize>();
        Measured {
            codewords: None,
            bytes: Bytes::of(Content::Entries, (count * rows.dim()) as u64)
                + Bytes::of(Content::Scales, scale.bytes_of(count)),
        }
    }

    fn write(&self, choice: &Choice<'_>, heads: Range<usize>, _at: Option<At>) -> Written {
        let dim = self.0.heads[0].dim();
        let write = |head: usize| {
            let held = choice.held(head);
            let vectors = self.0.heads[held.kv_head].gather(&held.positions).to_f32();
            let mut head = Head::new(self.0.layer.store());
            vectors
                .chunks_exact(dim)
                .for_each(|vector| head.push(vector));
            head
        };
        Written {
            form: Box::new(Int8 {
                dim,
                heads: heads.map(write).collect(),
            }),
            cosines: None,
        }
    }
}

/// Vectors of some KV heads in 8 bits an element.
#[derive(Debug, Clone)]
struct Int8 {
    dim: usize,
    heads: Vec<Head>,
}

/// Vectors of one KV head.
#[derive(Debug, Clone)]
struct Head {
    /// `[len, dim]`.
    levels: Vec<i8>,
    /// `[len, 1]`, in the element type of the cache.
    scales: Rows,
}

impl Head {
    fn new(store: StoreType) -> Self {
        Self {
            levels: Vec::new(),
            scales: Rows::new(1, store),
        }
    }

    /// Appends a vector: rounds its scale to the cache's element type, then its elements to levels of the rounded
    /// scale.
    fn push(&mut self, vector: &[f32]) {
        self.scales.push(&[scale(vector)]);
        let mut scale = [0.0];
        self.scales.read(self.scales.len() - 1, &mut scale);
        let inverse = if scale[0] > 0.0 { 1.0 / scale[0] } else { 0.0 };
        let level = |x: &f32| (x * inverse).round_ties_even().clamp(-LEVELS, LEVELS) as i8;
        self.levels.extend(vector.iter().map(level));
    }
}

fn scales_of(side: Side) -> &'static str {
    match side {
        Side::Keys => "scales of keys",
        Side::Values => "scales of values",
    }
}

/// The scale of a vector: the value of one level.
fn scale(vector: &[f32]) -> f32 {
    vector.iter().fold(0f32, |most, x| most.max(x.abs())) / LEVELS
}

#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
fn widen(levels: &[i8], out: &mut [f32]) {
    out.iter_mut()
        .zip(levels)
        .for_each(|(out, &level)| *out = level.into());
}

impl Form for Int8 {
    fn dim(&self) -> usize {
        self.dim
    }

    fn len(&self, head: usize) -> usize {
        self.heads[head].scales.len()
    }

    fn bytes(&self) -> Bytes {
        let levels = self.heads.iter().map(|head| head.levels.len() as u64);
        let scales = self.heads.iter().map(|head| head.scales.bytes());
        Bytes::of(Content::Entries, levels.sum()) + Bytes::of(Content::Scales, scales.sum())
    }

    fn read(&self, head: usize, entries: &[u32], out: &mut [f32]) {
        let mut scales = vec![0.0; entries.len()];
        let head = &self.heads[head];
        head.scales.read_all(entries, &mut scales);
        for ((&entry, scale), out) in entries
            .iter()
            .zip(scales)
            .zip(out.chunks_exact_mut(self.dim))
        {
            widen(&head.levels[entry as usize * self.dim..][..self.dim], out);
            out.iter_mut().for_each(|x| *x *= scale);
        }
    }

    fn rows(
        &self,
        head: usize,
        span: Range<usize>,
        rows: &mut [f32],
        factors: &mut [f32],
        _joining: Option<&mut Joining>,
    ) {
        let head = &self.heads[head];
        widen(
            &head.levels[span.start * self.dim..span.end * self.dim],
            rows,
        );
        head.scales.read_span(span, factors);
    }

    fn append(&mut self, head: usize, joining: &mut Joining) {
        self.heads[head].push(joining.vector());
    }

    fn keep(&mut self, head: usize, entries: &[u32]) {
        let head = &mut self.heads[head];
        let kept = entries
            .iter()
            .flat_map(|&entry| &head.levels[entry as usize * self.dim..][..self.dim]);
        head.levels = kept.copied().collect();
        head.scales = head.scales.gather(entries);
    }

    fn fault(&self, side: Side, rows: &[f32], width: usize) -> Option<Fault> {
        let what = scales_of(side);
        let scales: Vec<f32> = rows.chunks_exact(self.dim).map(scale).collect();
        let store = self.heads[0].scales.store();
        Fault::of_rows(side.name(), rows, width, 0)
            .or_else(|| Fault::of_stored(what, &scales, width / self.dim, 0, store))
    }

    fn fork(&self) -> Box<dyn Form> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vectors: &[f32], dim: usize, store: StoreType) -> (Bytes, Vec<f32>) {
        let mut form = Int8Writer.empty(1, dim, store);
        for vector in vectors.chunks_exact(dim) {
            let mut joining = form.join(vector);
            form.append(0, &mut joining);
        }
        let mut out = vec![0.0; vectors.len()];
        let all: Vec<u32> = (0..form.len(0) as u32).collect();
        form.read(0, &all, &mut out);
        (form.bytes(), out)
    }

    #[test]
    fn an_element_is_off_by_half_a_level_at_most() {
        let vectors: Vec<f32> = (0..640)
            .map(|i| ((i * i) as f32 * 0.37).sin() * (i / 64 + 1) as f32)
            .collect();
        let (bytes, found) = read(&vectors, 64, StoreType::F32);
        for (i, (x, y)) in vectors.iter().zip(found).enumerate() {
            let vector = &vectors[i / 64 * 64..][..64];
            let largest = vector.iter().fold(0f32, |most, x| most.max(x.abs()));
            assert!((x - y).abs() <= largest / 127.0 * 0.50001, "{x} {y}");
        }
        assert_eq!(bytes.total(), 10 * (64 + 4));
    }

    #[test]
    fn extremes_are_held() {
        let (bytes, found) = read(&[127.0, -127.0, 1.0, 0.0], 4, StoreType::F16);
        assert_eq!(found, [127.0, -127.0, 1.0, 0.0]);
        assert_eq!(bytes[Content::Scales], 2);
        assert_eq!(read(&[0.0; 4], 4, StoreType::F16).1, [0.0; 4]);
        // A scale below what f16 holds stands for nothing at all.
        assert_eq!(read(&[1e-7; 4], 4, StoreType::F16).1, [0.0; 4]);
        let largest = read(&[65504.0, -65504.0], 2, StoreType::F16).1;
        assert!(
            largest
                .iter()
                .all(|x| (x.abs() - 65504.0).abs() < 65504.0 / 500.0),
            "{largest:?}"
        );
    }
}
