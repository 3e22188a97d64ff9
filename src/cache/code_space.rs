//! A layer in coded form: what is stored.

use rayon::prelude::*;

use super::code_attention::HeadView;
use super::coded::{CodedRows, Codewords, Joining};
use super::dense::DenseKv;
use super::footprint::Footprint;
use super::indices::Indices;
use super::layer::{NewTokens, Pass};
use super::rows::Rows;
use super::softmax::Attending;
use crate::model::rope::Rope;

/// One KV head in coded form.
#[derive(Debug, Clone, PartialEq)]
pub struct CodedHead {
    keys: CodedRows,
    values: CodedRows,
    /// Position of each entry, for keys coded before RoPE. None: the codewords carry the rotation.
    positions: Option<Indices>,
    /// Heads of the group that selected for themselves: each query head, or 1 where they selected together.
    selecting: usize,
    /// Per query head of the group, which of the prompt's entries it attends to, ascending. None: all.
    lists: Option<Vec<Indices>>,
    /// Entries of the prompt; those after it were appended and every query head sees them.
    prompt_entries: usize,
}

impl CodedHead {
    /// `selecting` heads of the group selected for themselves; `lists` are left out when every query head attends to
    /// every entry.
    pub fn new(
        keys: CodedRows,
        values: CodedRows,
        positions: Option<&[u32]>,
        selecting: usize,
        lists: Option<Vec<Indices>>,
    ) -> Self {
        let prompt_entries = keys.len();
        Self {
            keys,
            values,
            positions: positions.map(Indices::from_slice),
            selecting,
            lists,
            prompt_entries,
        }
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub fn keys(&self) -> &CodedRows {
        &self.keys
    }

    pub fn values(&self) -> &CodedRows {
        &self.values
    }

    pub fn positions(&self) -> Option<&Indices> {
        self.positions.as_ref()
    }

    pub fn lists(&self) -> Option<&[Indices]> {
        self.lists.as_deref()
    }

    /// Entries of the prompt.
    pub fn prompt_entries(&self) -> usize {
        self.prompt_entries
    }

    /// Entries added since.
    pub fn appended(&self) -> usize {
        self.len() - self.prompt_entries
    }

    /// The entries that one query head sees, in place of what `out` holds: its list of the prompt's, then the first
    /// `appended` of those added since.
    pub fn seen(&self, member: usize, appended: usize, out: &mut Vec<u32>) {
        let prompt = self.prompt_entries as u32;
        match &self.lists {
            Some(lists) => lists[member].read(0..lists[member].len(), out),
            None => {
                out.clear();
                out.extend(0..prompt);
            }
        }
        out.extend(prompt..prompt + appended as u32);
    }

    /// Appends one decoded token's key; its value is to follow.
    pub(super) fn push_key(&mut self, codewords: &mut Codewords, key: &Joining, position: usize) {
        self.keys.join(codewords, key);
        if let Some(positions) = &mut self.positions {
            positions.push(position as u32);
        }
    }

    pub(super) fn push_value(&mut self, codewords: &mut Codewords, value: &Joining) {
        self.values.join(codewords, value);
    }

    /// All but the codewords, which are the book's.
    fn footprint(&self) -> Footprint {
        let entries = self.len() as u64;
        let appended = self.appended() as u64;
        let lists = self.lists.as_deref().unwrap_or_default();
        Footprint {
            entries,
            kept: match lists {
                [] => entries * self.selecting as u64,
                lists => lists.iter().map(|list| list.len() as u64 + appended).sum(),
            },
            bytes_indices: self.keys.bytes_indices() + self.values.bytes_indices(),
            bytes_magnitudes: self.keys.bytes_magnitudes() + self.values.bytes_magnitudes(),
            bytes_positions: self.positions.as_ref().map_or(0, Indices::bytes),
            bytes_lists: lists.iter().map(Indices::bytes).sum(),
            ..Footprint::default()
        }
    }
}

/// A codebook of keys and one of values, and the KV heads whose entries are written in them.
#[derive(Debug, Clone, PartialEq)]
pub struct CodedBook {
    pub keys: Codewords,
    pub values: Codewords,
    pub heads: Vec<CodedHead>,
}

impl CodedBook {
    /// Appends one token's keys and values, `[heads, head_dim]` each; keys before RoPE where heads keep positions.
    fn push(&mut self, keys: &[f32], values: &[f32], position: usize) {
        let Self {
            keys: key_words,
            values: value_words,
            heads,
        } = self;
        let d = key_words.dim();
        let (key_rows, value_rows): (Vec<_>, Vec<_>) = heads
            .iter_mut()
            .map(|head| ((&mut head.keys, &mut head.positions), &mut head.values))
            .unzip();
        rayon::join(
            || {
                for ((rows, positions), key) in key_rows.into_iter().zip(keys.chunks_exact(d)) {
                    rows.push(key_words, key);
                    if let Some(positions) = positions {
                        positions.push(position as u32);
                    }
                }
            },
            || {
                for (rows, value) in value_rows.into_iter().zip(values.chunks_exact(d)) {
                    rows.push(value_words, value);
                }
            },
        );
    }

