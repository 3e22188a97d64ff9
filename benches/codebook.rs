//! What a codebook costs per head: the greedy learner against a plain one, and each further threshold.
//!
//! Vectors are clustered as keys of shallow layers are: a few wide clusters and a tail of loners, `d = 64`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spindle::compress::codebook::{greedy, normalise, similarity_graphs};

const D: usize = 64;

/// `n` unit vectors around `n / 16` centres of falling popularity, at distances that make about a third of them codewords at 0.95.
fn clustered(n: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut gauss = move || (0..12).map(|_| rng.random::<f32>()).sum::<f32>() - 6.0;
    let centres: Vec<Vec<f32>> = (0..n / 16)
        .map(|_| (0..D).map(|_| gauss()).collect())
        .collect();
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let vectors: Vec<f32> = (0..n)
        .flat_map(|_| {
            let centre = &centres[(rng.random::<f32>().powi(3) * centres.len() as f32) as usize];
            let spread = 0.05 + 0.5 * rng.random::<f32>();
            centre
                .iter()
                .map(|c| c + spread * gauss())
                .collect::<Vec<f32>>()
        })
        .collect();
    normalise(&vectors, D).0
}

/// Algorithm 1 as one would first write it: a matrix of bools, degrees recounted for every codeword.
fn plain(units: &[f32], theta: f32) -> usize {
    let n = units.len() / D;
    let unit = |i: usize| &units[i * D..(i + 1) * D];
    let mut graph: Vec<bool> = (0..n * n)
        .map(|ij| {
            let (i, j) = (ij / n, ij % n);
            i == j || unit(i).iter().zip(unit(j)).map(|(a, b)| a * b).sum::<f32>() > theta
        })
        .collect();
    let (mut alive, mut codewords) = (vec![true; n], 0);
    while alive.contains(&true) {
        let degree = |i: usize| {
            graph[i * n..(i + 1) * n]
                .iter()
                .filter(|&&edge| edge)
                .count()
        };
        let best = (0..n).rev().max_by_key(|&i| degree(i)).unwrap_or(0);
        let covered: Vec<usize> = (0..n).filter(|&j| graph[best * n + j]).collect();
        for &j in &covered {
            alive[j] = false;
            (0..n).for_each(|k| {
                graph[j * n + k] = false;
                graph[k * n + j] = false;
            });
        }
        codewords += 1;
    }
    codewords
}

fn codebooks(c: &mut Criterion) {
    let mut group = c.benchmark_group("codebook");
    group.sample_size(10);
    for n in [512, 2048] {
        let units = clustered(n);
        let weights = vec![1; n];
        for theta in [0.98f32, 0.95, 0.9, 0.8] {
            let graph = &similarity_graphs(&units, D, &[theta])[0];
            eprintln!(
                "n {n}, theta {theta}: {} pairs, {} codewords",
                graph.pairs(),
                greedy(graph, &weights).codewords.len()
            );
        }
        if n == 512 {
            group.bench_function(BenchmarkId::new("plain", n), |b| {
                b.iter(|| plain(black_box(&units), 0.95))
            });
        }
        group.bench_function(BenchmarkId::new("graphs, 1 theta", n), |b| {
            b.iter(|| similarity_graphs(black_box(&units), D, &[0.95]));
        });
        group.bench_function(BenchmarkId::new("graphs, 5 thetas", n), |b| {
            b.iter(|| similarity_graphs(black_box(&units), D, &[0.98, 0.95, 0.9, 0.85, 0.8]));
        });
        for theta in [0.95f32, 0.8] {
            let graph = &similarity_graphs(&units, D, &[theta])[0];
            group.bench_function(BenchmarkId::new(format!("greedy at {theta}"), n), |b| {
                b.iter(|| greedy(black_box(graph), &weights));
            });
            let positions: Vec<u32> = (0..n as u32).filter(|p| p % 10 < 9).collect();
            group.bench_function(
                BenchmarkId::new(format!("subset of 0.9 at {theta}"), n),
                |b| {
                    b.iter(|| black_box(graph).subset(&positions));
                },
            );
        }
    }
    group.finish();
}

criterion_group!(benches, codebooks);
criterion_main!(benches);
