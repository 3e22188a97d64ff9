//! Values that are not finite, or that a cache cannot hold: they end their own cell, and say where they were found.

use std::sync::Arc;

use anyhow::Result;
use candle_core::{Device, Tensor};
use tempfile::TempDir;

use crate::common::layer::{Layer, New};
use crate::common::tiny::{self, Family, Tiny};
use spindle::attend::{Host, Pass};
use spindle::compress::methods::METHODS;
use spindle::compress::settings::Value;
use spindle::generate::{AnswerLimits, Cell, compress, decode, extend, forced, whole_cache};
use spindle::model::decoder::Model;
use spindle::model::observe::{Observe, Prefilled};
use spindle::store::{Cache, Geometry, LayerStore, Rotate, Rows, Run, StoreType};

const ALL: Observe = Observe {
    window: 32,
    column_sums: true,
    unrotated_keys: true,
};

fn cell(name: &str, given: &[(&str, f64)]) -> Cell {
    let info = METHODS.iter().map(|entry| entry.info);
    let info = info.into_iter().find(|info| info.name == name).unwrap();
    let given = given
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::Number(*value)));
    let settings = info.settings(&Vec::from_iter(given), "test").unwrap();
    Cell::new(info, settings).unwrap()
}

/// The tiny Llama with one tensor multiplied.
fn scaled(name: &str, factor: f64) -> Result<(TempDir, Model)> {
    let dir = tempfile::tempdir()?;
    Tiny::new(Family::Llama).write(dir.path())?;
    let file = dir.path().join("model.safetensors");
    let mut tensors = candle_core::safetensors::load(&file, &Device::Cpu)?;
    let tensor = tensors.get_mut(name).expect("a tensor of the tiny model");
    *tensor = (&*tensor * factor)?;
    candle_core::safetensors::save(&tensors, &file)?;
    let model = tiny::load(dir.path())?;
    Ok((dir, model))
}

/// Prefix and cache of a prefill, with a value of layer 1 that is NaN.
fn broken(prefilled: &Prefilled) -> Cache {
    let heads = 0..prefilled.geometry.kv_heads;
    let layer = |(i, kv): (usize, &Arc<Run>)| {
        let keys = heads.clone().map(|head| kv.keys(head).clone());
        let mut all: Vec<Rows> = heads.clone().map(|head| kv.values(head).clone()).collect();
        if i == 1 {
            let mut values = all[0].to_f32();
            values[5] = f32::NAN;
            all[0] = Rows::from_f32(all[0].dim(), all[0].store(), &values);
        }
        let kv = Arc::new(Run::whole(keys.collect(), all, Rotate::AtWrite));
        LayerStore::of_prompt(kv, prefilled.geometry, prefilled.store, 1)
    };
    let layers = prefilled.layers.iter().map(|layer| &layer.kv).enumerate();
    Cache::new(layers.map(layer).collect(), prefilled.len)
}

#[test]
fn one_cells_fault_leaves_the_others_of_its_batch_alone() {
    let model = Tiny::new(Family::Llama).load().unwrap();
    let tokens = tiny::tokens(100, 3);
    let prefilled = model.prefill(&tokens, ALL, StoreType::F16).unwrap();
    let good = || whole_cache(&prefilled);
    let rows = vec![prefilled.logits.clone(); 3];
    let first = Tensor::new(rows.clone(), &Device::Cpu).unwrap();

    let mut alone = good();
    let one = first.narrow(0, 0, 1).unwrap();
    let answer = decode(&model, &mut [&mut alone], &one, &AnswerLimits::tokens(12)).unwrap();
    let (mut before, mut bad, mut after) = (good(), broken(&prefilled), good());
    let mut batch = [&mut before, &mut bad, &mut after];
    let answers = decode(&model, &mut batch, &first, &AnswerLimits::tokens(12)).unwrap();
    assert_eq!((&answers[0], &answers[2]), (&answer[0], &answer[0]));
    assert_eq!((&before.fault, &after.fault), (&None, &None));
    let fault = bad.fault.unwrap();
    assert_eq!(
        (fault.layer, fault.what, fault.token),
        (Some(1), "attention", 100)
    );
    assert!(
        answers[1].len() <= 1,
        "it went on after its fault: {answers:?}"
    );

    // A question, and an answer that is scored.
    let (mut before, mut bad, mut after) = (good(), broken(&prefilled), good());
    let mut batch = [&mut before, &mut bad, &mut after];
    let given = tiny::tokens(9, 8);
    let mut seen = Vec::new();
    forced(&model, &mut batch, &rows, &given, 0..9, |cell, logits| {
        assert!(logits.iter().flat_map(|row| *row).all(|x| x.is_finite()));
        seen.push(cell);
    })
    .unwrap();
    assert_eq!(seen, [0, 2]);
    let mut bad = broken(&prefilled);
    extend(&model, &mut [&mut good(), &mut bad], &given).unwrap();
    assert_eq!(bad.fault.unwrap().layer, Some(1));
}