    /// One of its heads, beside it.
    pub(super) fn view<'a>(&'a self, head: usize, rope: &'a Rope) -> HeadView<'a> {
        HeadView {
            keys: &self.keys,
            values: &self.values,
            head: &self.heads[head],
            rope,
        }
    }

    /// What it holds; codewords shared by several heads count once.
    pub fn footprint(&self) -> Footprint {
        let codewords = Footprint {
            codewords_k: self.keys.len() as u64,
            codewords_v: self.values.len() as u64,
            bytes_codewords: self.keys.bytes() + self.values.bytes(),
            ..Footprint::default()
        };
        let heads = self.heads.iter().map(CodedHead::footprint);
        heads.chain([codewords]).sum()
    }
}

/// One layer in coded form.
#[derive(Debug, Clone, PartialEq)]
pub struct CodedKv {
    /// One for each KV head, or one for all of them; each with equally many heads.
    pub books: Vec<CodedBook>,
    /// Entries of the prompt kept whole beside the coded ones, which every query head sees.
    pub whole: DenseKv,
    /// Whether tokens decoded later are coded too (the paper's way) or kept whole beside it.
    pub codes_decoded: bool,
}

impl CodedKv {
    /// The book of a KV head, and which of the book's heads it is.
    fn place(&self, kv_head: usize) -> (usize, usize) {
        let shared = self.books[0].heads.len();
        (kv_head / shared, kv_head % shared)
    }

    /// Appends one token: `[kv_heads, head_dim]` each; `unrotated` and `rotated` are its keys before and after RoPE.
    pub fn push(&mut self, unrotated: &[f32], rotated: &[f32], values: &[f32], position: usize) {
        let keys = self.keys_of(unrotated, rotated);
        let width = values.len() / self.books.len();
        self.books
            .par_iter_mut()
            .zip(keys.par_chunks(width).zip(values.par_chunks(width)))
            .for_each(|(book, (keys, values))| book.push(keys, values, position));
    }

    /// Appends one decoded token and attends its `queries`, `[heads, head_dim]`, to all that is then held. Returns
    /// `[heads * head_dim]`.
    pub fn step(&mut self, new: &NewTokens<'_>, rope: &Rope) -> Vec<f32> {
        let keys = self.keys_of(new.unrotated_keys, new.keys);
        let Self { books, whole, .. } = self;
        let (d, shared) = (books[0].keys.dim(), books[0].heads.len());
        let group = new.queries.len() / new.values.len();
        let attended: Vec<Vec<f32>> = books
            .par_iter_mut()
            .zip(keys.par_chunks(shared * d))
            .zip(new.values.par_chunks(shared * d))
            .zip(new.queries.par_chunks(shared * group * d))
            .enumerate()
            .map(|(place, (((book, keys), values), queries))| {
                let mut out = Vec::with_capacity(queries.len());
                for head in 0..shared {
                    let (key, value) = (&keys[head * d..][..d], &values[head * d..][..d]);
                    let queries = queries[head * group * d..][..group * d].to_vec();
                    let mut attending = Attending::new(queries, d, 1, Pass::Step);
                    let kv_head = place * shared + head;
                    let len = whole.len(kv_head);
                    whole.absorb(kv_head, &mut attending, 0..group, |_| len);
                    book.step(head, [key, value], new.position, rope, &mut attending);
                    out.extend(attending.finish());
                }
                out
            })
            .collect();
        attended.concat()
    }

