//! Every form a cache can be held in, on random states: attention equals plain softmax attention over the keys and
//! values it stands for, bytes equal an independent count, order and company change nothing.

use std::sync::Arc;

use crate::common::chosen::{repeated, shared};
use crate::common::layer::{Layer, New};
use crate::common::{distance, plain};
use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spindle::attend::Pass;
use spindle::attend::rope::Rope;
use spindle::store::{
    Bytes, Coded, CodedRows, Codewords, Content, Entries, Footprint, Geometry, Indices, LayerStore,
    Part, Rotate, Rows, Run, StoreType,
};

const BOUND: f32 = 1e-4;
const MAX_LEN: usize = 1024;

/// How a state is held.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Form {
    Dense,
    /// Once per KV head, a list per query head.
    Lists,
    /// Once per KV head, its query heads having selected alike.
    Agreed,
    /// Once per KV head, its query heads having selected together.
    Together,
    /// Once per query head.
    Repeated,
    Coded {
        rotated: bool,
        magnitudes: bool,
        codes_decoded: bool,
        /// One codebook for all KV heads, or one for each.
        shared: bool,
        /// Threshold for joining a codeword: below -1 all do, above 1 none does.
        theta: f32,
    },
}

/// Every form that holds whole entries.
const WHOLE: [Form; 5] = [
    Form::Dense,
    Form::Lists,
    Form::Agreed,
    Form::Together,
    Form::Repeated,
];

#[derive(Debug, Clone, Copy)]
struct Case {
    form: Form,
    store: StoreType,
    kv_heads: usize,
    group: usize,
    head_dim: usize,
    /// Tokens of the prompt.
    len: usize,
    /// Tokens appended, in two rounds.
    rounds: [usize; 2],
    seed: u64,
}

fn cases(forms: impl Strategy<Value = Form>) -> impl Strategy<Value = Case> {
    let store = prop::sample::select(vec![StoreType::F32, StoreType::F16, StoreType::BF16]);
    // Past 256 entries attention runs over more than one block, past 64 new tokens over more than one task.
    let len = prop_oneof![3usize..40, 250usize..300, 500usize..530];
    let first = prop_oneof![1usize..6, 60usize..80];
    let head_dim = prop::sample::select(vec![8, 24, 64, 80, 96, 128]);
    let shape = (1usize..4, 1usize..5, head_dim);
    (forms, store, shape, len, (first, 1usize..4), any::<u64>()).prop_map(
        |(form, store, (kv_heads, group, head_dim), len, (first, second), seed)| Case {
            form,
            store,
            kv_heads,
            group,
            head_dim,
            len,
            rounds: [first, second],
            seed,
        },
    )
}

fn coded() -> impl Strategy<Value = Form> {
    let theta = prop::sample::select(vec![-2f32, 0.9, 2.0]);
    (any::<[bool; 4]>(), theta).prop_map(|(flags, theta)| coded_form(flags, theta))
}

fn coded_form([rotated, magnitudes, codes_decoded, shared]: [bool; 4], theta: f32) -> Form {
    Form::Coded {
        rotated,
        magnitudes,
        codes_decoded,
        shared,
        theta,
    }
}

fn forms() -> impl Strategy<Value = Form> {
    prop_oneof![prop::sample::select(WHOLE.to_vec()), coded()]
}

fn rope(head_dim: usize) -> Arc<Rope> {
    Arc::new(Rope::new(head_dim, 10000.0, None, MAX_LEN))
}

/// A layer's cache with what a test knows of it: for each query head the keys (rotated) and values it must attend to,
/// and the bytes it must hold.
struct State {
    cache: Layer,
    rope: Arc<Rope>,
    keys: Vec<Vec<f32>>,
    values: Vec<Vec<f32>>,
    footprint: Footprint,
    /// Heads of a group that selected for themselves.
    selecting: usize,
    /// In coded form: per KV head the positions, per KV head the indices of its keys and then of its values, and per
    /// codebook, of keys and then of values, the codewords.
    positions: Vec<Vec<u32>>,
    indices: Vec<Vec<u32>>,
    codewords: Vec<u32>,
    rng: ChaCha8Rng,
}

