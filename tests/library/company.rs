//! What a cell decodes depends on its own cache alone: not on the others in its batch, nor on the number of threads.

use crate::common::extend;
use crate::common::tiny::{self, Family, Tiny};
use candle_core::Tensor;
use spindle::compress::methods::METHODS;
use spindle::compress::settings::Value;
use spindle::generate::{Cell, compress, forced};
use spindle::model::decoder::{Model, Sequence};
use spindle::model::observe::{Observe, Prefilled};
use spindle::store::{Cache, LayerStore, StoreType};

const STEPS: usize = 6;

/// A cell of every method, with decoded tokens coded and whole, entries per KV head and per query head.
fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for entry in &METHODS {
        let mut extras: Vec<Option<(&str, &str)>> = vec![None];
        for (name, word) in [
            ("decode", "whole"),
            ("keys", "post-rope"),
            ("store", "kv-head"),
        ] {
            if entry.info.setting(name).is_some() {
                extras.push(Some((name, word)));
            }
        }
        for extra in extras {
            let mut given = Vec::new();
            given.extend(extra.map(|(name, word)| (name.to_owned(), Value::Text(word.to_owned()))));
            if entry.info.setting("share").is_some() {
                given.push(("share".to_owned(), Value::Number(0.3)));
            }
            cells
                .push(Cell::new(entry.info, entry.info.settings(&given, "test").unwrap()).unwrap());
        }
    }
    cells
}

fn caches(model: &Model, prefilled: &Prefilled) -> Vec<Cache> {
    let cells = cells();
    let cells = Vec::from_iter(&cells);
    let made = compress(model, prefilled, &cells).into_iter();
    made.map(|cache| cache.unwrap().cache).collect()
}

fn prefill(model: &Model, len: usize) -> Prefilled {
    let observe = Observe {
        window: 32,
        column_sums: true,
        unrotated_keys: true,
    };
    model
        .prefill(&tiny::tokens(len, 4), observe, StoreType::F16)
        .unwrap()
}

/// The token of a cache at a step: different ones, so that rows differ.
fn token(cell: usize, step: usize) -> u32 {
    ((31 * cell + 7 * step) % tiny::VOCAB) as u32
}

fn bits(logits: &Tensor) -> Vec<Vec<u32>> {
    let rows: Vec<Vec<f32>> = logits.to_vec2().unwrap();
    rows.iter()
        .map(|row| row.iter().map(|x| x.to_bits()).collect())
        .collect()
}

/// Logits of each step, for each of all caches decoded together.
fn together(model: &Model, mut caches: Vec<Cache>) -> Vec<Vec<Vec<u32>>> {
    let step = |step: usize| {
        let tokens: Vec<u32> = (0..caches.len()).map(|cell| token(cell, step)).collect();
        let mut batch: Vec<&mut Cache> = caches.iter_mut().collect();
        bits(&model.step(&tokens, &mut batch).unwrap())
    };
    (0..STEPS).map(step).collect()
}

#[test]
fn a_batch_of_one_equals_the_same_cell_in_a_batch_of_many() {
    for family in [Family::Llama, Family::Qwen2, Family::Qwen3] {
        let model = Tiny::new(family).load().unwrap();
        let prefilled = prefill(&model, 300);
        let many = together(&model, caches(&model, &prefilled));
        for (cell, mut cache) in caches(&model, &prefilled).into_iter().enumerate() {
            for (step, rows) in many.iter().enumerate() {
                let alone = model.step(&[token(cell, step)], &mut [&mut cache]).unwrap();
                assert_eq!(
                    bits(&alone)[0],
                    rows[cell],
                    "{family:?}, cell {cell}, step {step}"
                );
            }
        }
        // In another order, and with some gone.
        let mut some: Vec<(usize, Cache)> = caches(&model, &prefilled)
            .into_iter()
            .enumerate()
            .step_by(3)
            .collect();
        some.reverse();
        let tokens: Vec<u32> = some.iter().map(|(cell, _)| token(*cell, 0)).collect();
        let mut batch: Vec<&mut Cache> = some.iter_mut().map(|(_, cache)| cache).collect();
        let rows = bits(&model.step(&tokens, &mut batch).unwrap());
        for ((cell, _), row) in some.iter().zip(rows) {
            assert_eq!(row, many[0][*cell], "{family:?}, cell {cell}");
        }
    }
}

