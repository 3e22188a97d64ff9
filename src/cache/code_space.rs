//! A cache in coded form and attention in code space: scores from one product per codeword, values from one
//! weight per codeword.

use multiversion::multiversion;

use super::coded::{CodedRows, Codewords};
use super::dense::DenseKv;
use super::footprint::Footprint;
use super::indices::Indices;
use super::rows::Rows;
use super::softmax::Attending;
use crate::kernel::{dots, simd};
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

    /// The entries that one query head sees: its list of the prompt's, then the first `appended` of those added since.
    fn seen(&self, member: usize, appended: usize) -> Vec<usize> {
        let added = self.prompt_entries..self.prompt_entries + appended;
        match &self.lists {
            Some(lists) => lists[member].iter().chain(added).collect(),
            None => (0..added.end).collect(),
        }
    }

    /// All but the codewords, which are the book's.
    fn footprint(&self) -> Footprint {
        let entries = self.len() as u64;
        let appended = entries - self.prompt_entries as u64;
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
    /// Appends one token's key and value to a head, `[head_dim]` each.
    fn push(
        &mut self,
        head: usize,
        unrotated_key: &[f32],
        key: &[f32],
        value: &[f32],
        position: usize,
    ) {
        let head = &mut self.heads[head];
        match &mut head.positions {
            Some(positions) => {
                head.keys.push(&mut self.keys, unrotated_key);
                positions.push(position as u32);
            }
            None => head.keys.push(&mut self.keys, key),
        }
        head.values.push(&mut self.values, value);
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
        let d = self.books[0].keys.dim();
        for kv_head in 0..values.len() / d {
            let (book, head) = self.place(kv_head);
            let span = kv_head * d..(kv_head + 1) * d;
            let (unrotated, rotated) = (&unrotated[span.clone()], &rotated[span.clone()]);
            self.books[book].push(head, unrotated, rotated, &values[span], position);
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
        let (book, head) = (&self.books[book], &self.books[book].heads[head]);
        let (mut key_scratch, mut value_scratch) = (Vec::new(), Vec::new());
        let key_codewords = book.keys.block(&mut key_scratch);
        let value_codewords = book.values.block(&mut value_scratch);
        let (key_factors, value_factors) = (head.keys.factors(), head.values.factors());
        let d = book.keys.dim();
        let rows = (0..attending.members())
            .flat_map(|member| (0..attending.tokens()).map(move |token| (member, token)));
        for (member, token) in rows.collect::<Vec<_>>() {
            let entries = head.seen(member, appended(token));
            let codewords: Vec<usize> = entries
                .iter()
                .map(|&entry| head.keys.index(entry))
                .collect();
            let query = attending.query(member, token);
            let mut scores = match &head.positions {
                Some(positions) => {
                    let products = turned_products(query, key_codewords);
                    let positions: Vec<usize> =
                        entries.iter().map(|&entry| positions.get(entry)).collect();
                    turned_scores(&products, &codewords, &positions, rope, d)
                }
                None => {
                    let mut products = vec![0.0; key_codewords.len() / d];
                    dots(query, key_codewords, &mut products);
                    codewords
                        .iter()
                        .map(|&codeword| products[codeword])
                        .collect()
                }
            };
            for (score, &entry) in scores.iter_mut().zip(&entries) {
                *score *= key_factors[entry];
            }
            attending.weigh(member, token, &mut scores);
            let mut weights = vec![0.0; book.values.len()];
            for (weight, &entry) in scores.iter().zip(&entries) {
                weights[head.values.index(entry)] += weight * value_factors[entry];
            }
            simd::add_weighted(&weights, value_codewords, attending.out(member, token));
        }
        let whole = self.whole.len(kv_head);
        self.whole
            .absorb(kv_head, attending, 0..attending.members(), |_| whole);
    }

    /// Keys (rotated) and values one query head attends to, `[n, head_dim]` each, with every appended entry.
    pub fn materialize(&self, kv_head: usize, member: usize, rope: &Rope) -> (Vec<f32>, Vec<f32>) {
        let (book, head) = self.place(kv_head);
        let (book, head) = (&self.books[book], &self.books[book].heads[head]);
        let d = book.keys.dim();
        let entries = head.seen(member, head.len() - head.prompt_entries);
        let mut keys = vec![0.0; entries.len() * d];
        let mut values = vec![0.0; entries.len() * d];
        for (i, &entry) in entries.iter().enumerate() {
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
    pub fn selecting(&self) -> usize {
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

/// For each codeword the vector whose product with a position's `[cos, sin]` is the score of a key with that
/// codeword at that position: with halves `q = (a, b)` and `c = (x, y)`, RoPE gives
/// `q . R(p) c = (a x + b y) . cos(p) + (b x - a y) . sin(p)`. The query is turned once, no key ever is.
#[multiversion(targets("x86_64+avx2+fma"))]
fn turned_products(query: &[f32], codewords: &[f32]) -> Vec<f32> {
    let d = query.len();
    let (a, b) = query.split_at(d / 2);
    let mut products = vec![0.0; codewords.len()];
    for (out, codeword) in products.chunks_exact_mut(d).zip(codewords.chunks_exact(d)) {
        let (x, y) = codeword.split_at(d / 2);
        let (even, odd) = out.split_at_mut(d / 2);
        for i in 0..d / 2 {
            even[i] = a[i].mul_add(x[i], b[i] * y[i]);
            odd[i] = b[i].mul_add(x[i], -(a[i] * y[i]));
        }
    }
    products
}

/// The score of each entry, before its magnitude, from the [`turned_products`] of its codeword.
#[multiversion(targets("x86_64+avx2+fma"))]
fn turned_scores(
    products: &[f32],
    codewords: &[usize],
    positions: &[usize],
    rope: &Rope,
    d: usize,
) -> Vec<f32> {
    let score = |(&codeword, &position): (&usize, &usize)| {
        let (even, odd) = products[codeword * d..(codeword + 1) * d].split_at(d / 2);
        simd::dot(even, rope.cos(position)) + simd::dot(odd, rope.sin(position))
    };
    codewords.iter().zip(positions).map(score).collect()
}
