//! The cheap way to the paper's codebook, a weighted union of what a group's query heads keep, against the literal one
//! (PAPER section 1.5): repeat every entry for each query head that keeps it, then run Algorithm 1 on the copies.

mod common;

use std::sync::{Arc, OnceLock};

use common::tiny::{Family, Tiny};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spindle::cache::{DenseKv, Geometry, Prefix, Rows, StoreType};
use spindle::compress::codebook::{BitGraph, normalise, similarity_graphs};
use spindle::compress::methods::{METHODS, Made, make};
use spindle::compress::settings::Value;
use spindle::compress::view::LayerView;
use spindle::model::decoder::Model;
use spindle::model::observe::{Prefilled, PrefilledLayer};

const DIM: usize = 16;
const KV_HEADS: usize = 2;

fn model() -> &'static Model {
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
        kv: Arc::new(DenseKv { keys, values }),
        unrotated_keys,
        column_sums: Vec::new(),
    };
    Prefilled {
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

/// Algorithm 1 with the degree of equation 10, on matrices. Codewords, and the codeword of each vector.
fn algorithm_1(graph: &BitGraph) -> (Vec<usize>, Vec<usize>) {
    let n = graph.len();
    let mut g: Vec<Vec<bool>> = (0..n)
        .map(|a| (0..n).map(|b| graph.has(a, b)).collect())
        .collect();
    let (mut codewords, mut reference) = (Vec::new(), vec![usize::MAX; n]);
    while g.iter().flatten().any(|&edge| edge) {
        let degree = |i: &usize| g[*i].iter().filter(|&&edge| edge).count();
        let i = (0..n).rev().max_by_key(degree).unwrap();
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

/// The group's vectors repeated for each query head that keeps them, coded and rebuilt: per query head `[kept, DIM]`,
/// and the number of codewords. Copies stand in the order of the text, so that ties fall as they do in the union.
fn unfolded(rows: &Rows, kept: &[Vec<u32>], theta: f32) -> (Vec<Vec<f32>>, usize) {
    let mut copies: Vec<(u32, usize)> = Vec::new();
    for (head, kept) in kept.iter().enumerate() {
        copies.extend(kept.iter().map(|&position| (position, head)));
    }
    copies.sort_unstable();
    let positions: Vec<u32> = copies.iter().map(|copy| copy.0).collect();
    let (units, norms) = normalise(&rows.gather(&positions).to_f32(), DIM);
    let graph = similarity_graphs(&units, DIM, &[theta]).remove(0);
    let (codewords, reference) = algorithm_1(&graph);
    let mut rebuilt = vec![Vec::new(); kept.len()];
    for (i, (_, head)) in copies.iter().enumerate() {
        let unit = &units[codewords[reference[i]] * DIM..][..DIM];
        rebuilt[*head].extend(unit.iter().map(|x| x * norms[i]));
    }
    (rebuilt, codewords.len())
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
    ) {
        let prefilled = prefilled(seed, len, group);
        let info = METHODS.iter().find(|m| m.info.name == "spindle").unwrap().info;
        let given = [("r", share), ("theta-k", thetas.0), ("theta-v", thetas.1), ("kernel", 1.0)];
        let given = given.map(|(name, value)| (name.to_owned(), Value::Number(value)));
        let settings = info.settings(&given, "test").unwrap();
        let Made::Compress(method, _) = make(info, &settings).unwrap() else { panic!("spindle compresses") };
        let plan = method.plan(LayerView { prefilled: &prefilled, layer: 0 });
        let built = plan.build(share);
        let kept = built.kept.unwrap();
        let Prefix::Coded(coded) = &built.prefix else { panic!("spindle codes") };
        let (mut codewords_k, mut codewords_v) = (0, 0);
        let layer = &prefilled.layers[0];
        for (kv_head, kept) in kept.chunks(group).enumerate() {
            let (mut keys, k) = unfolded(&layer.unrotated_keys[kv_head], kept, thetas.0 as f32);
            let (values, v) = unfolded(&layer.kv.values[kv_head], kept, thetas.1 as f32);
            codewords_k += k as u64;
            codewords_v += v as u64;
            for (member, kept) in kept.iter().enumerate() {
                for (key, &position) in keys[member].chunks_mut(DIM).zip(kept) {
                    model().rope().rotate_in_place(key, position as usize);
                }
                let found = coded.materialize(kv_head, member, model().rope());
                prop_assert_eq!(&found.0, &keys[member]);
                prop_assert_eq!(&found.1, &values[member]);
            }
        }
        let footprint = built.prefix.footprint();
        prop_assert_eq!(footprint.codewords_k, codewords_k);
        prop_assert_eq!(footprint.codewords_v, codewords_v);
    }
}
