//! What must hold for every registered method, whatever its settings: on a tiny model for each setting apart, and on
//! the default model with its defaults.

use std::sync::OnceLock;

use crate::common::tiny::{Family, Tiny};
use crate::common::{default_model, tiny};
use candle_core::{Device, Tensor};
use spindle::attend::held;
use spindle::compress::method::{At, Method, Plan};
use spindle::compress::methods::{METHODS, Made, make};
use spindle::compress::settings::{Accepts, MethodInfo, Value};
use spindle::compress::size::Size;
use spindle::compress::solve::{self, WITHIN};
use spindle::compress::view::LayerView;
use spindle::generate::{AnswerLimits, Cell, CellCache, compress, decode};
use spindle::model::decoder::Model;
use spindle::model::observe::{Observe, Prefilled};
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{DEFAULT_MODEL, SourceOptions, resolve};
use spindle::store::{Cache, Content, LayerStore, StoreType};

/// All that any case below needs to see.
const ALL: Observe = Observe {
    window: 32,
    column_sums: true,
    unrotated_keys: true,
};
/// Tokens of prose given to the default model.
const LEN: usize = 620;
const KNOBS: [f64; 7] = [0.0, 0.02, 0.1, 0.25, 0.5, 0.8, 1.0];

type Given = Vec<(String, Value)>;

/// A tiny model and its prefill of a prompt of 200 tokens.
fn small() -> &'static (Model, Prefilled) {
    static SMALL: OnceLock<(Model, Prefilled)> = OnceLock::new();
    SMALL.get_or_init(|| {
        let model = Tiny::new(Family::Llama).load().unwrap();
        let prefilled = model
            .prefill(&tiny::tokens(200, 5), ALL, StoreType::F32)
            .unwrap();
        (model, prefilled)
    })
}

fn prose() -> Vec<u32> {
    let files = resolve(DEFAULT_MODEL, &SourceOptions::default()).unwrap();
    let text = include_str!("../../datasets/haystack/01-harbour-walls.txt");
    let mut tokens = ModelTokenizer::load(&files)
        .unwrap()
        .encode(text, false)
        .unwrap();
    tokens.truncate(LEN);
    assert_eq!(tokens.len(), LEN);
    tokens
}

/// The default model's prefill of some prose.
fn real(store: StoreType) -> Prefilled {
    default_model::model()
        .prefill(&prose(), ALL, store)
        .unwrap()
}

/// Every setting that changes what a method does, each of its values by itself.
fn variants(info: &MethodInfo) -> Vec<Given> {
    let mut all = vec![Vec::new()];
    for setting in info.settings {
        let values = match setting.accepts {
            Accepts::Choice(words) => words.iter().map(|w| Value::Text((*w).into())).collect(),
            Accepts::Flag => vec![Value::Flag(true), Value::Flag(false)],
            _ => Vec::new(),
        };
        let default = setting.default.map(|default| default.value());
        for value in values {
            if Some(&value) != default.as_ref() {
                all.push(vec![(setting.name.to_owned(), value)]);
            }
        }
    }
    all
}

fn has(info: &MethodInfo, name: &str) -> bool {
    info.setting(name).is_some()
}

fn number(name: &str, value: f64) -> (String, Value) {
    (name.to_owned(), Value::Number(value))
}

/// `given`, exact thresholds where there are any, and a size by the method's own setting.
fn sized(info: &MethodInfo, given: &Given, share: f64) -> Given {
    let mut given = given.clone();
    if has(info, "theta-k") {
        given.extend([number("theta-k", 1.0), number("theta-v", 1.0)]);
    }
    if has(info, "prefill-decay-ratio") {
        given.push(number("prefill-decay-ratio", share));
    }
    let means = Value::Text("spherical-k-means".into());
    if given.iter().any(|(_, value)| *value == means) {
        given.push(number("codewords", 1.0));
    }
    if has(info, "share") {
        given.push(number("share", share));
    }
    given
}

fn cell(info: &'static MethodInfo, given: &Given) -> Cell {
    Cell::new(info, info.settings(given, "test").unwrap()).unwrap()
}

/// The method itself, at a size that the caller does not use.
fn method(info: &'static MethodInfo, given: &Given) -> Option<Box<dyn Method>> {
    let settings = info.settings(&sized(info, given, 1.0), "test").unwrap();
    match make(info, &settings).unwrap() {
        Made::Compress(method, _) => Some(method),
        Made::Full | Made::Prune(..) => None,
    }
}

