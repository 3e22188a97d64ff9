//! The cheap way to the paper's codebook, a weighted union of what a group's query heads keep, against the literal one
//! (docs/PAPER.md 1.5): repeat every entry for each query head that keeps it, then run Algorithm 1 on the copies. On
//! random vectors, and on the default model's own keys and values.

use std::sync::{Arc, OnceLock};

use crate::common::default_model;
use crate::common::tiny::{Family, Tiny};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spindle::attend::{Rule, held};
use spindle::compress::codebook::{normalise, similarity_graphs};
use spindle::compress::methods::{METHODS, Made, make};
use spindle::compress::settings::Value;
use spindle::compress::solve::BytesCurve;
use spindle::compress::view::LayerView;
use spindle::model::decoder::Model;
use spindle::model::observe::{Observe, Prefilled, PrefilledLayer};
use spindle::store::{Geometry, Rotate, Rows, Run, StoreType};

const DIM: usize = 16;
const KV_HEADS: usize = 2;
/// Cosines nearer to a threshold than this may round to either side of it.
const ROUNDING: f64 = 1e-6;

fn tiny() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| Tiny::new(Family::Llama).load().unwrap())
}

/// Vectors around a few centres, so that many are alike.
fn rows(rng: &mut ChaCha8Rng, len: usize) -> Rows {
    let mut random = |spread: f32| -> Vec<f32> {
        (0..DIM)
            .map(|_| rng.random_range(-spread..spread))
            .collect()
    };
    let centres: Vec<Vec<f32>> = (0..4).map(|_| random(1.0)).collect();
    let noise: Vec<Vec<f32>> = (0..len).map(|_| random(0.4)).collect();
    let vectors = noise.iter().enumerate().flat_map(|(i, noise)| {
        let centre = &centres[i * 7 % 4];
        centre.iter().zip(noise).map(|(c, n)| c + n)
    });
    Rows::from_f32(DIM, StoreType::F32, &vectors.collect::<Vec<f32>>())
}

fn prefilled(seed: u64, len: usize, group: usize) -> Prefilled {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut heads = || -> Vec<Rows> { (0..KV_HEADS).map(|_| rows(&mut rng, len)).collect() };
    let (unrotated_keys, keys, values) = (heads(), heads(), heads());
    let heads = KV_HEADS * group;
    let queries = (0..8 * heads * DIM).map(|_| rng.random_range(-3f32..3.0));
    let layer = PrefilledLayer {
        queries: queries.collect(),
        rule: tiny().rule(0).clone(),
        kv: Arc::new(Run::whole(keys, values, Rotate::AtWrite)),
        unrotated_keys,
        column_sums: Vec::new(),
    };
    Prefilled {
        observe: Observe::default(),
        geometry: Geometry {
            layers: 1,
            heads,
            kv_heads: KV_HEADS,
            head_dim: DIM,
        },
        store: StoreType::F32,
        layers: vec![layer],
        tokens: vec![0; len],
        len,
        logits: Vec::new(),
    }
}

/// Which of the rows of `vectors` are alike (equations 8 and 9), in f64. What rounding may decide is decided as the
/// program does, and counted.
fn literal_graph(vectors: &[f32], d: usize, theta: f32) -> (Vec<Vec<bool>>, usize) {
    let rows: Vec<&[f32]> = vectors.chunks(d).collect();
    if theta >= 1.0 {
        let equal = |a: &&[f32]| rows.iter().map(|b| a == b).collect();
        return (rows.iter().map(equal).collect(), 0);
    }
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let unit = |row: &&[f32]| -> Vec<f64> {
        let row: Vec<f64> = row.iter().map(|&x| x.into()).collect();
        let norm = dot(&row, &row).sqrt();
        row.iter().map(|x| x / norm).collect()
    };
    let units: Vec<Vec<f64>> = rows.iter().map(unit).collect();
    let program = similarity_graphs(&normalise(vectors, d).0, d, &[theta]).remove(0);
    let mut close = 0;
    let mut alike = |a: usize, b: usize| {
        let above = dot(&units[a], &units[b]) - f64::from(theta);
        close += usize::from(above.abs() < ROUNDING);
        match above.abs() < ROUNDING {
            true => program.has(a, b),
            false => above > 0.0,
        }
    };
    let n = rows.len();
    let graph = (0..n).map(|a| (0..n).map(|b| alike(a, b)).collect());
    (graph.collect(), close)
}

