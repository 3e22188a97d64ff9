//! A run: entries of one layer that are stored in the same way.

use super::codewords::Joining;
use super::entries::Entries;
use super::footprint::{Bytes, Content, Footprint};
use super::form::Form;
use super::rows::{Rows, StoreType};
use super::whole::Whole;

/// When keys are rotated to their positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotate {
    /// Before they are stored: they keep the rotation of their original position.
    AtWrite,
    /// When they are read, to the position of each.
    ByPosition,
    /// When they are read, to the place of each among the entries that are held (StreamingLLM).
    ByRank,
}

/// KV heads that are stored together: one head, or all heads that share a codebook.
#[derive(Debug)]
pub struct Part {
    /// Keys of all its heads.
    pub keys: Box<dyn Form>,
    /// Values of all its heads, one for each key.
    pub values: Box<dyn Form>,
    /// Per head, positions and lists of its entries.
    pub entries: Vec<Entries>,
}

/// Entries of all KV heads of a layer, in parts of equally many heads. A run has one head per KV head, or one per query
/// head if entries are stored for each query head that keeps them.
#[derive(Debug)]
pub struct Run {
    /// The parts, in the order of their heads.
    pub parts: Vec<Part>,
    /// When RoPE is applied to its keys.
    pub rotate: Rotate,
}

impl Part {
    /// Number of heads that are stored together.
    pub fn heads(&self) -> usize {
        self.entries.len()
    }

    /// Number of entries of a head; `head` counts from 0 within the part.
    pub fn len(&self, head: usize) -> usize {
        self.keys.len(head)
    }

    /// Appends one token: `keys` and `values` are `[heads, dim]`.
    pub fn append(&mut self, keys: &[f32], values: &[f32], position: usize) {
        let Self {
            keys: key_form,
            values: value_form,
            entries,
        } = self;
        let (d_k, d_v) = (key_form.dim(), value_form.dim());
        for (head, entries) in entries.iter_mut().enumerate() {
            entries.append(position, key_form.len(head));
        }
        let append = |form: &mut Box<dyn Form>, rows: &[f32], d: usize| {
            for (head, row) in rows.chunks_exact(d).enumerate() {
                let mut joining: Joining = form.join(row);
                form.append(head, &mut joining);
            }
        };
        append(key_form, keys, d_k);
        append(value_form, values, d_v);
    }

    /// Keeps the first `len` entries of each head and counts them as appended: `chosen` becomes 0. For entries without
    /// lists and positions of their own.
    pub fn keep_first(&mut self, len: usize) {
        let kept: Vec<u32> = (0..len as u32).collect();
        for head in 0..self.heads() {
            self.keys.keep(head, &kept);
            self.values.keep(head, &kept);
            self.entries[head].chosen = 0;
        }
    }

    /// Keeps the last `most` entries of each head.
    pub fn keep_last(&mut self, most: usize) {
        for head in 0..self.heads() {
            let len = self.len(head);
            if len <= most {
                continue;
            }
            let kept: Vec<u32> = ((len - most) as u32..len as u32).collect();
            self.keys.keep(head, &kept);
            self.values.keep(head, &kept);
            self.entries[head].keep_last(most, len);
        }
    }

    fn fork(&self) -> Self {
        Self {
            keys: self.keys.fork(),
            values: self.values.fork(),
            entries: self.entries.clone(),
        }
    }

    /// `apart`: whether the run has a head for each query head.
    fn footprint(&self, selecting: usize, apart: bool) -> Footprint {
        let len: usize = (0..self.heads()).map(|head| self.len(head)).sum();
        let codewords = [&self.keys, &self.values].map(|form| form.codewords());
        let mut footprint = Footprint {
            codewords_k: codewords[0].unwrap_or(0) as u64,
            codewords_v: codewords[1].unwrap_or(0) as u64,
            coded: (codewords.iter().flatten().count() * len) as u64,
            bytes: self.keys.bytes() + self.values.bytes(),
            ..Footprint::default()
        };
        for (head, entries) in self.entries.iter().enumerate() {
            let len = self.len(head);
            let alike = if apart { 1 } else { selecting };
            let [positions, lists] = entries.bytes();
            footprint += Footprint {
                entries: len as u64,
                kept: entries.kept(len).unwrap_or((len * alike) as u64),
                bytes: Bytes::of(Content::Positions, positions) + Bytes::of(Content::Lists, lists),
                ..Footprint::default()
            };
        }
        footprint
    }
}

impl Run {
    /// A run stored whole: a matrix for each head, and all entries seen by every query head.
    pub fn whole(keys: Vec<Rows>, values: Vec<Rows>, rotate: Rotate) -> Self {
        let heads = keys.into_iter().zip(values);
        let parts = heads.map(|(keys, values)| Part {
            entries: vec![Entries {
                chosen: keys.len(),
                ..Entries::default()
            }],
            keys: Box::new(Whole(vec![keys])),
            values: Box::new(Whole(vec![values])),
        });
        Self {
            parts: parts.collect(),
            rotate,
        }
    }

    /// A run of `heads` KV heads that holds nothing yet.
    pub fn empty(heads: usize, dim: usize, store: StoreType) -> Self {
        let rows = vec![Rows::new(dim, store); heads];
        Self::whole(rows.clone(), rows, Rotate::AtWrite)
    }

    /// Number of heads: KV heads, or query heads if entries are stored for each.
    pub fn heads(&self) -> usize {
        self.parts.iter().map(Part::heads).sum()
    }

    /// The part that holds a head, and the head's number within it.
    pub fn place(&self, head: usize) -> (&Part, usize) {
        let shared = self.parts[0].heads();
        (&self.parts[head / shared], head % shared)
    }

    /// Number of entries of a head.
    pub fn len(&self, head: usize) -> usize {
        let (part, head) = self.place(head);
        part.len(head)
    }

    /// The keys of a head.
    ///
    /// # Panics
    /// When they are not stored whole.
    pub fn keys(&self, head: usize) -> &Rows {
        let (part, head) = self.place(head);
        part.keys.whole(head).expect("keys that are stored whole")
    }

    /// The values of a head.
    ///
    /// # Panics
    /// When they are not stored whole.
    pub fn values(&self, head: usize) -> &Rows {
        let (part, head) = self.place(head);
        part.values
            .whole(head)
            .expect("values that are stored whole")
    }

    /// The same entries with other values, a matrix for each head.
    ///
    /// # Panics
    /// When heads are stored together.
    pub fn with_values(&self, values: Vec<Rows>) -> Self {
        assert_eq!(values.len(), self.parts.len(), "parts of one head each");
        let parts = self.parts.iter().zip(values).map(|(part, values)| Part {
            keys: part.keys.fork(),
            values: Box::new(Whole(vec![values])),
            entries: part.entries.clone(),
        });
        Self {
            parts: parts.collect(),
            rotate: self.rotate,
        }
    }

    /// Another one like it, that goes on by itself.
    pub fn fork(&self) -> Self {
        Self {
            parts: self.parts.iter().map(Part::fork).collect(),
            rotate: self.rotate,
        }
    }

    /// Counts and bytes. `selecting`: query heads of a group that selected for themselves, else 1; `kv_heads`: KV heads
    /// of the layer.
    pub fn footprint(&self, selecting: usize, kv_heads: usize) -> Footprint {
        let apart = self.heads() > kv_heads;
        let parts = self.parts.iter();
        parts.map(|part| part.footprint(selecting, apart)).sum()
    }
}