fn normal(rng: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
    let uniform = |rng: &mut ChaCha8Rng| rng.random_range(-1f32..1.0);
    (0..count)
        .map(|_| 1.2 * (uniform(rng) + uniform(rng)))
        .collect()
}

/// What a store of this type makes of `values`.
fn rounded(values: &[f32], store: StoreType) -> Vec<f32> {
    let round = |x: f32| match store {
        StoreType::F16 => half::f16::from_f32(x).to_f32(),
        StoreType::BF16 => half::bf16::from_f32(x).to_f32(),
        StoreType::F32 => x,
    };
    values.iter().map(|x| round(*x)).collect()
}

fn unit(mut vector: Vec<f32>) -> Vec<f32> {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter_mut().for_each(|x| *x /= norm);
    vector
}

/// A random ascending choice of at least one of `0..len`.
fn choice(rng: &mut ChaCha8Rng, len: usize) -> Vec<u32> {
    let mut all: Vec<u32> = (0..len as u32).collect();
    all.shuffle(rng);
    all.truncate(rng.random_range(1..=len));
    all.sort_unstable();
    all
}

fn width(values: &[u32]) -> u64 {
    match values.iter().max() {
        Some(256..=65535) => 2,
        Some(65536..) => 4,
        _ => 1,
    }
}

fn bytes(values: &[u32]) -> u64 {
    width(values) * values.len() as u64
}

/// The rows of `matrix` (`[n, d]`) at `rows`.
fn pick(matrix: &[f32], d: usize, rows: &[u32]) -> Vec<f32> {
    rows.iter()
        .flat_map(|&row| &matrix[row as usize * d..][..d])
        .copied()
        .collect()
}