fn plans<'a>(method: &'a dyn Method, prefilled: &'a Prefilled) -> Vec<Box<dyn Plan + 'a>> {
    let view = |layer| LayerView {
        prefilled,
        layer,
        draws: 0,
    };
    (0..prefilled.layers.len())
        .map(|layer| method.plan(view(layer)).unwrap())
        .collect()
}

/// The methods that compress, in every variant.
fn compressing(prefilled: &Prefilled) -> Vec<(&'static MethodInfo, Given, Box<dyn Method>)> {
    let mut all = Vec::new();
    for entry in &METHODS {
        for given in variants(entry.info) {
            if let Some(method) = method(entry.info, &given) {
                assert!(method.observes().window <= ALL.window);
                assert!(prefilled.len > ALL.window);
                all.push((entry.info, given, method));
            }
        }
    }
    assert!(all.len() > 30, "{} variants", all.len());
    all
}

/// Settings in the range of a method's knob, from its smallest cache to its largest.
fn knobs(method: &dyn Method) -> Vec<f64> {
    let knob = method.knob();
    KNOBS
        .iter()
        .map(|share| knob.smallest + share * (knob.largest - knob.smallest))
        .collect()
}

fn greedy(model: &Model, caches: &mut [CellCache], count: usize) -> Vec<Vec<u32>> {
    let rows: Vec<Vec<f32>> = caches.iter().map(|made| made.logits.clone()).collect();
    let first = Tensor::new(rows, &Device::Cpu).unwrap();
    let mut batch: Vec<_> = caches.iter_mut().map(|made| &mut made.cache).collect();
    decode(model, &mut batch, &first, &AnswerLimits::tokens(count)).unwrap()
}

/// Entries that each query head sees, layer by layer.
fn seen(model: &Model, cache: &Cache) -> Vec<usize> {
    let geometry = model.geometry();
    let of_layer = |(number, layer): (usize, &LayerStore)| -> Vec<usize> {
        let (rule, group) = (model.rule(number), geometry.group());
        (0..geometry.heads)
            .map(|head| held(rule, layer, head, group, cache.seen).0.len() / geometry.head_dim)
            .collect()
    };
    cache.layers.iter().enumerate().flat_map(of_layer).collect()
}

fn made(model: &Model, prefilled: &Prefilled, cells: &[Cell]) -> Vec<CellCache> {
    let cells = Vec::from_iter(cells);
    let caches = compress(model, prefilled, &cells);
    caches.into_iter().map(|cache| cache.unwrap()).collect()
}

/// Whether they hold the same, element for element.
fn equal(a: &LayerStore, b: &LayerStore) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

/// A plan says what it would hold before it builds, what it builds is that, and twice the same; what is kept is
/// sorted, unique, in range, holds the recent window, and is what the query head attends to.
fn plans_conform(
    prefilled: &Prefilled,
    info: &'static MethodInfo,
    given: &Given,
    method: &dyn Method,
) {
    let geometry = prefilled.geometry;
    let model = &small().0;
    let window = given_window(info);
    for (layer, plan) in plans(method, prefilled).iter().enumerate() {
        for i in 0..method.knob().cheap.len() {
            let built = plan.build(At::Cheap(i)).unwrap();
            assert_eq!(plan.footprint(At::Cheap(i)), built.store.footprint());
        }
        for knob in knobs(method) {
            let at = format!("{} {given:?}, layer {layer}, knob {knob}", info.name);
            let built = plan.build(At::Value(knob)).unwrap();
            assert_eq!(
                plan.footprint(At::Value(knob)),
                built.store.footprint(),
                "{at}"
            );
            assert!(
                equal(&built.store, &plan.build(At::Value(knob)).unwrap().store),
                "{at}"
            );
            let Some(kept) = &built.kept else { continue };
            assert_eq!(kept.len(), geometry.heads, "{at}");
            for kept in kept {
                assert!(kept.is_sorted_by(|a, b| a < b), "{at}: {kept:?}");
                let recent = (prefilled.len - window) as u32..prefilled.len as u32;
                assert!(kept.ends_with(&Vec::from_iter(recent)), "{at}: {kept:?}");
            }
            let parts = || built.store.runs().flat_map(|run| &run.parts);
            let are_keys_whole = parts().all(|part| part.keys.whole(0).is_some());
            let are_values_whole = parts().all(|part| part.values.whole(0).is_some());
            let full = &prefilled.layers[layer].kv;
            for (head, kept) in kept.iter().enumerate() {
                let (rule, group) = (model.rule(layer), geometry.group());
                let (keys, values) = held(rule, &built.store, head, group, prefilled.len);
                let kv_head = head / group;
                if are_keys_whole {
                    assert_eq!(keys, full.keys(kv_head).gather(kept).to_f32(), "{at}");
                }
                if are_values_whole && info.name != "cam" {
                    assert_eq!(values, full.values(kv_head).gather(kept).to_f32(), "{at}");
                }
            }
        }
    }
}

