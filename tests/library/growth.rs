//! What 256 decoded tokens add to a compressed cache, on the default model's own keys, values and queries: positions,
//! lengths and bytes stay consistent, and the coded tail obeys its thresholds.

use std::sync::OnceLock;

use crate::common::{default_model, distance, plain};
use spindle::cache::{
    CodedBook, CodedKv, Codewords, Footprint, Indices, LayerCache, NewTokens, Pass, Prefix,
    StoreType,
};
use spindle::compress::methods::{METHODS, Made, make};
use spindle::compress::settings::Value;
use spindle::compress::solve::Curve;
use spindle::compress::view::LayerView;
use spindle::model::observe::{Observe, Prefilled};

/// Tokens of the prompt, and of what follows it in the text.
const PROMPT: usize = 344;
const DECODED: usize = 256;
const LAYERS: [usize; 2] = [2, 24];
/// Bytes of an element of [`StoreType::F16`], and the relative error of rounding to one.
const SIZE: u64 = 2;
const ROUNDING: f64 = 1e-3;

/// Prefills of the prompt, as a run makes it, and of all of the text, whose later tokens are what decoding would add.
struct Text {
    prompt: Prefilled,
    all: Prefilled,
}

fn text() -> &'static Text {
    static TEXT: OnceLock<Text> = OnceLock::new();
    TEXT.get_or_init(|| {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../golden/kept.json")).unwrap();
        let tokens = golden["prompts"][1]["tokens"].as_array().unwrap();
        let tokens = tokens[..PROMPT + DECODED].iter();
        let tokens: Vec<u32> = tokens.map(|t| t.as_u64().unwrap() as u32).collect();
        let observe = |window| Observe {
            window,
            column_sums: false,
            unrotated_keys: true,
        };
        let prefill = |tokens: &[u32], window, store| {
            let prefilled = default_model::model().prefill(tokens, observe(window), store);
            prefilled.unwrap()
        };
        Text {
            prompt: prefill(&tokens[..PROMPT], 32, StoreType::F16),
            all: prefill(&tokens, DECODED, StoreType::F32),
        }
    })
}

/// One token after the prompt in one layer: `[heads of its kind, head_dim]` each.
struct Token {
    position: usize,
    queries: Vec<f32>,
    unrotated_keys: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Token {
    fn new(layer: usize, decoded: usize) -> Self {
        let (all, position) = (&text().all, PROMPT + decoded);
        let (layer, geometry) = (&all.layers[layer], all.geometry);
        let width = geometry.heads * geometry.head_dim;
        let heads = |rows: &[spindle::cache::Rows]| -> Vec<f32> {
            let heads = rows.iter();
            heads
                .flat_map(|rows| rows.gather(&[position as u32]).to_f32())
                .collect()
        };
        Self {
            position,
            queries: layer.queries[decoded * width..(decoded + 1) * width].to_vec(),
            unrotated_keys: heads(&layer.unrotated_keys),
            keys: heads(&layer.kv.keys),
            values: heads(&layer.kv.values),
        }
    }

    fn new_tokens(&self) -> NewTokens<'_> {
        NewTokens {
            queries: &self.queries,
            unrotated_keys: &self.unrotated_keys,
            keys: &self.keys,
            values: &self.values,
            position: self.position,
            pass: Pass::Step,
        }
    }
}

fn prefix(name: &str, given: &[(&str, Value)], layer: usize) -> Prefix {
    let info = METHODS.iter().find(|m| m.info.name == name).unwrap().info;
    let given = given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    let settings = info.settings(&given.collect::<Vec<_>>(), "test").unwrap();
    let Made::Compress(method, size) = make(info, &settings).unwrap() else {
        panic!("{name} compresses a dense prefill");
    };
    let knob = size
        .knob(
            &Curve::new(method.knob(), &|_| 0),
            PROMPT,
            method.least(PROMPT),
            1,
        )
        .unwrap();
    let prefilled = &text().prompt;
    method
        .plan(LayerView {
            prefilled,
            layer,
            draws: 0,
        })
        .unwrap()
        .build(knob)
        .unwrap()
        .prefix
}

/// The largest cosine of a vector to one of the codewords.
fn nearest(vector: &[f32], codewords: &Codewords) -> f64 {
    let mut scratch = Vec::new();
    let codewords = codewords
        .block(0..codewords.len(), &mut scratch)
        .chunks(vector.len());
    codewords
        .map(|codeword| cosine(vector, codeword))
        .fold(-1.0, f64::max)
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(x, y)| f64::from(*x) * f64::from(*y))
        .sum()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// How many appended vectors joined a codeword, and how many became one.
#[derive(Debug, Default)]
struct Joined {
    joined: usize,
    became: usize,
}

