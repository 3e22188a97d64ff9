//! Whole methods, from attention in a prefill to kept positions, against kvpress and KVCache-Factory on a random Llama
//! attention layer: values made once by `tests/golden/compress.py`.

use std::sync::Arc;

use crate::common::layer::{self, New};
use crate::common::tiny::{Family, Tiny};
use serde::Deserialize;
use spindle::attend::{Host, Pass};
use spindle::compress::methods::{METHODS, Made, make};
use spindle::compress::settings::Value;
use spindle::compress::solve::BytesCurve;
use spindle::compress::view::LayerView;
use spindle::model::decoder::PrunedLayer;
use spindle::model::observe::{Observe, Prefilled, PrefilledLayer};
use spindle::store::{Geometry, Rotate, Rows, Run, StoreType};

#[derive(Deserialize)]
struct Golden {
    shape: Shape,
    all_queries: Vec<f32>,
    keys: Vec<f32>,
    kvpress_top_20: Vec<Vec<u32>>,
    top_20_of_max: Vec<Vec<u32>>,
    whole_prompt: WholePrompt,
}

#[derive(Deserialize)]
struct Shape {
    window: usize,
    group: usize,
    kv_heads: usize,
    head_dim: usize,
    len: usize,
}

#[derive(Deserialize)]
struct WholePrompt {
    kept: usize,
    kvpress_tova: Vec<Vec<u32>>,
    kvpress_knorm: Vec<Vec<u32>>,
    kvpress_observed: Vec<f32>,
    pyramidinfer: Vec<u32>,
    h2o_kvcf: Vec<Vec<u32>>,
}

impl Golden {
    fn read() -> Self {
        serde_json::from_str(include_str!("../golden/compress.json")).unwrap()
    }

    /// `[heads, len, d]` as tokens have it, `[len, heads, d]`.
    fn by_token(&self, rows: &[f32]) -> Vec<f32> {
        let (d, len) = (self.shape.head_dim, self.shape.len);
        let heads = rows.len() / len / d;
        let at = |i: usize| &rows[(i % heads * len + i / heads) * d..][..d];
        (0..len * heads).flat_map(at).copied().collect()
    }

    /// The layer after a prefill in uneven chunks; values play no part.
    fn prefilled(&self) -> Prefilled {
        let Shape {
            group,
            kv_heads,
            head_dim,
            len,
            ..
        } = self.shape;
        let geometry = Geometry {
            layers: 1,
            heads: group * kv_heads,
            kv_heads,
            head_dim,
        };
        let (queries, keys) = (self.by_token(&self.all_queries), self.by_token(&self.keys));
        let model = Tiny::new(Family::Llama).load().unwrap();
        let rule = model.rule(0);
        let mut cache = layer::empty(geometry, rule.rope.as_ref().unwrap(), StoreType::F32);
        // The keys and queries of the golden values are rotated already.
        cache.rule.rope = None;
        let mut column_sums = vec![Vec::new(); geometry.heads];
        let (query_width, key_width) = (geometry.heads * head_dim, kv_heads * head_dim);
        for (first, end) in [(0, 33), (33, 34), (34, len)] {
            let keys = &keys[first * key_width..end * key_width];
            let new = New {
                queries: queries[first * query_width..end * query_width].to_vec(),
                keys: keys.to_vec(),
                values: keys.to_vec(),
                positions: (first..end).collect(),
                pass: Pass::Sequence,
            };
            cache.attend_by(&Host, &new, Some(&mut column_sums));
        }
        let rows = self.keys.chunks(len * head_dim);
        let rows: Vec<Rows> = rows
            .map(|rows| Rows::from_f32(head_dim, StoreType::F32, rows))
            .collect();
        let layer = PrefilledLayer {
            rule: cache.rule,
            kv: Arc::new(Run::whole(rows.clone(), rows, Rotate::AtWrite)),
            unrotated_keys: Vec::new(),
            queries,
            column_sums,
        };
        Prefilled {
            observe: Observe::default(),
            geometry,
            store: StoreType::F32,
            layers: vec![layer],
            tokens: vec![0; len],
            len,
            logits: Vec::new(),
        }
    }

