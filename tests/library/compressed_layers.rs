//! Layers that methods have compressed, in every form of keys with every form of values, attended to by the processor's way
//! and by the definition: with a window and a soft cap too, which no model that is read has yet.

use spindle::attend::{Host, Pass, Plain, Rule};
use spindle::compress::methods::METHODS;
use spindle::compress::settings::{Accepts, MethodInfo, Value};
use spindle::generate::{Cell, compress};
use spindle::model::observe::{Observe, Prefilled};
use spindle::store::{LayerStore, StoreType};

use crate::common::distance;
use crate::common::layer::{Layer, New};
use crate::common::tiny::{self, Family, Tiny};

const TOKENS: usize = 90;
/// The layer that is attended to.
const LAYER: usize = 1;

/// The words of a setting; none where the method has no such setting.
fn words(info: &MethodInfo, name: &str) -> Vec<Option<&'static str>> {
    match info.setting(name).map(|setting| setting.accepts) {
        Some(Accepts::Choice(words)) => words.iter().map(|word| Some(*word)).collect(),
        _ => vec![None],
    }
}

/// A cell for each form of keys, of values, and of storing.
fn cells() -> Vec<Cell> {
    let mut cells = Vec::new();
    for entry in METHODS
        .iter()
        .filter(|entry| entry.info.setting("share").is_some())
    {
        let info = entry.info;
        for keys in words(info, "keys-as") {
            for values in words(info, "values-as") {
                for store in words(info, "store") {
                    let named = [("keys-as", keys), ("values-as", values), ("store", store)];
                    let named = named.into_iter().filter_map(|(name, word)| {
                        Some((name.to_owned(), Value::Text(word?.into())))
                    });
                    let share = ("share".to_owned(), Value::Number(0.4));
                    let given: Vec<_> = named.chain([share]).collect();
                    let settings = info.settings(&given, "test").unwrap();
                    cells.push(Cell::new(info, settings).unwrap());
                }
            }
        }
    }
    cells
}

/// New tokens, the same for everyone.
fn new(prefilled: &Prefilled, count: usize, pass: Pass) -> New {
    let geometry = prefilled.geometry;
    let rows = |width: usize, seed: usize| -> Vec<f32> {
        let element = |i: usize| ((i * 37 + seed * 101) as f32 * 0.613).sin();
        (0..count * width * geometry.head_dim)
            .map(element)
            .collect()
    };
    New {
        queries: rows(geometry.heads, 1),
        keys: rows(geometry.kv_heads, 2),
        values: rows(geometry.kv_heads, 3),
        positions: (TOKENS..TOKENS + count).collect(),
        pass,
    }
}

#[test]
fn every_form_is_attended_to_as_the_definition_has_it() {
    let dir = tempfile::tempdir().unwrap();
    let tiny = Tiny::new(Family::Llama);
    tiny.write(dir.path()).unwrap();
    let model = tiny::load(dir.path()).unwrap();
    let all = Observe {
        window: 32,
        column_sums: true,
        unrotated_keys: true,
    };
    let mut prefilled = model
        .prefill(&tiny::tokens(TOKENS, 5), all, StoreType::F32)
        .unwrap();
    let cells = cells();
    assert!(cells.len() > 90, "{}", cells.len());
    let usual = prefilled.layers[LAYER].rule.clone();
    for (window, softcap) in [(None, None), (Some(30), None), (Some(60), Some(2.0))] {
        for layer in &mut prefilled.layers {
            layer.rule = Rule {
                window,
                softcap,
                ..usual.clone()
            };
        }
        let made = compress(&model, &prefilled, &Vec::from_iter(&cells));
        for (cell, made) in cells.iter().zip(made) {
            let name = format!(
                "{}:{} {window:?}",
                cell.info.name,
                cell.settings.canonical()
            );
            let cache = made
                .unwrap_or_else(|error| panic!("{name}: {error:#}"))
                .cache;
            let layer = |store: &LayerStore| Layer {
                store: store.fork(),
                rule: prefilled.layers[LAYER].rule.clone(),
                heads: prefilled.geometry.heads,
            };
            for (count, pass) in [(1, Pass::Step), (3, Pass::Sequence)] {
                let new = new(&prefilled, count, pass);
                let (mut fast, mut plain) =
                    (layer(&cache.layers[LAYER]), layer(&cache.layers[LAYER]));
                let fast = fast.attend_by(&Host, &new, None).0;
                let plain = plain.attend_by(&Plain, &new, None).0;
                let off = distance(&fast, &plain);
                assert!(off < 2e-4, "{name}, {pass:?}: {off}");
            }
        }
    }
}
