//! The building blocks of compression against the Python references: values made once by `tests/golden/compress.py`.

use rand::RngCore;
use serde::Deserialize;
use spindle::attend::Rule;
use spindle::compress::budget::{pyramid_kvcf, pyramid_paper};
use spindle::compress::codebook::{Representatives, greedy, normalise, similarity_graphs};
use spindle::compress::group::{Grouping, reduce};
use spindle::compress::merge::Merging;
use spindle::compress::pool::{Pooling, pool};
use spindle::compress::score::{Normalisation, WindowShape, window_attention};
use spindle::compress::select::top_k;

#[derive(Deserialize)]
struct Golden {
    shape: Shape,
    queries: Vec<f32>,
    keys: Vec<f32>,
    summed: Vec<f32>,
    pooled_max_7: Vec<f32>,
    pooled_avg_5: Vec<f32>,
    top_20_of_max: Vec<Vec<u32>>,
    top_20_of_sum: Vec<Vec<u32>>,
    kvpress_snapkv: Vec<f32>,
    kvpress_top_20: Vec<Vec<u32>>,
    pyramid_kvcf: Vec<Kvcf>,
    pyramid_kvpress: Vec<Kvpress>,
    cam: Cam,
    vectors: Vec<f32>,
    d: usize,
    algorithm_1: Vec<Algorithm1>,
}

#[derive(Deserialize)]
struct Shape {
    window: usize,
    group: usize,
    head_dim: usize,
    len: usize,
}

#[derive(Deserialize)]
struct Kvcf {
    case: [usize; 4],
    budgets: Vec<usize>,
}

#[derive(Deserialize)]
struct Kvpress {
    ratio: f64,
    len: usize,
    layers: usize,
    budgets: Vec<usize>,
}

#[derive(Deserialize)]
struct Cam {
    budget: usize,
    recent: usize,
    evicted: Vec<u32>,
    attention: Vec<f32>,
    values: Vec<f32>,
    /// What is drawn for each evicted entry, as a share of 2^24.
    draws: Vec<u32>,
    merged: Vec<f32>,
}

/// Draws that were written down, of 24 bits each.
struct Replay(std::vec::IntoIter<u32>);

impl RngCore for Replay {
    fn next_u32(&mut self) -> u32 {
        self.0.next().expect("one draw for each evicted entry") << 8
    }

    fn next_u64(&mut self) -> u64 {
        self.next_u32().into()
    }

    fn fill_bytes(&mut self, _: &mut [u8]) {
        panic!("only numbers are drawn");
    }
}

#[derive(Deserialize)]
struct Algorithm1 {
    theta: f32,
    codewords: Vec<u32>,
    index: Vec<u32>,
}

impl Golden {
    fn read() -> Self {
        serde_json::from_str(include_str!("../golden/compress.json"))
            .expect("tests/golden/compress.json is as the script wrote it")
    }

    /// Scores of all query heads, `[kv_heads * group, len - window]`.
    fn scores(&self, normalisation: Normalisation) -> Vec<f32> {
        let &Shape {
            window,
            group,
            head_dim,
            len,
        } = &self.shape;
        let shape = WindowShape {
            group,
            window,
            head_dim,
        };
        let queries = self.queries.chunks(group * window * head_dim);
        queries
            .zip(self.keys.chunks(len * head_dim))
            .flat_map(|(q, k)| {
                window_attention(&Rule::new(shape.head_dim, None), q, k, shape, normalisation)
            })
            .collect()
    }

    fn before(&self) -> usize {
        self.shape.len - self.shape.window
    }
}

fn assert_close(got: &[f32], want: &[f32]) {
    assert_eq!(got.len(), want.len());
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!(
            (g - w).abs() <= 2e-6 + 2e-5 * w.abs(),
            "[{i}] {g} is not {w}"
        );
    }
}

#[test]
fn snapkv_scores_are_those_of_kvcache_factory() {
    let golden = Golden::read();
    let scores = golden.scores(Normalisation::Sum);
    assert_close(&scores, &golden.summed);
    let pooled = |pooling| {
        scores
            .chunks(golden.before())
            .flat_map(|row| pool(row, pooling))
            .collect::<Vec<_>>()
    };
    let max = pooled(Pooling::Max(7));
    assert_close(&max, &golden.pooled_max_7);
    assert_close(&pooled(Pooling::Avg(5)), &golden.pooled_avg_5);
    let top = |scores: &[f32]| {
        scores
            .chunks(golden.before())
            .map(|row| top_k(row, 20))
            .collect::<Vec<_>>()
    };
    assert_eq!(top(&scores), golden.top_20_of_sum);
    assert_eq!(top(&max), golden.top_20_of_max);
}

#[test]
fn snapkv_scores_are_those_of_kvpress() {
    let golden = Golden::read();
    let scores = golden.scores(Normalisation::Mean);
    let scores: Vec<Vec<f32>> = scores
        .chunks(golden.shape.group * golden.before())
        .map(|heads| {
            pool(
                &reduce(heads, golden.shape.group, Grouping::Mean),
                Pooling::Avg(5),
            )
        })
        .collect();
    assert_close(&scores.concat(), &golden.kvpress_snapkv);
    assert_eq!(
        scores.iter().map(|row| top_k(row, 20)).collect::<Vec<_>>(),
        golden.kvpress_top_20
    );
}

#[test]
fn pyramids_are_those_of_kvcache_factory() {
    for Kvcf {
        case: [capacity, len, window, layers],
        budgets,
    } in Golden::read().pyramid_kvcf
    {
        assert_eq!(
            pyramid_kvcf(capacity, len, window, layers, 20),
            budgets,
            "capacity {capacity} of {len}"
        );
    }
}

/// kvpress rounds to the nearest where this rounds down, and counts the window as part of the pyramid, not on top of it.
#[test]
fn pyramids_are_those_of_kvpress_up_to_rounding() {
    for Kvpress {
        ratio,
        len,
        layers,
        budgets,
    } in Golden::read().pyramid_kvpress
    {
        let capacity = 8 + (len as f64 * (1.0 - ratio)).round() as usize;
        let ours = pyramid_paper(capacity, len, 8, layers, 20.0);
        for (ours, theirs) in ours.iter().zip(&budgets) {
            assert!(
                (ours - 8).abs_diff(*theirs) <= 1,
                "{ours} less 8 is not {theirs}"
            );
        }
    }
}

#[test]
fn values_are_merged_as_cam_merges_them() {
    let cam = Golden::read().cam;
    let merging = Merging {
        budget: cam.budget,
        recent: cam.recent,
    };
    let mut values = cam.values;
    let mut draws = Replay(cam.draws.into_iter());
    merging.merge(&mut values, 3, &cam.attention, &cam.evicted, &mut draws);
    assert_close(&values, &cam.merged);
    assert_eq!(draws.0.len(), 0);
}

#[test]
fn codebooks_are_those_of_algorithm_1_in_torch() {
    let golden = Golden::read();
    let (units, _) = normalise(&golden.vectors, golden.d);
    let thetas: Vec<f32> = golden.algorithm_1.iter().map(|run| run.theta).collect();
    for (graph, run) in similarity_graphs(&units, golden.d, &thetas)
        .iter()
        .zip(golden.algorithm_1)
    {
        let codebook = greedy(graph, &vec![1; graph.len()]);
        assert_eq!(
            codebook.codewords,
            Representatives::Members(run.codewords),
            "theta {}",
            run.theta
        );
        assert_eq!(codebook.index, run.index, "theta {}", run.theta);
    }
}