impl State {
    fn new(case: &Case) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(case.seed);
        let geometry = Geometry {
            layers: 1,
            heads: case.kv_heads * case.group,
            kv_heads: case.kv_heads,
            head_dim: case.head_dim,
        };
        let rope = rope(case.head_dim);
        let heads = geometry.heads;
        let mut state = Self {
            cache: Layer::new(LayerStore::empty(geometry, case.store), &rope, heads),
            rope,
            keys: Vec::new(),
            values: Vec::new(),
            footprint: Footprint::default(),
            selecting: 1,
            positions: Vec::new(),
            indices: Vec::new(),
            codewords: Vec::new(),
            rng,
        };
        let store = match case.form {
            Form::Coded { .. } => state.coded(case, geometry),
            _ => {
                let run = Arc::new(state.whole(case));
                LayerStore::of_prompt(run, geometry, case.store, state.selecting)
            }
        };
        state.cache = Layer::new(store, &state.rope, heads);
        state
    }

    /// A whole prompt, or what eviction left of one.
    fn whole(&mut self, case: &Case) -> Run {
        let (d, group) = (case.head_dim, case.group);
        let rows = |matrices: &[Vec<f32>]| -> Vec<Rows> {
            let rows = matrices.iter();
            rows.map(|m| Rows::from_f32(d, case.store, m)).collect()
        };
        let mut matrices =
            || Vec::from_iter((0..case.kv_heads).map(|_| normal(&mut self.rng, case.len * d)));
        let (keys, values) = (matrices(), matrices());
        let full = Run::whole(rows(&keys), rows(&values), Rotate::AtWrite);
        let mut kept: Vec<Vec<u32>> = Vec::new();
        let mut entries = 0u64;
        for _ in 0..case.kv_heads {
            let mut heads: Vec<Vec<u32>> = match case.form {
                Form::Dense => vec![(0..case.len as u32).collect(); group],
                Form::Agreed | Form::Together => vec![choice(&mut self.rng, case.len); group],
                _ => (0..group)
                    .map(|_| choice(&mut self.rng, case.len))
                    .collect(),
            };
            let mut union = heads.concat();
            union.sort_unstable();
            union.dedup();
            entries += match case.form {
                Form::Repeated => heads.iter().map(|head| head.len() as u64).sum(),
                _ => union.len() as u64,
            };
            kept.append(&mut heads);
        }
        for (head, kept) in kept.iter().enumerate() {
            let stored = |m: &[Vec<f32>]| rounded(&pick(&m[head / group], d, kept), case.store);
            self.keys.push(stored(&keys));
            self.values.push(stored(&values));
        }
        self.selecting = match case.form {
            Form::Dense | Form::Together => 1,
            _ => group,
        };
        let selected = Vec::from_iter(kept.iter().step_by(group / self.selecting).cloned());
        self.footprint = Footprint {
            entries,
            kept: selected.iter().map(|row| row.len() as u64).sum(),
            bytes: Bytes::of(
                Content::Entries,
                2 * entries * (d * case.store.size()) as u64,
            ),
            ..Footprint::default()
        };
        if case.form == Form::Lists {
            for heads in kept.chunks(group) {
                if heads.iter().all(|head| head == &heads[0]) {
                    continue;
                }
                let mut union = heads.concat();
                union.sort_unstable();
                union.dedup();
                for head in heads {
                    let place = |p: &u32| union.binary_search(p).unwrap() as u32;
                    let list = Vec::from_iter(head.iter().map(place));
                    self.add(Content::Lists, bytes(&list));
                }
            }
        }
        match case.form {
            Form::Dense => full,
            Form::Repeated => repeated(&full, &kept),
            _ => shared(&full, &selected),
        }
    }

    fn add(&mut self, content: Content, bytes: u64) {
        self.footprint.bytes = self.footprint.bytes + Bytes::of(content, bytes);
    }

    /// A codebook of keys or of values, as it is stored.
    fn codewords(&mut self, case: &Case, magnitudes: bool) -> Vec<f32> {
        let (d, count) = (case.head_dim, self.rng.random_range(1..=case.len));
        let vectors = (0..count).map(|_| normal(&mut self.rng, d));
        let vectors = vectors.flat_map(|v| if magnitudes { unit(v) } else { v });
        let vectors: Vec<f32> = vectors.collect();
        self.add(
            Content::Codewords,
            (vectors.len() * case.store.size()) as u64,
        );
        self.codewords.push(count as u32);
        rounded(&vectors, case.store)
    }

    /// The keys or the values of one KV head written in `codewords`, and what each entry is rebuilt to.
    fn rows(&mut self, case: &Case, codewords: &[f32], magnitudes: bool) -> (CodedRows, Vec<f32>) {
        let (d, n, size) = (case.head_dim, case.len, case.store.size() as u64);
        let count = codewords.len() / d;
        let mut index: Vec<u32> = (0..n)
            .map(|i| match i < count {
                true => i as u32,
                false => self.rng.random_range(0..count as u32),
            })
            .collect();
        index.shuffle(&mut self.rng);
        let norms: Vec<f32> = (0..n).map(|_| self.rng.random_range(0.5f32..3.0)).collect();
        let mut rebuilt = pick(codewords, d, &index);
        if magnitudes {
            let stored = rounded(&norms, case.store);
            for (row, norm) in rebuilt.chunks_mut(d).zip(&stored) {
                row.iter_mut().for_each(|x| *x *= norm);
            }
            self.add(Content::Magnitudes, n as u64 * size);
        }
        self.footprint.coded += n as u64;
        self.add(Content::Indices, bytes(&index));
        self.indices.push(index.clone());
        let norms = magnitudes.then_some(norms.as_slice());
        (CodedRows::new(case.store, &index, norms), rebuilt)
    }

    fn coded(&mut self, case: &Case, geometry: Geometry) -> LayerStore {
        let Form::Coded {
            magnitudes,
            codes_decoded,
            rotated,
            shared,
            theta,
        } = case.form
        else {
            panic!("{case:?} is not coded");
        };
        self.selecting = [1, case.group][self.rng.random_range(0..2)];
        let mut parts = Vec::new();
        let mut whole = [Vec::new(), Vec::new()];
        let heads = if shared { case.kv_heads } else { 1 };
        for _ in 0..case.kv_heads / heads {
            let [keys, values] = [0, 1].map(|_| self.codewords(case, magnitudes));
            let (mut rows, mut entries) = ([Vec::new(), Vec::new()], Vec::new());
            for _ in 0..heads {
                let (of_keys, of_values, of_head) =
                    self.coded_head(case, &keys, &values, &mut whole);
                rows[0].push(of_keys);
                rows[1].push(of_values);
                entries.push(of_head);
            }
            let stored = |vectors: &[f32]| {
                Codewords::new(case.head_dim, case.store, vectors, magnitudes, theta)
            };
            let (keys, values) = (stored(&keys), stored(&values));
            self.footprint.codewords_k += keys.len() as u64;
            self.footprint.codewords_v += values.len() as u64;
            let [of_keys, of_values] = rows;
            parts.push(Part {
                keys: Box::new(Coded::new(keys, of_keys)),
                values: Box::new(Coded::new(values, of_values)),
                entries,
            });
        }
        let rotate = match rotated {
            true => Rotate::AtWrite,
            false => Rotate::ByPosition,
        };
        let [keys, values] = whole;
        let mut prompt = vec![Arc::new(Run::whole(keys, values, Rotate::AtWrite))];
        let coded = Run { parts, rotate };
        let open = match codes_decoded {
            true => coded,
            false => {
                prompt.push(Arc::new(coded));
                Run::empty(case.kv_heads, geometry.head_dim, case.store)
            }
        };
        LayerStore::new(prompt, open, self.selecting)
    }

    /// One KV head in coded form, with some entries in `whole` beside it.
    fn coded_head(
        &mut self,
        case: &Case,
        key_codewords: &[f32],
        value_codewords: &[f32],
        whole: &mut [Vec<Rows>; 2],
    ) -> (CodedRows, CodedRows, Entries) {
        let Form::Coded {
            rotated,
            magnitudes,
            ..
        } = case.form
        else {
            panic!("{case:?} is not coded");
        };
        let (d, n) = (case.head_dim, case.len);
        let (keys, mut key_rows) = self.rows(case, key_codewords, magnitudes);
        let (values, value_rows) = self.rows(case, value_codewords, magnitudes);
        self.footprint.entries += n as u64;
        // Survivors of a longer prompt, so that place and position differ.
        let mut positions: Vec<u32> = (0..prompt(case) as u32).collect();
        positions.shuffle(&mut self.rng);
        positions.truncate(n);
        positions.sort_unstable();
        if !rotated {
            for (row, position) in key_rows.chunks_mut(d).zip(&positions) {
                self.rope.rotate_in_place(row, *position as usize);
            }
            self.add(Content::Positions, bytes(&positions));
        }
        self.positions.push(positions.clone());
        let apart = self.selecting == case.group && self.rng.random_bool(0.5);
        let lists: Option<Vec<Vec<u32>>> =
            apart.then(|| (0..case.group).map(|_| choice(&mut self.rng, n)).collect());
        // Entries beside the coded ones, which every query head sees.
        let beside = self.rng.random_range(0..4);
        let mut rows = || Rows::from_f32(d, case.store, &normal(&mut self.rng, beside * d));
        let (whole_keys, whole_values) = (rows(), rows());
        self.footprint.entries += beside as u64;
        self.footprint.kept += (beside * self.selecting) as u64;
        self.add(
            Content::Entries,
            2 * (beside * d * case.store.size()) as u64,
        );
        for member in 0..case.group {
            let list = match &lists {
                Some(lists) => lists[member].clone(),
                None => (0..n as u32).collect(),
            };
            self.keys
                .push([whole_keys.to_f32(), pick(&key_rows, d, &list)].concat());
            self.values
                .push([whole_values.to_f32(), pick(&value_rows, d, &list)].concat());
        }
        whole[0].push(whole_keys);
        whole[1].push(whole_values);
        self.footprint.kept += match &lists {
            Some(lists) => lists.iter().map(|list| list.len() as u64).sum(),
            None => (n * self.selecting) as u64,
        };
        let of_lists = lists.iter().flatten().map(|l| bytes(l)).sum::<u64>();
        self.add(Content::Lists, of_lists);
        let entries = Entries {
            positions: (!rotated).then(|| Indices::from_slice(&positions)),
            lists: lists.map(|lists| lists.iter().map(|l| Indices::from_slice(l)).collect()),
            chosen: n,
            ..Entries::default()
        };
        (keys, values, entries)
    }

    /// Appends `count` random tokens from `position` on and checks what their queries give and what is held then.
    fn append(&mut self, case: &Case, count: usize, position: usize) -> Result<(), TestCaseError> {
        let (d, heads) = (case.head_dim, case.kv_heads * case.group);
        let queries = normal(&mut self.rng, count * heads * d);
        let unrotated_keys = normal(&mut self.rng, count * case.kv_heads * d);
        let values = normal(&mut self.rng, count * case.kv_heads * d);
        let mut keys = unrotated_keys.clone();
        for (i, row) in keys.chunks_mut(d).enumerate() {
            self.rope.rotate_in_place(row, position + i / case.kv_heads);
        }
        let positions = Vec::from_iter(position..position + count);
        let new = New {
            queries: queries.clone(),
            keys: unrotated_keys.clone(),
            values: values.clone(),
            positions: positions.clone(),
            pass: if count == 1 {
                Pass::Step
            } else {
                Pass::Sequence
            },
        };
        let mut rotated_queries = queries.clone();
        for (i, row) in rotated_queries.chunks_mut(d).enumerate() {
            self.rope.rotate_in_place(row, position + i / heads);
        }
        let before = self.cache.store.footprint();
        let found = self.cache.attend(&new);
        self.check_held(case, count, position, before)?;
        let found_held = self.cache.attend_held(&queries, &positions);
        let queries = rotated_queries;
        prop_assert_eq!(
            self.cache.store.footprint().entries,
            before.entries + (count * case.kv_heads) as u64
        );
        for head in 0..heads {
            let (held_keys, held_values) = self.cache.held(head);
            let kv_head = head / case.group;
            let own = |matrix: &[f32]| -> Vec<f32> {
                let rows = Vec::from_iter((0..count).map(|t| (t * case.kv_heads + kv_head) as u32));
                rounded(&pick(matrix, d, &rows), case.store)
            };
            self.keys[head].extend(own(&keys));
            self.values[head].extend(own(&values));
            let known = self.keys[head].len() - count * d;
            prop_assert_eq!(held_keys.len(), self.keys[head].len());
            for (held, expected) in [
                (&held_keys, &mut self.keys[head]),
                (&held_values, &mut self.values[head]),
            ] {
                let off = distance(&held[..known], &expected[..known]);
                prop_assert!(off <= 1e-5, "what is held, {case:?}: {off:e}");
                for (held, own) in held[known..]
                    .chunks_exact(d)
                    .zip(expected[known..].chunks_exact(d))
                {
                    stands_for(case, held, own)?;
                }
                expected.clone_from(held);
            }
            let total = held_keys.len() / d;
            for t in 0..count {
                let visible = (total - (count - 1 - t)) * d;
                let start = (t * heads + head) * d;
                let span = start..start + d;
                let (keys, values) = (&held_keys[..visible], &held_values[..visible]);
                let expected = plain(&queries[span.clone()], keys, values);
                let off = distance(&found[span.clone()], &expected);
                prop_assert!(
                    off <= BOUND,
                    "{case:?}, token {t} of {count}, head {head}: {off:e}"
                );
                let expected = plain(&queries[span.clone()], &held_keys, &held_values);
                let off = distance(&found_held[span], &expected);
                prop_assert!(off <= BOUND, "{case:?}, head {head}, all held: {off:e}");
            }
        }
        Ok(())
    }

    /// The bytes held after appending, from what was held before and what each token must add.
    fn check_held(
        &mut self,
        case: &Case,
        count: usize,
        position: usize,
        before: Footprint,
    ) -> Result<(), TestCaseError> {
        let found = self.cache.store.footprint();
        let size = case.store.size() as u64;
        let (added, d) = ((count * case.kv_heads) as u64, case.head_dim as u64);
        prop_assert_eq!(found.entries, before.entries + added);
        prop_assert_eq!(found.kept, before.kept + added * self.selecting as u64);
        let Form::Coded {
            magnitudes,
            rotated,
            codes_decoded: true,
            shared,
            theta,
        } = case.form
        else {
            let bytes = 2 * added * d * size;
            prop_assert_eq!(found.bytes.total(), before.bytes.total() + bytes);
            prop_assert_eq!(
                found.bytes[Content::Entries],
                before.bytes[Content::Entries] + bytes
            );
            return Ok(());
        };
        prop_assert_eq!(
            found.bytes[Content::Entries],
            before.bytes[Content::Entries]
        );
        let new_codewords =
            found.codewords_k + found.codewords_v - before.codewords_k - before.codewords_v;
        let expected = match theta {
            t if t < -1.0 => 0..=0,
            t if t > 1.0 => 2 * added..=2 * added,
            _ => 0..=2 * added,
        };
        prop_assert!(expected.contains(&new_codewords), "{case:?}");
        let codewords = before.bytes[Content::Codewords] + new_codewords * d * size;
        prop_assert_eq!(found.bytes[Content::Codewords], codewords);
        let norms = if magnitudes { 2 * added * size } else { 0 };
        prop_assert_eq!(
            found.bytes[Content::Magnitudes],
            before.bytes[Content::Magnitudes] + norms
        );
        prop_assert_eq!(found.bytes[Content::Lists], before.bytes[Content::Lists]);
        // Each token adds a codeword for each head of a book, the heads in turn; or none, and joins any.
        let heads = if shared { case.kv_heads } else { 1 };
        for (h, positions) in self.positions.iter_mut().enumerate() {
            positions.extend((position..position + count).map(|p| p as u32));
            for kind in 0..2 {
                let next = self.codewords[h / heads * 2 + kind] + (h % heads) as u32;
                let added = (0..count as u32).map(|t| match theta > 1.0 {
                    true => next + t * heads as u32,
                    false => 0,
                });
                self.indices[2 * h + kind].extend(added);
            }
        }
        if theta > 1.0 {
            let added = (count * heads) as u32;
            self.codewords.iter_mut().for_each(|count| *count += added);
        }
        let positions: u64 = self.positions.iter().map(|p| bytes(p)).sum();
        prop_assert_eq!(
            found.bytes[Content::Positions],
            if rotated { 0 } else { positions }
        );
        let indices: u64 = self.indices.iter().map(|i| bytes(i)).sum();
        if !(-1.0..=1.0).contains(&theta) {
            prop_assert_eq!(found.bytes[Content::Indices], indices);
        } else {
            prop_assert!(found.bytes[Content::Indices] >= indices);
        }
        Ok(())
    }
}