/// One appended key or value against the codebook before it: it joined the nearest codeword if that is above the
/// threshold, else it became one. `held` is what stands for it, `vector` what was coded, rotated alike.
fn obeys(
    vector: &[f32],
    held: f64,
    before: &Codewords,
    after: &Codewords,
    theta: f64,
    counts: &mut Joined,
) {
    let best = nearest(vector, before);
    let grew = after.len() - before.len();
    // Codewords are stored in half precision, and so are the norms by which cosines are taken.
    assert!(
        grew == 1 || best > theta - ROUNDING,
        "joined at {best}, the threshold is {theta}"
    );
    assert!(
        grew == 0 || best < theta + ROUNDING,
        "became a codeword beside one at {best}"
    );
    let expected = if grew == 1 { 1.0 } else { best };
    assert!(
        (held - expected).abs() < ROUNDING,
        "stands for it at {held}, expected {expected}"
    );
    counts.joined += 1 - grew;
    counts.became += grew;
}

/// Bytes of a coded layer, from its counts.
fn coded_bytes(coded: &CodedKv, rotated: bool, magnitudes: bool, tail: usize) -> u64 {
    let d = text().prompt.geometry.head_dim as u64;
    let width = |codewords: &Codewords| Indices::width(codewords.len() - 1);
    let head = |book: &CodedBook, n: u64| {
        let positions = if rotated {
            0
        } else {
            n * Indices::width(PROMPT + tail - 1)
        };
        let norms = if magnitudes { 2 * n * SIZE } else { 0 };
        n * (width(&book.keys) + width(&book.values)) + positions + norms
    };
    let book = |book: &CodedBook| {
        let codewords = (book.keys.len() + book.values.len()) as u64 * d * SIZE;
        let heads = book.heads.iter().map(|h| head(book, h.len() as u64));
        codewords + heads.sum::<u64>()
    };
    coded.books.iter().map(book).sum()
}

/// A prompt's coded form: its thresholds and what it stores.
#[derive(Clone, Copy)]
struct Form {
    thetas: [f64; 2],
    rotated: bool,
    magnitudes: bool,
    /// A codebook for each KV head: then it is known which vector each new codeword is.
    per_head: bool,
}

const PAPER: Form = Form {
    thetas: [0.98, 0.95],
    rotated: false,
    magnitudes: true,
    per_head: true,
};

fn coded(cache: &LayerCache) -> Option<&CodedKv> {
    match cache.prefix() {
        Prefix::Coded(coded) => Some(coded),
        _ => None,
    }
}

/// Decodes all tokens in one layer, checking after each. `form` is none where the tail is whole.
fn decode(prefix: Prefix, layer: usize, form: Option<Form>) -> Joined {
    let model = default_model::model();
    let (geometry, rope) = (text().prompt.geometry, model.rope());
    let (d, group) = (geometry.head_dim, geometry.group());
    let mut cache = LayerCache::new(geometry, prefix, StoreType::F16);
    let start = cache.footprint();
    let lens: Vec<usize> = (0..geometry.heads)
        .map(|head| cache.materialize(head, rope).0.len() / d)
        .collect();
    let mut counts = Joined::default();
    for t in 0..DECODED {
        let token = Token::new(layer, t);
        let before = coded(&cache).cloned();
        let read = t.is_multiple_of(8).then(|| cache.clone());
        let out = cache.attend(&token.new_tokens(), rope);
        if let Some(mut read) = read {
            let new = NewTokens {
                pass: Pass::Sequence,
                ..token.new_tokens()
            };
            read.attend(&new, rope);
            assert_eq!(
                coded(&read),
                coded(&cache),
                "a token that is read joins as one that is decoded"
            );
        }
        let held = cache.footprint();
        let tail = (t + 1) as u64;
        assert_eq!(
            held.entries,
            start.entries + tail * geometry.kv_heads as u64
        );
        for kv_head in 0..geometry.kv_heads {
            let (keys, values) = cache.materialize(kv_head * group, rope);
            assert_eq!(keys.len() / d, lens[kv_head * group] + t + 1);
            let last = keys.len() - d;
            let span = kv_head * d..(kv_head + 1) * d;
            let (key, value) = (&token.keys[span.clone()], &token.values[span.clone()]);
            let held = [cosine(&keys[last..], key), cosine(&values[last..], value)];
            let Some(form) = form else {
                assert!(held.iter().all(|held| *held > 1.0 - ROUNDING), "{held:?}");
                continue;
            };
            for (held, theta) in held.iter().zip(form.thetas) {
                assert!(*held > theta - ROUNDING, "token {t}: {held} under {theta}");
            }
            let norms = [(&keys[last..], key), (&values[last..], value)]
                .map(|(held, own)| (dot(held, held) / dot(own, own)).sqrt());
            if form.magnitudes {
                assert!(
                    norms.iter().all(|norm| (norm - 1.0).abs() < ROUNDING),
                    "{norms:?}"
                );
            }
            if let (true, Some(before), Some(after)) = (form.per_head, &before, coded(&cache)) {
                let (before, after) = (&before.books[kv_head], &after.books[kv_head]);
                let key = if form.rotated {
                    key
                } else {
                    &token.unrotated_keys[span]
                };
                let [theta_k, theta_v] = form.thetas;
                obeys(
                    key,
                    held[0],
                    &before.keys,
                    &after.keys,
                    theta_k,
                    &mut counts,
                );
                obeys(
                    value,
                    held[1],
                    &before.values,
                    &after.values,
                    theta_v,
                    &mut counts,
                );
            }
        }
        check_bytes(&cache, start, held, t + 1, form);
        if t % 64 == 63 {
            #[allow(clippy::needless_range_loop)]
            for head in 0..geometry.heads {
                let (keys, values) = cache.materialize(head, rope);
                assert_eq!(keys.len() / d, lens[head] + t + 1);
                let span = head * d..(head + 1) * d;
                let expected = plain(&token.queries[span.clone()], &keys, &values);
                let off = distance(&out[span], &expected);
                assert!(off < 1e-4, "token {t}, head {head}: {off:e}");
            }
        }
    }
    counts
}