/// Query heads that select for themselves are counted apart, also where they agree; those that select together once.
#[test]
fn what_is_kept_counts_by_who_selects() {
    let (_, prefilled) = small();
    let group = prefilled.geometry.group() as u64;
    assert!(group > 1);
    let text = |name: &str, value: &str| vec![(name.to_owned(), Value::Text(value.into()))];
    let unfolded = Vec::new();
    let by_mean = text("gqa", "mean");
    let once = text("store", "kv-head");
    for (name, given, per_query_head) in [
        ("spindle", &unfolded, true),
        ("spindle", &by_mean, false),
        ("spindle-evict", &unfolded, true),
        ("spindle-evict", &by_mean, false),
        ("snapkv", &unfolded, true),
        ("snapkv", &once, true),
        ("h2o", &once, true),
        ("tova", &unfolded, false),
        ("streaming-llm", &unfolded, false),
        ("random", &unfolded, false),
        ("cam", &unfolded, false),
    ] {
        let entry = METHODS.iter().find(|entry| entry.info.name == name);
        let method = method(entry.unwrap().info, given).unwrap();
        for (knob, plan) in knobs(method.as_ref()).into_iter().flat_map(|knob| {
            plans(method.as_ref(), prefilled)
                .into_iter()
                .map(move |p| (knob, p))
        }) {
            let built = plan.build(At::Value(knob)).unwrap();
            let kept: usize = built.kept.unwrap().iter().map(Vec::len).sum();
            let counted = if per_query_head { 1 } else { group };
            let found = built.store.footprint().kept;
            assert_eq!(
                found,
                kept as u64 / counted,
                "{name} {given:?}, knob {knob}"
            );
        }
    }
}

/// However small it is asked to be, no cache is empty: each query head keeps an entry in each layer.
#[test]
fn the_smallest_cache_has_an_entry_for_every_head() {
    let (_, prefilled) = small();
    let geometry = prefilled.geometry;
    for (info, given, method) in compressing(prefilled) {
        let least = method.least(prefilled.len);
        assert!(least > 0, "{} {given:?}", info.name);
        for plan in plans(method.as_ref(), prefilled) {
            let built = plan.build(At::Value(method.knob().smallest)).unwrap();
            let at = format!("{} {given:?}", info.name);
            assert!(
                built.store.footprint().entries >= geometry.kv_heads as u64,
                "{at}"
            );
            for kept in built.kept.iter().flatten() {
                assert!(kept.len() >= least, "{at}: {} of {least}", kept.len());
            }
        }
    }
}

/// The recent window that a method keeps by its defaults.
fn given_window(info: &'static MethodInfo) -> usize {
    let settings = info.settings(&[], "test").unwrap();
    match settings.get("window") {
        Some(Value::Number(window)) => *window as usize,
        _ => 0,
    }
}

#[test]
fn plans_build_what_they_say_and_keep_what_they_must() {
    let (_, prefilled) = small();
    for (info, given, method) in compressing(prefilled) {
        plans_conform(prefilled, info, &given, method.as_ref());
    }
}

/// Long enough for unions whose places need two bytes while each list is short.
#[test]
fn plans_conform_on_the_default_model() {
    let prefilled = real(StoreType::F16);
    for entry in &METHODS {
        let Some(method) = method(entry.info, &Vec::new()) else {
            continue;
        };
        let plans = plans(method.as_ref(), &prefilled);
        for knob in knobs(method.as_ref()) {
            for (layer, plan) in plans.iter().enumerate().step_by(5) {
                let found = plan.build(At::Value(knob)).unwrap().store.footprint();
                assert_eq!(
                    plan.footprint(At::Value(knob)),
                    found,
                    "{}, layer {layer}",
                    entry.info.name
                );
            }
        }
    }
}