/// Checks that what is `held` for an appended vector is that vector, or the codeword that it may join.
fn stands_for(case: &Case, held: &[f32], own: &[f32]) -> Result<(), TestCaseError> {
    let Form::Coded {
        codes_decoded: true,
        magnitudes,
        theta,
        ..
    } = case.form
    else {
        prop_assert_eq!(held, own);
        return Ok(());
    };
    // Directions and norms are rounded apart, keys before they are rotated.
    let rounding = match case.store {
        StoreType::F32 => 1e-5,
        StoreType::F16 => 2e-3,
        StoreType::BF16 => 2e-2,
    };
    let norm = |x: &[f32]| x.iter().map(|x| x * x).sum::<f32>().sqrt();
    let product: f32 = held.iter().zip(own).map(|(x, y)| x * y).sum();
    let cosine = product / (norm(held) * norm(own));
    let least = if theta > 1.0 { 1.0 } else { theta };
    prop_assert!(cosine >= least - rounding, "{case:?}: cosine {cosine}");
    if magnitudes || theta > 1.0 {
        let off = norm(held) / norm(own) - 1.0;
        prop_assert!(off.abs() <= rounding, "{case:?}: norm off by {off}");
    }
    Ok(())
}

/// Tokens of the prompt that `case.len` entries survived from.
fn prompt(case: &Case) -> usize {
    match case.form {
        Form::Coded { .. } => case.len + case.len / 3,
        _ => case.len,
    }
}