#[test]
fn logits_that_are_not_finite_end_a_cell_at_their_token() {
    let model = Tiny::new(Family::Llama).load().unwrap();
    let tokens = tiny::tokens(50, 3);
    let prefilled = model.prefill(&tokens, ALL, StoreType::F16).unwrap();
    let mut rows = vec![prefilled.logits.clone(); 2];
    rows[0][7] = f32::NEG_INFINITY;
    let (mut bad, mut good) = (whole_cache(&prefilled), whole_cache(&prefilled));
    let first = Tensor::new(rows, &Device::Cpu).unwrap();
    let answers = decode(
        &model,
        &mut [&mut bad, &mut good],
        &first,
        &AnswerLimits::tokens(3),
    );
    assert_eq!(answers.unwrap().concat().len(), 3);
    assert_eq!(
        bad.fault.unwrap().to_string(),
        "logits of token 49: not finite"
    );
    assert_eq!(good.fault, None);
}

#[test]
fn keys_beyond_f16_end_a_prefill_that_bf16_and_f32_hold() {
    for (name, layer, what) in [
        ("model.layers.0.self_attn.k_proj.weight", 0, "keys"),
        ("model.layers.2.self_attn.v_proj.weight", 2, "values"),
    ] {
        let (_files, model) = scaled(name, 1e6).unwrap();
        let tokens = tiny::tokens(60, 3);
        let prefill = |store| model.prefill(&tokens, Observe::default(), store);
        let error = prefill(StoreType::F16).err().unwrap().to_string();
        let expected = format!(
            "prefill: layer {layer}, {what} of token 0: beyond 65504, the most that f16 holds; \
             kv-dtype = \"bf16\" holds more"
        );
        assert_eq!(error, expected);
        for store in [StoreType::BF16, StoreType::F32] {
            assert!(prefill(store).is_ok(), "{name} {store:?}");
        }
    }
}

/// What overflows f32 itself: in the products of queries and keys, in the squares of a norm, in the logits.
#[test]
fn what_f32_cannot_hold_is_found_where_it_shows() {
    for (name, factor, expected) in [
        (
            "model.layers.1.input_layernorm.weight",
            1e20,
            "prefill: layer 1, attention of token ",
        ),
        (
            "model.layers.0.mlp.down_proj.weight",
            1e25,
            "prefill: layer 1, keys of token 0",
        ),
        ("lm_head.weight", 3e38, "prefill: logits of token 19"),
    ] {
        let (_files, model) = scaled(name, factor).unwrap();
        let tokens = tiny::tokens(20, 3);
        let error = model.prefill(&tokens, Observe::default(), StoreType::F32);
        let error = error.err().unwrap_or_else(|| panic!("{name}: no fault"));
        let text = error.to_string();
        assert!(
            text.starts_with(expected) && text.ends_with(": not finite"),
            "{text}"
        );
    }
}