fn check_bytes(
    cache: &LayerCache,
    start: Footprint,
    held: Footprint,
    tail: usize,
    form: Option<Form>,
) {
    let geometry = text().prompt.geometry;
    let whole = (2 * tail * geometry.kv_heads * geometry.head_dim) as u64 * SIZE;
    match (form, coded(cache)) {
        (Some(form), Some(coded)) => {
            assert_eq!(held.bytes_entries, start.bytes_entries);
            assert_eq!(held.bytes_lists, start.bytes_lists);
            let bytes = held.bytes() - held.bytes_entries - held.bytes_lists;
            let expected = coded_bytes(coded, form.rotated, form.magnitudes, tail);
            match form.per_head {
                true => assert_eq!(bytes, expected),
                // Where heads share a codebook, the last codeword may be of another head.
                false => assert!(bytes <= expected),
            }
        }
        _ => {
            let expected = Footprint {
                entries: held.entries,
                kept: held.kept,
                bytes_entries: start.bytes_entries + whole,
                ..start
            };
            assert_eq!(held, expected);
        }
    }
}

fn flag(name: &str, value: bool) -> (&str, Value) {
    (name, Value::Flag(value))
}

fn word<'a>(name: &'a str, value: &str) -> (&'a str, Value) {
    (name, Value::Text(value.into()))
}

fn number(name: &str, value: f64) -> (&str, Value) {
    (name, Value::Number(value))
}

#[test]
fn whole_tails_grow_by_one_entry_per_kv_head() {
    let r = number("share", 0.3);
    for (name, given) in [
        ("snapkv", vec![number("budget", 100.0)]),
        (
            "snapkv",
            vec![number("budget", 100.0), word("store", "kv-head")],
        ),
        ("streaming-llm", vec![number("budget", 60.0)]),
        ("spindle-evict", vec![r.clone()]),
        ("spindle", vec![r, word("decode", "whole")]),
    ] {
        for layer in LAYERS {
            decode(prefix(name, &given, layer), layer, None);
        }
    }
}

#[test]
fn coded_tails_obey_their_thresholds() {
    let r = number("share", 0.3);
    let lower = [number("theta-k", 0.9), number("theta-v", 0.6)];
    let low = Form {
        thetas: [0.9, 0.6],
        ..PAPER
    };
    let forms = [
        (vec![], PAPER),
        (lower.to_vec(), low),
        (vec![word("learner", "leader")], PAPER),
        (vec![flag("window-coded", false)], PAPER),
        (
            [&lower[..], &[word("keys", "post-rope")]].concat(),
            Form {
                rotated: true,
                ..low
            },
        ),
        (
            [&lower[..], &[flag("magnitudes", false)]].concat(),
            Form {
                magnitudes: false,
                ..low
            },
        ),
        (
            [&lower[..], &[word("scope", "layer")]].concat(),
            Form {
                per_head: false,
                ..low
            },
        ),
    ];
    for (mut given, form) in forms {
        given.push(r.clone());
        let mut counts = Joined::default();
        for layer in LAYERS {
            let of_layer = decode(prefix("spindle", &given, layer), layer, Some(form));
            counts.joined += of_layer.joined;
            counts.became += of_layer.became;
        }
        println!("{given:?}: {counts:?}");
        if form.per_head {
            assert_eq!(
                counts.joined + counts.became,
                2 * LAYERS.len() * 3 * DECODED
            );
            assert!(counts.joined > 100 && counts.became > 100, "{counts:?}");
        }
    }
}