/// Every form at the head dimensions of the supported models, in their three shapes, past a block of entries.
#[test]
fn every_form_attends_as_what_it_holds_at_every_head_dim() {
    let mut forms = vec![Form::Dense, Form::Lists, Form::Agreed, Form::Repeated];
    for bits in 0..16 {
        let flags = [1, 2, 4, 8].map(|bit| bits & bit != 0);
        forms.push(coded_form(flags, 0.2));
    }
    for head_dim in [64, 80, 96, 128] {
        // MHA, GQA, MQA.
        for (kv_heads, group) in [(3, 1), (2, 3), (1, 4)] {
            for &form in &forms {
                let case = Case {
                    form,
                    store: StoreType::F16,
                    kv_heads,
                    group,
                    head_dim,
                    len: 270,
                    rounds: [5, 2],
                    seed: (head_dim * 10 + group) as u64,
                };
                holds(&case).unwrap();
            }
        }
    }
}

fn holds(case: &Case) -> Result<State, TestCaseError> {
    let mut state = State::new(case);
    prop_assert_eq!(state.cache.store.footprint(), state.footprint, "{:?}", case);
    let mut position = prompt(case);
    for count in case.rounds {
        state.append(case, count, position)?;
        position += count;
    }
    Ok(state)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whole_forms_attend_as_what_they_hold(
        case in cases(prop::sample::select(WHOLE.to_vec()))
    ) {
        holds(&case)?;
    }

    #[test]
    fn coded_forms_attend_as_what_they_stand_for(case in cases(coded())) {
        holds(&case)?;
    }

    /// The order in which entries are stored carries no meaning: their keys know their positions.
    #[test]
    fn the_order_of_entries_does_not_matter(
        case in cases(prop::sample::select(vec![Form::Lists, Form::Agreed, Form::Repeated]))
    ) {
        let mut rng = ChaCha8Rng::seed_from_u64(case.seed);
        let (d, n) = (case.head_dim, case.len);
        let mut rows = || {
            let rows = (0..case.kv_heads).map(|_| Rows::from_f32(d, case.store, &normal(&mut rng, n * d)));
            Vec::from_iter(rows)
        };
        let (keys, values) = (rows(), rows());
        let kept: Vec<Vec<u32>> = match case.form {
            Form::Agreed => vec![choice(&mut rng, n); case.kv_heads * case.group],
            _ => (0..case.kv_heads * case.group).map(|_| choice(&mut rng, n)).collect(),
        };
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.shuffle(&mut rng);
        let shuffle = |rows: &[Rows]| Vec::from_iter(rows.iter().map(|rows| rows.gather(&order)));
        let shuffled = Run::whole(shuffle(&keys), shuffle(&values), Rotate::AtWrite);
        let full = Run::whole(keys, values, Rotate::AtWrite);
        let moved = Vec::from_iter(kept.iter().map(|kept| {
            let place = |p: &u32| order.iter().position(|o| o == p).unwrap() as u32;
            let mut places = Vec::from_iter(kept.iter().map(place));
            places.sort_unstable();
            places
        }));
        let geometry = Geometry {
            layers: 1,
            heads: case.kv_heads * case.group,
            kv_heads: case.kv_heads,
            head_dim: d,
        };
        let count = case.rounds[1];
        let queries = normal(&mut rng, count * geometry.heads * d);
        let keys = normal(&mut rng, count * case.kv_heads * d);
        let values = normal(&mut rng, count * case.kv_heads * d);
        let positions = Vec::from_iter(n..n + count);
        let new = New { queries, keys, values, positions, pass: Pass::Sequence };
        let attend = |full: &Run, kept: &[Vec<u32>]| {
            let chosen = match case.form {
                Form::Repeated => repeated(full, kept),
                _ => shared(full, kept),
            };
            let store = LayerStore::of_prompt(Arc::new(chosen), geometry, case.store, case.group);
            let mut cache = Layer::new(store, &rope(d), geometry.heads);
            (cache.attend(&new), cache.store.footprint())
        };
        let (as_it_was, bytes) = attend(&full, &kept);
        let (permuted, bytes_permuted) = attend(&shuffled, &moved);
        prop_assert_eq!(bytes.entries, bytes_permuted.entries);
        let off = distance(&as_it_was, &permuted);
        prop_assert!(off < 1e-5, "{case:?}: {off:e}");
    }

    /// A copy attends as its original, and attending to it leaves the original as it was.
    #[test]
    fn copies_are_independent(case in cases(forms())) {
        let mut state = holds(&case)?;
        let original = state.cache.store.footprint();
        let mut copy = state.cache.fork();
        std::mem::swap(&mut copy, &mut state.cache);
        state.append(&case, 2, prompt(&case) + case.rounds[0] + case.rounds[1])?;
        prop_assert_eq!(copy.store.footprint(), original);
        prop_assert!(state.cache.store.footprint().entries > original.entries);
    }
}