/// Algorithm 1 with the degree of equation 10, on a matrix. Codewords, and the codeword of each vector.
fn algorithm_1(mut g: Vec<Vec<bool>>) -> (Vec<usize>, Vec<usize>) {
    let n = g.len();
    let (mut codewords, mut reference) = (Vec::new(), vec![usize::MAX; n]);
    while g.iter().flatten().any(|&edge| edge) {
        let degrees = g.iter().map(|row| row.iter().filter(|&&edge| edge).count());
        let degrees: Vec<usize> = degrees.collect();
        let i = (0..n).rev().max_by_key(|&i| degrees[i]).unwrap();
        let covered = g[i].clone();
        for a in (0..n).filter(|&a| covered[a]) {
            reference[a] = codewords.len();
        }
        codewords.push(i);
        for (a, row) in g.iter_mut().enumerate() {
            for (b, edge) in row.iter_mut().enumerate() {
                *edge &= !covered[a] && !covered[b];
            }
        }
    }
    (codewords, reference)
}

/// What the literal way makes of the keys or the values of the heads that share a codebook.
struct Unfolded {
    /// Per query head, the vectors it keeps, coded and rebuilt: `[kept, d]`.
    rebuilt: Vec<Vec<f32>>,
    codewords: usize,
    /// Pairs whose cosine is within rounding of the threshold.
    close: usize,
}

/// The heads' vectors repeated for each query head that keeps them. Copies stand in the order of the heads and of the
/// text, so that ties fall as they do in the union. Without `magnitudes` a codeword stands as long as it is.
fn unfolded(heads: &[Rows], kept: &[Vec<u32>], theta: f32, magnitudes: bool) -> Unfolded {
    let (d, group) = (heads[0].dim(), kept.len() / heads.len());
    let mut copies: Vec<(usize, u32, usize)> = Vec::new();
    for (head, kept) in kept.iter().enumerate() {
        copies.extend(kept.iter().map(|&position| (head / group, position, head)));
    }
    copies.sort_unstable();
    let vector =
        |&(kv_head, position, _): &(usize, u32, usize)| heads[kv_head].gather(&[position]).to_f32();
    let vectors: Vec<f32> = copies.iter().flat_map(vector).collect();
    let (units, norms) = normalise(&vectors, d);
    let (graph, close) = literal_graph(&vectors, d, theta);
    let (codewords, reference) = algorithm_1(graph);
    let mut rebuilt = vec![Vec::new(); kept.len()];
    for (i, &(.., head)) in copies.iter().enumerate() {
        let codeword = codewords[reference[i]];
        let norm = norms[if magnitudes { i } else { codeword }];
        let unit = &units[codeword * d..][..d];
        rebuilt[head].extend(unit.iter().map(|x| x * norm));
    }
    Unfolded {
        rebuilt,
        codewords: codewords.len(),
        close,
    }
}