/// With everything kept, and codewords for equal vectors alone, every method decodes as `full` does.
fn largest_equals_full(model: &Model, prefilled: &Prefilled, cells: &[Cell]) {
    assert_eq!(cells[0].info.name, "full");
    let mut caches = made(model, prefilled, cells);
    let answers = greedy(model, &mut caches, 12);
    for (cell, answer) in cells.iter().zip(&answers) {
        let what = cell.settings.in_full();
        assert_eq!(answer, &answers[0], "{} {what}", cell.info.name);
    }
}

#[test]
fn the_largest_size_decodes_as_the_full_cache() {
    let (model, prefilled) = small();
    let mut cells = Vec::new();
    for entry in &METHODS {
        for given in variants(entry.info) {
            // Every other form loses something, whatever is kept.
            let is_whole = |name: &str| !["keys-as", "values-as"].contains(&name);
            if given.iter().all(|(name, _)| is_whole(name)) {
                cells.push(cell(entry.info, &sized(entry.info, &given, 1.0)));
            }
        }
    }
    largest_equals_full(model, prefilled, &cells);
}

#[test]
fn the_largest_size_decodes_as_the_full_cache_on_the_default_model() {
    let prefilled = real(StoreType::F32);
    let largest = |info| cell(info, &sized(info, &Vec::new(), 1.0));
    let cells: Vec<Cell> = METHODS.iter().map(|entry| largest(entry.info)).collect();
    largest_equals_full(default_model::model(), &prefilled, &cells);
}

/// Tokens run after compression.
const DECODED: usize = 256;

/// Many tokens decode, each adds one entry per KV head that every query head sees, and all of it twice gives the same
/// bits.
#[test]
fn decoding_goes_on_and_is_deterministic() {
    let (model, prefilled) = small();
    let mut cells = Vec::new();
    for entry in &METHODS {
        for mut given in variants(entry.info) {
            if has(entry.info, "share") {
                given.push(number("share", 0.3));
            }
            cells.push(cell(entry.info, &given));
        }
    }
    let run = || {
        let mut caches = made(model, prefilled, &cells);
        let before: Vec<_> = caches.iter().map(|made| made.cache.footprint()).collect();
        for (made, before) in caches.iter().zip(&before) {
            let layers = made.layers.iter().map(|layer| layer.footprint);
            assert_eq!(layers.sum::<spindle::store::Footprint>(), *before);
            let dense = made.layers.iter().map(|layer| layer.bytes_dense);
            assert_eq!(dense.sum::<u64>(), prefilled.bytes_dense());
        }
        let lens: Vec<_> = caches.iter().map(|made| seen(model, &made.cache)).collect();
        // The last token of an answer is sampled and not run.
        let answers = greedy(model, &mut caches, DECODED + 1);
        let after: Vec<_> = caches.iter().map(|made| made.cache.footprint()).collect();
        let added = DECODED * prefilled.geometry.kv_heads * prefilled.geometry.layers;
        let checks = caches.iter().zip(&before).zip(&after).zip(&lens);
        for (((made, before), after), lens) in checks {
            assert_eq!(after.entries, before.entries + added as u64);
            assert_eq!(made.cache.seen, prefilled.len + DECODED);
            let grown: Vec<usize> = lens.iter().map(|len| len + DECODED).collect();
            assert_eq!(seen(model, &made.cache), grown);
            let bytes_entry = 2 * prefilled.geometry.head_dim * prefilled.store.size();
            let part = &made.cache.layers[0].open.parts[0];
            let sides = [part.keys.whole(0), part.values.whole(0)];
            let whole = sides.iter().flatten().count() * added * bytes_entry / 2;
            let grown = after.bytes.total() - before.bytes.total();
            match sides {
                [Some(_), Some(_)] => assert_eq!(grown, whole as u64),
                _ => assert!(grown > whole as u64),
            }
            let entries = after.bytes[Content::Entries] - before.bytes[Content::Entries];
            assert!(entries >= whole as u64);
        }
        let mut logits = Vec::new();
        for made in &mut caches {
            let row = model.step(&[3], &mut [&mut made.cache]).unwrap();
            logits.push(row.to_vec2::<f32>().unwrap().remove(0));
        }
        assert!(logits.iter().flatten().all(|x| x.is_finite()));
        (before, answers, after, logits)
    };
    assert_eq!(run(), run());
}