/// Keys whose elements f16 holds and whose norms it does not: whole they are kept, coded they cannot be.
#[test]
fn a_norm_beyond_f16_ends_the_cells_that_code_and_no_others() {
    let tokens = tiny::tokens(100, 3);
    let name = "model.layers.0.self_attn.k_proj.weight";
    let prefill = |model: &Model, store| model.prefill(&tokens, ALL, store).unwrap();
    let plain = prefill(&Tiny::new(Family::Llama).load().unwrap(), StoreType::F32);
    let kv_heads = 0..plain.geometry.kv_heads;
    let keys = kv_heads.map(|head| plain.layers[0].kv.keys(head));
    let keys = keys.chain(&plain.layers[0].unrotated_keys);
    let largest = keys
        .flat_map(Rows::to_f32)
        .fold(0f32, |m, x| m.max(x.abs()));
    let (_files, model) = scaled(name, 60_000.0 / f64::from(largest)).unwrap();

    let cells = [
        cell("full", &[]),
        cell("snapkv", &[("budget", 40.0)]),
        cell("spindle", &[("share", 0.5)]),
        cell("spindle", &[("retention", 0.4)]),
        cell("spindle-code", &[]),
        cell("knorm", &[("budget", 40.0)]),
    ];
    let cells = Vec::from_iter(&cells);
    let made = compress(&model, &prefill(&model, StoreType::F16), &cells);
    let failed: Vec<bool> = made.iter().map(Result::is_err).collect();
    assert_eq!(failed, [false, false, true, true, true, false]);
    for error in made.into_iter().filter_map(Result::err) {
        let text = format!("{error:#}");
        assert!(
            text.starts_with("compression: layer 0, norms of keys of token "),
            "{text}"
        );
        assert!(text.ends_with("kv-dtype = \"bf16\" holds more"), "{text}");
    }
    let made = compress(&model, &prefill(&model, StoreType::BF16), &cells);
    assert!(made.iter().all(Result::is_ok));
}

/// A decoded token joins the codebooks by its norm; beside a whole prompt its elements are what is held.
#[test]
fn a_decoded_norm_beyond_f16_is_a_fault_of_a_coded_cache_alone() {
    let model = Tiny::new(Family::Llama).load().unwrap();
    let prefilled = model.prefill(&tiny::tokens(100, 3), ALL, StoreType::F16);
    let prefilled = prefilled.unwrap();
    let cells = [cell("full", &[]), cell("spindle-code", &[])];
    let made = compress(&model, &prefilled, &Vec::from_iter(&cells));
    let Geometry {
        heads,
        kv_heads,
        head_dim,
        ..
    } = prefilled.geometry;
    let (queries, keys) = (
        vec![0.0; heads * head_dim],
        vec![30_000.0; kv_heads * head_dim],
    );
    let new = New {
        queries,
        keys,
        values: vec![1.0; kv_heads * head_dim],
        positions: vec![100],
        pass: Pass::Step,
    };
    let rope = model.rule(2).rope.as_ref().unwrap();
    let faults = made.into_iter().map(|cell| {
        let store = cell.unwrap().cache.layers.remove(2);
        let (_, fault) = Layer::new(store, rope, heads).attend_by(&Host, &new, None);
        fault.map(|fault| fault.to_string())
    });
    let faults: Vec<Option<String>> = faults.collect();
    assert_eq!(faults[0], None);
    let fault = faults[1].as_ref().unwrap();
    assert!(
        fault.starts_with("norms of keys of token 100: beyond 65504"),
        "{fault}"
    );
}

/// CaM adds values up: what they come to can be beyond f16 where none of them is.
#[test]
fn merged_values_beyond_f16_end_the_cell() {
    let name = "model.layers.1.self_attn.v_proj.weight";
    let tokens = tiny::tokens(200, 3);
    let prefill = |model: &Model| model.prefill(&tokens, ALL, StoreType::F16).unwrap();
    let plain = prefill(&Tiny::new(Family::Llama).load().unwrap());
    let kv_heads = 0..plain.geometry.kv_heads;
    let values = kv_heads.map(|head| plain.layers[1].kv.values(head));
    let largest = values
        .flat_map(Rows::to_f32)
        .fold(0f32, |m, x| m.max(x.abs()));
    let (_files, model) = scaled(name, 65_000.0 / f64::from(largest)).unwrap();
    let cells = [
        cell("cam", &[("budget", 20.0), ("merge-budget", 1.0)]),
        cell("h2o", &[("budget", 20.0)]),
    ];
    let made = compress(&model, &prefill(&model), &Vec::from_iter(&cells));
    let error = made[0].as_ref().err().expect("merged values overflow");
    let text = format!("{error:#}");
    assert!(
        text.starts_with("compression: layer 1, merged values of token "),
        "{text}"
    );
    assert!(made[1].is_ok());
}