/// Compresses one layer with spindle and compares every entry that a query head sees with the literal way. Returns the
/// codewords, and the pairs that rounding decides.
fn equals_unfolding(
    prefilled: &Prefilled,
    layer: usize,
    rule: &Rule,
    settings: &[(&str, Value)],
) -> Result<(u64, usize), TestCaseError> {
    let spindle = METHODS.iter().find(|m| m.info.name == "spindle").unwrap();
    let given = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()));
    let given: Vec<_> = given.collect();
    let settings = spindle.info.settings(&given, "test").unwrap();
    let Made::Compress(method, size) = make(spindle.info, &settings).unwrap() else {
        panic!("spindle compresses");
    };
    // Shares below the window keep it: they are no size of a run, but what they code must be right too.
    let knob = size.knob(&BytesCurve::new(method.knob(), &|_| 0), prefilled.len, 0, 1);
    let knob = knob.unwrap();
    let built = method
        .plan(LayerView {
            prefilled,
            layer,
            draws: 0,
        })
        .unwrap()
        .build(knob.at)
        .unwrap();
    let kept = built.kept.unwrap();
    let [theta_k, theta_v] = ["theta-k", "theta-v"].map(|name| match settings.get(name) {
        Some(Value::Number(theta)) => *theta as f32,
        other => panic!("{name}: {other:?}"),
    });
    let magnitudes = settings.get("magnitudes") == Some(&Value::Flag(true));
    let geometry = prefilled.geometry;
    let shared = match settings.get("scope") == Some(&Value::Text("layer".into())) {
        true => geometry.kv_heads,
        false => 1,
    };
    let layer = &prefilled.layers[layer];
    let all_values: Vec<Rows> = (0..geometry.kv_heads)
        .map(|head| layer.kv.values(head).clone())
        .collect();
    let heads = layer
        .unrotated_keys
        .chunks(shared)
        .zip(all_values.chunks(shared));
    let (mut codewords, mut close) = ([0, 0], 0);
    for (book, (kept, (keys, values))) in kept
        .chunks(shared * geometry.group())
        .zip(heads)
        .enumerate()
    {
        let mut keys = unfolded(keys, kept, theta_k, magnitudes);
        let values = unfolded(values, kept, theta_v, magnitudes);
        codewords[0] += keys.codewords as u64;
        codewords[1] += values.codewords as u64;
        close += keys.close + values.close;
        for (i, kept) in kept.iter().enumerate() {
            for (key, &position) in keys.rebuilt[i].chunks_mut(geometry.head_dim).zip(kept) {
                rule.rope
                    .as_ref()
                    .unwrap()
                    .rotate_in_place(key, position as usize);
            }
            let (kv_head, member) = (book * shared + i / geometry.group(), i % geometry.group());
            let (group, end) = (geometry.group(), prefilled.len);
            let found = held(rule, &built.store, kv_head * group + member, group, end);
            prop_assert!(
                found.0 == keys.rebuilt[i],
                "keys of head {kv_head}, {member}"
            );
            prop_assert!(
                found.1 == values.rebuilt[i],
                "values of head {kv_head}, {member}"
            );
        }
    }
    let footprint = built.store.footprint();
    prop_assert_eq!([footprint.codewords_k, footprint.codewords_v], codewords);
    Ok((codewords[0] + codewords[1], close))
}

fn number(name: &str, value: f64) -> (&str, Value) {
    (name, Value::Number(value))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_weighted_union_gives_the_codebook_of_unfolding(
        seed in any::<u64>(),
        len in 12usize..70,
        group in 1usize..4,
        share in 0.2f64..1.0,
        thetas in prop::sample::select(vec![(0.98, 0.95), (0.9, 0.8), (0.7, 0.5), (1.0, 1.0)]),
        scope in prop::sample::select(vec!["kv-head", "layer"]),
        magnitudes in any::<bool>(),
    ) {
        let prefilled = prefilled(seed, len, group);
        let settings = [
            number("share", share),
            number("theta-k", thetas.0),
            number("theta-v", thetas.1),
            number("kernel", 1.0),
            ("scope", Value::Text(scope.into())),
            ("magnitudes", Value::Flag(magnitudes)),
        ];
        equals_unfolding(&prefilled, 0, tiny().rule(0), &settings)?;
    }
}

/// The two prompts of tests/golden/kept.json, some layers, the paper's thresholds and lower ones.
#[test]
fn on_the_default_model_the_codebook_is_that_of_algorithm_1() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../golden/kept.json")).unwrap();
    let model = default_model::model();
    let observe = Observe {
        window: 8,
        unrotated_keys: true,
        ..Observe::default()
    };
    let cases: [(usize, f64, &[usize]); 3] = [
        (0, 0.3, &[0, 8, 15, 22, 29]),
        (0, 0.9, &[0, 22]),
        (1, 0.3, &[15, 29]),
    ];
    for (prompt, share, layers) in cases {
        let tokens = golden["prompts"][prompt]["tokens"].as_array().unwrap();
        let tokens: Vec<u32> = tokens.iter().map(|t| t.as_u64().unwrap() as u32).collect();
        let prefilled = model.prefill(&tokens, observe, StoreType::F32).unwrap();
        for (theta_k, theta_v) in [(0.98, 0.95), (0.9, 0.6)] {
            for &layer in layers {
                let settings = [
                    number("share", share),
                    number("theta-k", theta_k),
                    number("theta-v", theta_v),
                ];
                let found = equals_unfolding(&prefilled, layer, model.rule(layer), &settings);
                let (codewords, close) = found.unwrap();
                println!(
                    "{} tokens, r {share}, layer {layer}, thetas {theta_k} and {theta_v}: {codewords} codewords, {close} pairs within rounding",
                    tokens.len()
                );
            }
        }
    }
}