#[test]
fn streaming_keeps_the_sinks_and_the_latest() {
    let (_, prefilled) = small();
    let entry = METHODS.iter().find(|e| e.info.name == "streaming-llm");
    let method = method(entry.unwrap().info, &Vec::new()).unwrap();
    for plan in plans(method.as_ref(), prefilled) {
        for budget in [4u32, 5, 20, 150, 199] {
            let built = plan.build(At::Value(f64::from(budget) / 200.0)).unwrap();
            let expected: Vec<u32> = (0..4).chain(200 - (budget - 4)..200).collect();
            assert!(built.kept.unwrap().iter().all(|kept| kept == &expected));
        }
    }
}

#[test]
fn retention_is_met_from_below_or_out_of_reach() {
    let prefilled = real(StoreType::F16);
    let model = default_model::model();
    let dense = prefilled.bytes_dense() as f64;
    let mut reached = Vec::new();
    for entry in &METHODS {
        let info = entry.info;
        let Some(method) = method_for_retention(info, &Vec::new()) else {
            continue;
        };
        let knob = method.knob();
        let plans = plans(method.as_ref(), &prefilled);
        let [smallest, largest] = [knob.smallest, knob.largest]
            .map(|knob| solve::footprint(&plans, At::Value(knob)).bytes.total() as f64 / dense);
        drop(plans);
        // The last is one that no method reaches from below, where it has a floor.
        for target in [0.15, 0.2, 0.25, 0.3, 0.4, smallest / 2.0] {
            if target == 0.0 {
                continue;
            }
            let cell = cell(info, &vec![number("retention", target)]);
            let result = compress(model, &prefilled, &[&cell]).remove(0);
            if smallest > target {
                let error = result.err().expect("a target out of reach");
                let range = format!("out of reach: {smallest:.3} to {largest:.3}");
                assert_eq!(error.to_string(), range);
                println!("{} {target:.3}: {range}", info.name);
                continue;
            }
            let made = result.unwrap();
            let held = made.cache.footprint().bytes.total() as f64 / dense;
            println!("{} {target:.3}: {held:.4}", info.name);
            assert!(held <= target, "{} {target}: {held}", info.name);
            assert_eq!(
                made.saturated,
                held < target - WITHIN,
                "{} {target}: {held}",
                info.name
            );
            if !made.saturated {
                reached.push((info.name, target));
            }
        }
    }
    for (name, target) in [
        ("streaming-llm", 0.15),
        ("snapkv", 0.25),
        ("pyramidkv", 0.15),
        ("spindle", 0.15),
        ("spindle-evict", 0.15),
        ("spindle-code", 0.4),
    ] {
        assert!(reached.contains(&(name, target)), "{name} {target}");
    }
}

/// Bytes follow from the knob and the length: every target within reach is met, and the cache has what they say. With
/// a short end that always stays, that is nearly down to the least context and the first two layers.
#[test]
fn pruning_in_the_prefill_meets_a_retention() {
    let prefilled = real(StoreType::F16);
    let dense = prefilled.bytes_dense() as f64;
    let info = METHODS.iter().find(|m| m.info.name == "pyramidinfer");
    let info = info.unwrap().info;
    let published = [0.1, 0.36, 0.4, 0.55, 0.7, 0.85, 1.0].map(|target| (0.2, target));
    let short = [0.15, 0.2, 0.25, 0.3, 0.4].map(|target| (0.02, target));
    for (recent, target) in published.into_iter().chain(short) {
        let given = vec![number("retention", target), number("recent-ratio", recent)];
        let cell = cell(info, &given);
        let result = compress(default_model::model(), &prefilled, &[&cell]).remove(0);
        if target <= 0.15 {
            let error = result.err().expect("a target out of reach");
            let least = if recent == 0.2 { "0.351" } else { "0.183" };
            assert_eq!(error.to_string(), format!("out of reach: {least} to 1.000"));
            continue;
        }
        let made = result.unwrap();
        let held: Vec<u64> = made.layers.iter().map(|l| l.footprint.entries).collect();
        assert!(held.is_sorted_by(|a, b| a >= b), "{held:?}");
        assert_eq!(made.bytes_peak, made.cache.footprint().bytes.total());
        let held = made.bytes_peak as f64 / dense;
        assert!(
            held <= target && held >= target - WITHIN,
            "{target}: {held}"
        );
        assert!(!made.saturated);
        if target == 1.0 {
            assert_eq!(made.logits, prefilled.logits);
        }
    }
}

