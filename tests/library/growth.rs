//! What 256 decoded tokens add to a compressed cache, on the default model's own keys, values and queries: positions,
//! lengths and bytes stay consistent, and the coded tail obeys its thresholds.

use std::sync::OnceLock;

use crate::common::layer::{Layer, New};
use crate::common::{default_model, distance, plain};
use spindle::attend::Pass;
use spindle::compress::methods::{METHODS, Made, make};
use spindle::compress::settings::Value;
use spindle::compress::solve::BytesCurve;
use spindle::compress::view::LayerView;
use spindle::model::observe::{Observe, Prefilled};
use spindle::store::{Bytes, Content, Footprint, Form, Indices, LayerStore, Part, Run, StoreType};

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
    unrotated_queries: Vec<f32>,
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
        let at = |rows: &spindle::store::Rows| rows.gather(&[position as u32]).to_f32();
        let heads = 0..geometry.kv_heads;
        let rope = layer.rule.rope.as_ref().unwrap();
        let unrotated = layer.queries[decoded * width..(decoded + 1) * width].to_vec();
        let mut queries = unrotated.clone();
        for query in queries.chunks_mut(geometry.head_dim) {
            rope.rotate_in_place(query, position);
        }
        Self {
            position,
            unrotated_queries: unrotated,
            queries,
            unrotated_keys: layer.unrotated_keys.iter().flat_map(at).collect(),
            keys: heads
                .clone()
                .flat_map(|head| at(layer.kv.keys(head)))
                .collect(),
            values: heads.flat_map(|head| at(layer.kv.values(head))).collect(),
        }
    }

    fn new_tokens(&self) -> New {
        New {
            queries: self.unrotated_queries.clone(),
            keys: self.unrotated_keys.clone(),
            values: self.values.clone(),
            positions: vec![self.position],
            pass: Pass::Step,
        }
    }
}

fn compressed(name: &str, given: &[(&str, Value)], layer: usize) -> LayerStore {
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
            &BytesCurve::new(method.knob(), &|_| 0),
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
        .build(knob.at)
        .unwrap()
        .store
}

