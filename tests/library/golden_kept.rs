//! What whole methods keep on the default model, given its own keys, values and queries, against kvpress and
//! KVCache-Factory's formulas (tests/golden/kept.json, made by tests/golden/kept.py).
//!
//! Both sides run the model in f32, each summing in its own order, so that scores differ in their last digits. Where
//! two entries are that close, either may be kept: such differences are printed and counted, any other fails.

use std::collections::BTreeMap;

use crate::common::default_model;
use serde::Deserialize;
use spindle::compress::group::{Grouping, reduce};
use spindle::compress::methods::{METHODS, Made, make};
use spindle::compress::pool::{Pooling, pool};
use spindle::compress::score::{Normalisation, WindowShape, key_norms, window_attention};
use spindle::compress::select::top_k;
use spindle::compress::settings::Value;
use spindle::compress::solve::BytesCurve;
use spindle::compress::view::LayerView;
use spindle::model::observe::{Observe, Prefilled};
use spindle::store::StoreType;

/// Scores whose relative difference is below this may rank either way.
const CLOSE: f32 = 2e-5;
/// Rows in which some may: 6 measured of 720, all of Knorm in the first layer, where keys of one token have one norm
/// wherever they stand and only the rounding of their rotation tells them apart.
const MOST: usize = 12;

#[derive(Deserialize)]
struct Golden {
    layers: Vec<usize>,
    prompts: Vec<Prompt>,
}

#[derive(Deserialize)]
struct Prompt {
    tokens: Vec<u32>,
    /// Entries kept per row, on average over the layers.
    budget: usize,
    /// By reference, for each layer, what each row keeps, as a bit set: one row, or one per KV head or query head.
    kept: BTreeMap<String, Vec<Vec<String>>>,
}

/// The positions in a bit set written as hexadecimal bytes, the lowest bit first.
fn positions(hex: &str) -> Vec<u32> {
    let byte = |i: usize| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap();
    (0..hex.len() as u32 / 2 * 8)
        .filter(|p| byte(*p as usize / 8) >> (p % 8) & 1 == 1)
        .collect()
}