/// Every learner and codeword reports the least and the mean cosine that its codebooks achieve, over all vectors coded,
/// each counted once; and where a codeword is a member, none is at or under its threshold.
#[test]
fn cosines_are_those_achieved() {
    let (model, prefilled) = small();
    let mut coding = 0;
    for (info, mut given, _) in compressing(prefilled) {
        let thetas = [0.8, 0.6];
        if !has(info, "theta-k") {
            continue;
        }
        given.extend([number("theta-k", thetas[0]), number("theta-v", thetas[1])]);
        let method = method_for_retention(info, &given).unwrap();
        let knob = method.knob();
        let middle = match knob.name {
            "theta-scale" => 1.0,
            _ => 0.4,
        };
        let bounded = !given.iter().any(|(_, value)| {
            ["mean", "spherical-k-means"]
                .map(|word| Value::Text(word.into()))
                .contains(value)
        });
        for layer in 0..prefilled.layers.len() {
            let plan = method
                .plan(LayerView {
                    prefilled,
                    layer,
                    draws: 0,
                })
                .unwrap();
            let built = plan.build(At::Value(middle)).unwrap();
            let [keys, values] = built.cosines.map(|cosines| cosines.unwrap());
            let found = achieved(model, prefilled, layer, &built.store, built.kept.as_deref());
            for ((reported, found), theta) in [keys, values].iter().zip(found).zip(thetas) {
                let at = format!("{} {given:?}, layer {layer}", info.name);
                let sum: f64 = found.iter().sum();
                let least = found.iter().copied().fold(1.0, f64::min);
                let mean = sum / found.len() as f64;
                assert!(
                    (f64::from(reported.min) - least).abs() < 1e-5,
                    "{at}: {reported:?} {least}"
                );
                assert!(
                    (f64::from(reported.mean) - mean).abs() < 1e-5,
                    "{at}: {reported:?} {mean}"
                );
                assert!(!bounded || least > theta - 1e-6, "{at}: {least}");
                assert_eq!(reported.vectors, found.len(), "{at}");
            }
        }
        coding += 1;
    }
    assert!(coding > 15, "{coding}");
}

/// The cosine of each coded key and of each coded value to what stands for it.
fn achieved(
    model: &Model,
    prefilled: &Prefilled,
    layer: usize,
    store: &LayerStore,
    kept: Option<&[Vec<u32>]>,
) -> [Vec<f64>; 2] {
    let geometry = prefilled.geometry;
    let (d, group) = (geometry.head_dim, geometry.group());
    let full = &prefilled.layers[layer].kv;
    let all: Vec<u32> = (0..prefilled.len as u32).collect();
    let mut cosines = [Vec::new(), Vec::new()];
    for kv_head in 0..geometry.kv_heads {
        // A run of the prompt before what is coded is the window.
        let whole = match store.prompt.as_slice() {
            [first, ..] if first.place(0).0.keys.codewords().is_none() => first.len(kv_head),
            _ => 0,
        };
        let mut done = std::collections::BTreeSet::new();
        for member in 0..group {
            let kept = kept.map_or(&all, |kept| &kept[kv_head * group + member]);
            let rule = model.rule(layer);
            let held = held(rule, store, kv_head * group + member, group, prefilled.len);
            // What is kept whole, the window, comes first.
            for (i, &position) in kept[..kept.len() - whole].iter().enumerate() {
                if !done.insert(position) {
                    continue;
                }
                let kinds = [
                    (&held.0, full.keys(kv_head)),
                    (&held.1, full.values(kv_head)),
                ];
                for (cosines, (held, full)) in cosines.iter_mut().zip(kinds) {
                    let own = full.gather(&[position]).to_f32();
                    cosines.push(cosine(&held[(whole + i) * d..][..d], &own));
                }
            }
        }
    }
    cosines
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(x, y)| f64::from(*x) * f64::from(*y))
            .sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The method as a cell that asks for a retention makes it.
fn method_for_retention(info: &'static MethodInfo, given: &Given) -> Option<Box<dyn Method>> {
    if !has(info, "retention") {
        return None;
    }
    let given = [&given[..], &[number("retention", 0.5)]].concat();
    let settings = info.settings(&given, "test").unwrap();
    let Made::Compress(method, size) = make(info, &settings).unwrap() else {
        return None;
    };
    assert_eq!(size, Size::Retention(0.5));
    Some(method)
}