/// The largest cosine of a vector to what is held, `[n, head_dim]`: to one of the codewords.
fn nearest(vector: &[f32], held: &[f32]) -> f64 {
    let held = held.chunks(vector.len());
    held.map(|codeword| cosine(vector, codeword))
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
fn obeys(vector: &[f32], held: f64, before: &[f32], grew: usize, theta: f64, counts: &mut Joined) {
    let best = nearest(vector, before);
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
fn coded_bytes(coded: &Run, rotated: bool, magnitudes: bool, tail: usize) -> u64 {
    let d = text().prompt.geometry.head_dim as u64;
    let width = |form: &dyn Form| Indices::width(form.codewords().unwrap() - 1);
    let head = |part: &Part, n: u64| {
        let positions = if rotated {
            0
        } else {
            n * Indices::width(PROMPT + tail - 1)
        };
        let norms = if magnitudes { 2 * n * SIZE } else { 0 };
        n * (width(&*part.keys) + width(&*part.values)) + positions + norms
    };
    let of_part = |part: &Part| {
        let codewords =
            (part.keys.codewords().unwrap() + part.values.codewords().unwrap()) as u64 * d * SIZE;
        let heads = (0..part.heads()).map(|h| head(part, part.len(h) as u64));
        codewords + heads.sum::<u64>()
    };
    coded.parts.iter().map(of_part).sum()
}

/// A prompt's coded form: its thresholds and what it stores.
#[derive(Clone, Copy)]
struct Coding {
    thetas: [f64; 2],
    rotated: bool,
    magnitudes: bool,
    /// A codebook for each KV head: then it is known which vector each new codeword is.
    per_head: bool,
}

const PAPER: Coding = Coding {
    thetas: [0.98, 0.95],
    rotated: false,
    magnitudes: true,
    per_head: true,
};

/// The growing run, where it is coded.
fn coded(cache: &Layer) -> Option<&Run> {
    let open = &cache.store.open;
    open.parts[0].keys.codewords().is_some().then_some(open)
}

/// What stands for the keys and the values of a KV head in a coded run, before RoPE where they are coded so, and how
/// many codewords there are of each.
fn books(run: &Run, kv_head: usize) -> [(Vec<f32>, usize); 2] {
    let (part, head) = run.place(kv_head);
    [&part.keys, &part.values].map(|form| {
        let entries = Vec::from_iter(0..form.len(head) as u32);
        let mut rows = vec![0.0; entries.len() * form.dim()];
        form.read(head, &entries, &mut rows);
        (rows, form.codewords().unwrap())
    })
}

/// Decodes all tokens in one layer, checking after each. `form` is none where the tail is whole.
fn decode(store: LayerStore, layer: usize, form: Option<Coding>) -> Joined {
    let model = default_model::model();
    let (geometry, rule) = (text().prompt.geometry, model.rule(layer));
    let (d, group) = (geometry.head_dim, geometry.group());
    let mut cache = Layer::new(store, rule.rope.as_ref().unwrap(), geometry.heads);
    let start = cache.store.footprint();
    let lens: Vec<usize> = (0..geometry.heads)
        .map(|head| cache.held(head).0.len() / d)
        .collect();
    let mut counts = Joined::default();
    for t in 0..DECODED {
        let token = Token::new(layer, t);
        let before = coded(&cache)
            .map(|run| Vec::from_iter((0..geometry.kv_heads).map(|kv_head| books(run, kv_head))));
        let read = t.is_multiple_of(8).then(|| cache.fork());
        let out = cache.attend(&token.new_tokens());
        if let Some(mut read) = read {
            let new = New {
                pass: Pass::Sequence,
                ..token.new_tokens()
            };
            read.attend(&new);
            assert_eq!(
                format!("{:?}", coded(&read)),
                format!("{:?}", coded(&cache)),
                "a token that is read joins as one that is decoded"
            );
        }
        let held = cache.store.footprint();
        let tail = (t + 1) as u64;
        assert_eq!(
            held.entries,
            start.entries + tail * geometry.kv_heads as u64
        );
        for kv_head in 0..geometry.kv_heads {
            let (keys, values) = cache.held(kv_head * group);
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
                let (before, after) = (&before[kv_head], books(after, kv_head));
                let grew = [0, 1].map(|side: usize| after[side].1 - before[side].1);
                let key = if form.rotated {
                    key
                } else {
                    &token.unrotated_keys[span]
                };
                let [theta_k, theta_v] = form.thetas;
                obeys(key, held[0], &before[0].0, grew[0], theta_k, &mut counts);
                obeys(value, held[1], &before[1].0, grew[1], theta_v, &mut counts);
            }
        }
        check_bytes(&cache, start, held, t + 1, form);
        if t % 64 == 63 {
            #[allow(clippy::needless_range_loop)]
            for head in 0..geometry.heads {
                let (keys, values) = cache.held(head);
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
    cache: &Layer,
    start: Footprint,
    held: Footprint,
    tail: usize,
    form: Option<Coding>,
) {
    let geometry = text().prompt.geometry;
    let whole = (2 * tail * geometry.kv_heads * geometry.head_dim) as u64 * SIZE;
    match (form, coded(cache)) {
        (Some(form), Some(coded)) => {
            let same = [Content::Entries, Content::Lists].map(|content| {
                assert_eq!(held.bytes[content], start.bytes[content]);
                held.bytes[content]
            });
            let bytes = held.bytes.total() - same[0] - same[1];
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
                bytes: start.bytes + Bytes::of(Content::Entries, whole),
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
            decode(compressed(name, &given, layer), layer, None);
        }
    }
}

#[test]
fn coded_tails_obey_their_thresholds() {
    let r = number("share", 0.3);
    let lower = [number("theta-k", 0.9), number("theta-v", 0.6)];
    let low = Coding {
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
            Coding {
                rotated: true,
                ..low
            },
        ),
        (
            [&lower[..], &[flag("magnitudes", false)]].concat(),
            Coding {
                magnitudes: false,
                ..low
            },
        ),
        (
            [&lower[..], &[word("scope", "layer")]].concat(),
            Coding {
                per_head: false,
                ..low
            },
        ),
    ];
    for (mut given, form) in forms {
        given.push(r.clone());
        let mut counts = Joined::default();
        for layer in LAYERS {
            let of_layer = decode(compressed("spindle", &given, layer), layer, Some(form));
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