    /// Those of a token's keys that are coded, before or after RoPE.
    pub(super) fn keys_of<'a>(&self, unrotated: &'a [f32], rotated: &'a [f32]) -> &'a [f32] {
        match self.books[0].heads[0].positions {
            Some(_) => unrotated,
            None => rotated,
        }
    }

    /// How many codewords each book has, of keys and of values.
    pub fn codewords(&self) -> Vec<[usize; 2]> {
        let books = self.books.iter();
        books
            .map(|book| [book.keys.len(), book.values.len()])
            .collect()
    }

    /// Keeps the first `appended` of the entries added since the prompt, and so many `codewords` of each book.
    pub fn truncate(&mut self, appended: usize, codewords: &[[usize; 2]]) {
        for (book, &[keys, values]) in self.books.iter_mut().zip(codewords) {
            book.keys.truncate(keys);
            book.values.truncate(values);
            for head in &mut book.heads {
                let len = head.prompt_entries + appended;
                head.keys.truncate(len);
                head.values.truncate(len);
                if let Some(positions) = &mut head.positions {
                    positions.truncate(len);
                }
            }
        }
    }

    /// Attends the rows of one KV head's group; token `t` sees the first `appended(t)` entries added since the prompt.
    pub fn absorb(
        &self,
        kv_head: usize,
        rope: &Rope,
        attending: &mut Attending,
        appended: impl Fn(usize) -> usize,
    ) {
        let (book, head) = self.place(kv_head);
        let whole = self.whole.len(kv_head);
        self.whole
            .absorb(kv_head, attending, 0..attending.members(), |_| whole);
        let view = self.books[book].view(head, rope);
        view.absorb(attending, appended);
    }

    /// Keys (rotated) and values one query head attends to, `[n, head_dim]` each, with every appended entry.
    pub fn materialize(&self, kv_head: usize, member: usize, rope: &Rope) -> (Vec<f32>, Vec<f32>) {
        let (book, head) = self.place(kv_head);
        let (book, head) = (&self.books[book], &self.books[book].heads[head]);
        let d = book.keys.dim();
        let mut entries = Vec::new();
        head.seen(member, head.appended(), &mut entries);
        let mut keys = vec![0.0; entries.len() * d];
        let mut values = vec![0.0; entries.len() * d];
        for (i, entry) in entries.into_iter().map(|e| e as usize).enumerate() {
            let key = &mut keys[i * d..(i + 1) * d];
            head.keys.rebuild(&book.keys, entry, key);
            if let Some(positions) = &head.positions {
                rope.rotate_in_place(key, positions.get(entry));
            }
            let value = &mut values[i * d..(i + 1) * d];
            head.values.rebuild(&book.values, entry, value);
        }
        let (whole_keys, whole_values) = (&self.whole.keys[kv_head], &self.whole.values[kv_head]);
        let first = |whole: &Rows, coded: Vec<f32>| [whole.to_f32(), coded].concat();
        (first(whole_keys, keys), first(whole_values, values))
    }

    /// Heads of one group that selected for themselves, 1 where they selected together.
    pub(super) fn selecting(&self) -> usize {
        self.books[0].heads[0].selecting
    }

    pub fn footprint(&self) -> Footprint {
        let whole = self.whole.footprint();
        let whole = Footprint {
            kept: whole.kept * self.selecting() as u64,
            ..whole
        };
        let books = self.books.iter().map(CodedBook::footprint);
        books.chain([whole]).sum()
    }
}