    /// Per query head, what a method keeps of `budget` entries.
    fn kept(&self, name: &str, given: &[(&str, Value)], budget: usize) -> Vec<Vec<u32>> {
        let info = METHODS.iter().find(|m| m.info.name == name).unwrap().info;
        let mut all = vec![("budget".to_owned(), Value::Number(budget as f64))];
        all.extend(given.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
        let settings = info.settings(&all, "test").unwrap();
        let Made::Compress(method, size) = make(info, &settings).unwrap() else {
            panic!("{name} compresses a dense prefill");
        };
        let prefilled = self.prefilled();
        let view = LayerView {
            prefilled: &prefilled,
            layer: 0,
            draws: 0,
        };
        let plan = method.plan(view).unwrap();
        let knob = size
            .knob(
                &BytesCurve::new(method.knob(), &|_| 0),
                prefilled.len,
                method.least(prefilled.len),
                1,
            )
            .unwrap();
        plan.build(knob.at).unwrap().kept.unwrap()
    }

    /// One row per KV head, for each of its query heads.
    fn each(&self, rows: &[Vec<u32>]) -> Vec<Vec<u32>> {
        let each = rows.iter().flat_map(|row| vec![row; self.shape.group]);
        each.cloned().collect()
    }

    /// Positions before the window, and the window.
    fn with_window(&self, rows: &[Vec<u32>]) -> Vec<Vec<u32>> {
        let (len, window) = (self.shape.len as u32, self.shape.window as u32);
        let all = rows.iter().map(|row| row.iter().copied());
        all.map(|row| row.chain(len - window..len).collect())
            .collect()
    }
}

fn text(word: &str) -> Value {
    Value::Text(word.into())
}

fn window(golden: &Golden) -> Value {
    Value::Number(golden.shape.window as f64)
}

#[test]
fn tova_and_knorm_keep_what_kvpress_keeps() {
    let golden = Golden::read();
    let expected = &golden.whole_prompt;
    assert_eq!(
        golden.kept("tova", &[], expected.kept),
        golden.each(&expected.kvpress_tova)
    );
    assert_eq!(
        golden.kept("knorm", &[], expected.kept),
        golden.each(&expected.kvpress_knorm)
    );
}

#[test]
fn snapkv_keeps_what_kvpress_and_kvcache_factory_keep() {
    let golden = Golden::read();
    let budget = golden.shape.window + 20;
    let as_kvpress = [
        ("window", window(&golden)),
        ("pool", text("avg")),
        ("kernel", Value::Number(5.0)),
        ("gqa", text("mean")),
    ];
    assert_eq!(
        golden.kept("snapkv", &as_kvpress, budget),
        golden.each(&golden.with_window(&golden.kvpress_top_20))
    );
    assert_eq!(
        golden.kept("snapkv", &[("window", window(&golden))], budget),
        golden.with_window(&golden.top_20_of_max)
    );
}

#[test]
fn h2o_keeps_what_kvcache_factory_keeps() {
    let golden = Golden::read();
    let expected = &golden.whole_prompt;
    assert_eq!(
        golden.kept("h2o", &[("recent", window(&golden))], expected.kept),
        expected.h2o_kvcf
    );
}

#[test]
fn pyramidinfer_passes_on_what_its_code_passes_on() {
    let golden = Golden::read();
    let prefilled = golden.prefilled();
    let info = METHODS.iter().find(|m| m.info.name == "pyramidinfer");
    let info = info.unwrap().info;
    let settings = info.settings(&[], "test").unwrap();
    let Made::Prune(method, _) = make(info, &settings).unwrap() else {
        panic!("pyramidinfer prunes in its prefill");
    };
    let layer = PrunedLayer {
        layer: 0,
        prompt: golden.shape.len,
        geometry: prefilled.geometry,
        kv: &prefilled.layers[0].kv,
        queries: &prefilled.layers[0].queries,
        positions: &Vec::from_iter(0..golden.shape.len),
        rule: &prefilled.layers[0].rule,
    };
    let expected = &golden.whole_prompt.pyramidinfer;
    assert_eq!(&method.keep(&layer, expected.len()).unwrap(), expected);
}

/// By default half of what is kept is recent, and the other half is the heaviest of the rest.
#[test]
fn h2o_splits_its_budget_in_halves() {
    let golden = Golden::read();
    let sums = &golden.prefilled().layers[0].column_sums;
    for budget in [1u32, 2, 21, 69] {
        let recent = 70 - budget.div_ceil(2);
        for (kept, sums) in golden.kept("h2o", &[], budget as usize).iter().zip(sums) {
            let (heavy, latest) = kept.split_at((budget / 2) as usize);
            assert_eq!(latest, Vec::from_iter(recent..70));
            let least = heavy
                .iter()
                .map(|&p| sums[p as usize])
                .fold(f32::MAX, f32::min);
            let dropped = (0..recent).filter(|p| !heavy.contains(p));
            assert!(dropped.into_iter().all(|p| sums[p as usize] <= least));
        }
    }
}

/// kvpress divides each sum by the queries that see the entry and averages over the group; H2O does neither.
#[test]
fn column_sums_are_the_attention_that_kvpress_observes() {
    let golden = Golden::read();
    let (len, group) = (golden.shape.len, golden.shape.group);
    let prefilled = golden.prefilled();
    let observed = golden.whole_prompt.kvpress_observed.chunks(len);
    let groups = prefilled.layers[0].column_sums.chunks(group);
    for (expected, sums) in observed.zip(groups) {
        for (i, expected) in expected.iter().enumerate() {
            let total: f32 = sums.iter().map(|row| row[i]).sum();
            let found = total / (group * (len - i)) as f32;
            assert!((found - expected).abs() <= 1e-6 + 2e-5 * expected);
        }
    }
}