type Given = Vec<(&'static str, Value)>;

/// The method and settings that stand for a reference; none for kvpress' observed attention, which is H2O's column
/// sums divided by the queries that see an entry and averaged over the group.
fn method(reference: &str) -> Option<(&'static str, Given)> {
    let text = |name, word: &str| (name, Value::Text(word.into()));
    Some(match reference {
        "snapkv_kvcf" => ("snapkv", vec![]),
        "snapkv_kvpress" => {
            let kernel = ("kernel", Value::Number(5.0));
            (
                "snapkv",
                vec![text("pool", "avg"), kernel, text("gqa", "mean")],
            )
        }
        "pyramidkv_kvcf" => ("pyramidkv", vec![]),
        "h2o_kvcf" => ("h2o", vec![("recent", Value::Number(8.0))]),
        "tova_kvpress" => ("tova", vec![]),
        "knorm_kvpress" => ("knorm", vec![]),
        "streaming_llm_kvpress" => ("streaming-llm", vec![]),
        "observed_kvpress" => return None,
        other => panic!("no method stands for {other}"),
    })
}

/// Per query head, what the method keeps of one layer.
fn kept(name: &str, given: &Given, budget: usize, view: LayerView<'_>) -> Vec<Vec<u32>> {
    let info = METHODS.iter().find(|m| m.info.name == name).unwrap().info;
    let budget = ("budget", Value::Number(budget as f64));
    let given = given.iter().cloned().chain([budget]);
    let given: Vec<_> = given
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    let Made::Compress(method, size) = make(info, &info.settings(&given, "test").unwrap()).unwrap()
    else {
        panic!("{name} compresses a dense prefill");
    };
    let knob = size
        .knob(
            &BytesCurve::new(method.knob(), &|_| 0),
            view.len(),
            method.least(view.len()),
            1,
        )
        .unwrap();
    method
        .plan(view)
        .unwrap()
        .build(knob.at)
        .unwrap()
        .kept
        .unwrap()
}

/// Per query head, the scores by which a reference ranks the entries that it may drop.
fn scores(reference: &str, view: LayerView<'_>) -> Vec<Vec<f32>> {
    let geometry = view.geometry();
    let (group, len, d) = (geometry.group(), view.len(), geometry.head_dim);
    let window = |kv_head: usize, window: usize| {
        let shape = WindowShape {
            group,
            window,
            head_dim: d,
        };
        let keys = view.kv().keys(kv_head).to_f32();
        let queries = view.window_queries(kv_head, window);
        window_attention(view.rule(), &queries, &keys, shape, Normalisation::Sum)
    };
    let pooled = |scores: Vec<f32>, n: usize, pooling| -> Vec<Vec<f32>> {
        scores.chunks(n).map(|row| pool(row, pooling)).collect()
    };
    let of_kv_head = |kv_head: usize| -> Vec<Vec<f32>> {
        match reference {
            "snapkv_kvcf" => pooled(window(kv_head, 32), len - 32, Pooling::Max(7)),
            "pyramidkv_kvcf" => pooled(window(kv_head, 8), len - 8, Pooling::Max(7)),
            "snapkv_kvpress" => {
                let mean = reduce(&window(kv_head, 32), group, Grouping::Mean);
                pooled(mean, len - 32, Pooling::Avg(5))
            }
            "tova_kvpress" => vec![window(kv_head, 1)],
            "knorm_kvpress" => {
                let norms = key_norms(&view.kv().keys(kv_head).to_f32(), d);
                vec![norms.iter().map(|norm| -norm).collect()]
            }
            "h2o_kvcf" => view
                .column_sums(kv_head)
                .chunks(len)
                .map(<[f32]>::to_vec)
                .collect(),
            "observed_kvpress" => {
                let mut mean = reduce(&view.column_sums(kv_head), group, Grouping::Mean);
                let queries = (1..=len).rev();
                mean.iter_mut()
                    .zip(queries)
                    .for_each(|(sum, n)| *sum /= n as f32);
                vec![mean]
            }
            _ => vec![vec![0.0; len]],
        }
    };
    let mut rows: Vec<Vec<f32>> = (0..geometry.kv_heads).flat_map(of_kv_head).collect();
    if reference == "tova_kvpress" {
        rows = vec![reduce(&rows.concat(), geometry.heads, Grouping::Layer)];
    }
    (0..geometry.heads)
        .map(|head| rows[head * rows.len() / geometry.heads].clone())
        .collect()
}

/// Checks that `ours` and `theirs` differ only in entries whose scores are as good as that at the cut. Returns how many.
fn explained(ours: &[u32], theirs: &[u32], scores: &[f32], at: &str) -> usize {
    assert_eq!(ours.len(), theirs.len(), "{at}");
    let score = |p: &u32| scores.get(*p as usize).copied();
    let cut = ours.iter().filter_map(score).fold(f32::INFINITY, f32::min);
    let either = ours.iter().filter(|p| !theirs.contains(p));
    let either = either.chain(theirs.iter().filter(|p| !ours.contains(p)));
    let mut differences = 0;
    for position in either {
        let found = score(position).unwrap_or(f32::INFINITY);
        println!("{at}: position {position} scores {found:e}, the cut is at {cut:e}");
        assert!(
            (found - cut).abs() <= CLOSE * cut.abs(),
            "{at}: position {position}"
        );
        differences += 1;
    }
    differences
}

fn compare(prompt: &Prompt, layers: &[usize], prefilled: &Prefilled) -> (usize, usize) {
    let heads = prefilled.geometry.heads;
    let (mut rows, mut different) = (0, 0);
    for (reference, theirs) in &prompt.kept {
        for (theirs, &layer) in theirs.iter().zip(layers) {
            let view = LayerView {
                prefilled,
                layer,
                draws: 0,
            };
            let scores = scores(reference, view);
            let ours = match method(reference) {
                Some((name, given)) => kept(name, &given, prompt.budget, view),
                None => scores.iter().map(|row| top_k(row, prompt.budget)).collect(),
            };
            for (head, (ours, scores)) in ours.iter().zip(&scores).enumerate() {
                let theirs = positions(&theirs[head * theirs.len() / heads]);
                let at = format!(
                    "{} tokens, {reference}, layer {layer}, head {head}",
                    view.len()
                );
                different += usize::from(explained(ours, &theirs, scores, &at) > 0);
                rows += 1;
            }
        }
    }
    (rows, different)
}

#[test]
fn methods_keep_what_their_references_keep_on_the_default_model() {
    let golden: Golden = serde_json::from_str(include_str!("../golden/kept.json")).unwrap();
    let observe = Observe {
        window: 32,
        column_sums: true,
        unrotated_keys: false,
    };
    let (mut rows, mut different) = (0, 0);
    for prompt in &golden.prompts {
        assert_eq!(prompt.kept.len(), 8);
        let prefilled = default_model::model()
            .prefill(&prompt.tokens, observe, StoreType::F32)
            .unwrap();
        let found = compare(prompt, &golden.layers, &prefilled);
        rows += found.0;
        different += found.1;
    }
    println!("{different} of {rows} rows differ within rounding");
    assert_eq!(rows, 2 * 8 * 5 * 9);
    assert!(different <= MOST, "{different} of {rows} rows differ");
}