/// A question fed to all cells at once, and answers scored, forgotten and scored again.
#[test]
fn sequences_in_a_batch_equal_each_alone_and_leave_no_trace() {
    for family in [Family::Llama, Family::Qwen3] {
        let model = Tiny::new(family).load().unwrap();
        let prefilled = prefill(&model, 300);
        let (mut many, mut each) = (caches(&model, &prefilled), caches(&model, &prefilled));
        let question = tiny::tokens(19, 5);
        let mut sequences: Vec<Sequence<'_>> = many
            .iter_mut()
            .map(|cache| Sequence {
                tokens: &question,
                cache,
            })
            .collect();
        let together = bits(&model.extend(&mut sequences, 2).unwrap());
        let mut first = Vec::new();
        for (cell, cache) in each.iter_mut().enumerate() {
            let logits = extend(&model, &question, cache).unwrap();
            let alone = bits(&logits);
            assert_eq!(alone[17..], together[2 * cell..2 * cell + 2], "cell {cell}");
            first.push(logits.to_vec2::<f32>().unwrap().remove(18));
        }
        let footprints = |caches: &[Cache]| Vec::from_iter(caches.iter().map(Cache::footprint));
        let before = footprints(&many);
        let answer = tiny::tokens(40, 6);
        let mut score = |scored: std::ops::Range<usize>| {
            let mut seen = Vec::new();
            let mut batch: Vec<&mut Cache> = many.iter_mut().collect();
            forced(&model, &mut batch, &first, &answer, scored, |cell, rows| {
                let rows = rows
                    .iter()
                    .map(|row| row.iter().map(|x| x.to_bits()).collect());
                seen.push((cell, Vec::<Vec<u32>>::from_iter(rows)));
            })
            .unwrap();
            seen
        };
        let scored = score(0..40);
        assert_eq!(scored, score(0..40));
        assert_eq!(scored.len(), each.len());
        for (from, part) in scored.iter().zip(score(3..7)) {
            assert_eq!((from.0, &from.1[3..7]), (part.0, &part.1[..]));
        }
        assert_eq!(before, footprints(&many));
        for (cell, cache) in each.iter_mut().enumerate() {
            let rows = bits(&extend(&model, &answer[..39], cache).unwrap());
            assert_eq!(rows[..], scored[cell].1[1..], "cell {cell}");
        }
    }
}

/// Where a text is cut into passes changes nothing: what an earlier prompt left of a prefix can be gone on from.
#[test]
fn a_sequence_in_parts_equals_the_whole() {
    let model = Tiny::new(Family::Llama).load().unwrap();
    let tokens = tiny::tokens(500, 3);
    let in_parts = |parts: &[std::ops::Range<usize>]| {
        let layer = |_| LayerStore::empty(model.geometry(), StoreType::F16);
        let layers = (0..model.geometry().layers).map(layer).collect();
        let mut cache = Cache::new(layers, 0);
        let mut rows = Vec::new();
        for part in parts {
            rows.extend(bits(
                &extend(&model, &tokens[part.clone()], &mut cache).unwrap(),
            ));
        }
        rows
    };
    let whole = in_parts(std::slice::from_ref(&(0..500)));
    for first in [1, 7, 130, 402] {
        assert_eq!(
            in_parts(&[0..first, first..first + 60, first + 60..500]),
            whole
        );
    }
    let prefilled = model.prefill(&tokens, Observe::default(), StoreType::F16);
    let logits = prefilled
        .unwrap()
        .logits
        .iter()
        .map(|x| x.to_bits())
        .collect::<Vec<_>>();
    assert_eq!(logits, whole[499]);
}

/// A prompt that goes on from another's prefill leaves what it would alone, to the bit.
#[test]
fn a_prefill_after_another_equals_one_alone() {
    let model = Tiny::new(Family::Qwen3).load().unwrap();
    let observe = Observe {
        window: 16,
        column_sums: false,
        unrotated_keys: true,
    };
    let mut other = tiny::tokens(700, 4);
    for (same, len) in [(0, 300), (1, 300), (513, 640), (640, 640), (650, 640)] {
        let tokens = [&tiny::tokens(700, 4)[..same], &tiny::tokens(700, 8)[same..]].concat();
        let tokens = &tokens[..len];
        let alone = model.prefill(tokens, observe, StoreType::F16).unwrap();
        let earlier = model.prefill(&other, observe, StoreType::F16).unwrap();
        let common = earlier.common(tokens, observe, StoreType::F16);
        assert!(
            common <= len - 16 && (common >= same.min(len - 16)),
            "{common} of {same}"
        );
        let after = model
            .prefill_after(Some(earlier), tokens, observe, StoreType::F16)
            .unwrap();
        assert_eq!((alone.logits, alone.len), (after.logits, after.len));
        for (alone, after) in alone.layers.iter().zip(&after.layers) {
            assert_eq!(format!("{:?}", alone.kv), format!("{:?}", after.kv));
            assert_eq!(alone.unrotated_keys, after.unrotated_keys);
            assert_eq!(alone.queries, after.queries);
        }
        other.truncate(690);
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let model = Tiny::new(Family::Llama).load().unwrap();
            let prefilled = prefill(&model, 600);
            let logits: Vec<u32> = prefilled.logits.iter().map(|x| x.to_bits()).collect();
            let caches = caches(&model, &prefilled);
            let footprints: Vec<_> = caches.iter().map(Cache::footprint).collect();
            let mut extended = caches[0].fork();
            let scored = bits(&extend(&model, &tiny::tokens(90, 8), &mut extended).unwrap());
            (logits, footprints, together(&model, caches), scored)
        })
    };
    let one = run(1);
    for threads in [2, 3] {
        assert!(one == run(threads), "{threads} threads");
    }
}
