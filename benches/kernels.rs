//! Kernels, each beside the plain version of the same arithmetic: the matrix product, attention over a prompt, the
//! attention of decoded tokens over a coded and a whole cache, the choice of what is kept, and a step of many cells.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use spindle::attend::rope::Rope;
use spindle::attend::{Attention, Batch, Host, Pass, Plain, Rule};
use spindle::compress::pool::{Pooling, pool};
use spindle::compress::select::{Ranked, top_k};
use spindle::kernel::Panels;
use spindle::store::{
    Coded, CodedRows, Codewords, Entries, Geometry, Indices, LayerStore, Part, Rotate, Rows, Run,
    StoreType,
};

const GEOMETRY: Geometry = Geometry {
    layers: 1,
    heads: 9,
    kv_heads: 3,
    head_dim: 64,
};
const D: usize = GEOMETRY.head_dim;

fn values(n: usize, seed: f32) -> Vec<f32> {
    (0..n).map(|i| (i as f32 * 0.37 + seed).sin()).collect()
}

fn rule() -> Rule {
    let rope = Rope::new(D, 10000.0, None, 8193);
    Rule::new(D, Some(Arc::new(rope)))
}

fn dense(len: usize) -> Run {
    let rows = |seed: usize| Rows::from_f32(D, StoreType::F16, &values(len * D, seed as f32));
    let heads = 0..GEOMETRY.kv_heads;
    let keys = heads.clone().map(rows).collect();
    Run::whole(
        keys,
        heads.map(|head| rows(head + 10)).collect(),
        Rotate::AtWrite,
    )
}

fn layer(run: Run) -> LayerStore {
    LayerStore::of_prompt(Arc::new(run), GEOMETRY, StoreType::F16, 1)
}

/// Every query over every key it sees, one number after the other.
fn plain_attention(queries: &[f32], kv: &Run, before: usize) -> Vec<f32> {
    let (heads, group) = (GEOMETRY.heads, GEOMETRY.group());
    let (keys, values): (Vec<_>, Vec<_>) = (0..GEOMETRY.kv_heads)
        .map(|head| (kv.keys(head).to_f32(), kv.values(head).to_f32()))
        .unzip();
    let mut out = vec![0.0; queries.len()];
    for (row, (query, out)) in queries.chunks(D).zip(out.chunks_mut(D)).enumerate() {
        let (token, head) = (row / heads, row % heads / group);
        let seen = before + token + 1;
        let scores = keys[head]
            .chunks(D)
            .take(seen)
            .map(|key| query.iter().zip(key).map(|(a, b)| a * b).sum::<f32>() / (D as f32).sqrt());
        let weights: Vec<f32> = scores.map(f32::exp).collect();
        let sum: f32 = weights.iter().sum();
        for (weight, value) in weights.iter().zip(values[head].chunks(D)) {
            out.iter_mut()
                .zip(value)
                .for_each(|(o, v)| *o += weight / sum * v);
        }
    }
    out
}

/// Appends tokens to a layer and attends them.
fn attend(
    attention: &dyn Attention,
    rule: &Rule,
    [queries, kv]: [&Tensor; 2],
    position: usize,
    pass: Pass,
    layer: &mut LayerStore,
) -> Tensor {
    let n = queries.dims()[0];
    let span = 0..n;
    let batch = Batch {
        queries,
        keys: kv,
        values: kv,
        spans: std::slice::from_ref(&span),
        positions: &Vec::from_iter(position..position + n),
        pass,
    };
    let attended = attention.attend(rule, &batch, &mut [layer], None);
    attended.expect("attention").output
}

fn tensor(rows: &[f32], n: usize) -> Tensor {
    Tensor::from_slice(rows, (n, rows.len() / n), &Device::Cpu).expect("a tensor")
}

fn attention(c: &mut Criterion) {
    let (rule, len, new) = (rule(), 2048 - 64, 64);
    let queries = values(new * GEOMETRY.heads * D, 0.5);
    let appended = values(new * GEOMETRY.kv_heads * D, 0.7);
    let kv = dense(2048);
    let mut group = c.benchmark_group("attention, 64 queries of 2048");
    group.sample_size(10);
    let cache = layer(dense(len));
    let tensors = [&tensor(&queries, new), &tensor(&appended, new)];
    group.bench_function("panels", |b| {
        b.iter_batched(
            || cache.fork(),
            |mut cache| attend(&Host, &rule, tensors, len, Pass::Sequence, &mut cache),
            criterion::BatchSize::LargeInput,
        )
    });
    group.bench_function("plain", |b| b.iter(|| plain_attention(&queries, &kv, len)));
    group.finish();
}

/// 3,700 entries in 2,800 codewords of keys and 3,200 of values, as SpindleKV at 0.4 leaves of 8k tokens.
fn coded() -> LayerStore {
    let (entries, keys, vals) = (3700, 2800, 3200);
    let positions: Vec<u32> = (0..entries as u32).map(|i| 2 * i).collect();
    let book = |seed: f32| {
        let index = |codewords: usize| -> Vec<u32> {
            (0..entries).map(|i| (i * 7 % codewords) as u32).collect()
        };
        let rows = |codewords| {
            CodedRows::new(StoreType::F16, &index(codewords), Some(&vec![1.5; entries]))
        };
        let words = |n: usize| Codewords::new(D, StoreType::F16, &values(n * D, seed), true, 0.95);
        Part {
            keys: Box::new(Coded::new(words(keys), vec![rows(keys)])),
            values: Box::new(Coded::new(words(vals), vec![rows(vals)])),
            entries: vec![Entries {
                positions: Some(Indices::from_slice(&positions)),
                chosen: entries,
                ..Entries::default()
            }],
        }
    };
    let parts = (0..GEOMETRY.kv_heads).map(|head| book(head as f32));
    let open = Run {
        parts: parts.collect(),
        rotate: Rotate::ByPosition,
    };
    LayerStore::new(Vec::new(), open, 1)
}

fn step(c: &mut Criterion) {
    let rule = rule();
    let queries = values(GEOMETRY.heads * D, 0.5);
    let mut group = c.benchmark_group("one query at 8k tokens");
    let (coded, full) = (coded(), layer(dense(8192)));
    let new = values(GEOMETRY.kv_heads * D, 0.7);
    let tensors = [&tensor(&queries, 1), &tensor(&new, 1)];
    for (name, cache) in [("code space", &coded), ("whole", &full)] {
        group.bench_function(name, |b| {
            b.iter_batched(
                || cache.fork(),
                |mut cache| attend(&Host, &rule, tensors, 8000, Pass::Step, &mut cache),
                criterion::BatchSize::SmallInput,
            )
        });
    }
    let kv = dense(8192);
    group.bench_function("whole, plain", |b| {
        b.iter(|| plain_attention(&queries, &kv, 8191))
    });
    group.bench_function("code space, rebuilt and plain", |b| {
        b.iter_batched(
            || coded.fork(),
            |mut cache| attend(&Plain, &rule, tensors, 8000, Pass::Step, &mut cache),
            criterion::BatchSize::SmallInput,
        )
    });
    group.finish();
}

fn products(c: &mut Criterion) {
    let (k, n) = (576, 3072);
    let weight = values(n * k, 0.3);
    let panels = Panels::pack(&weight, k);
    for m in [1, 16, 512] {
        let (x, mut out) = (values(m * k, 0.6), vec![0.0; m * n]);
        let mut group = c.benchmark_group(format!("product, {m} x {n} x {k}"));
        group.bench_function("panels", |b| b.iter(|| panels.product(&x, &mut out, false)));
        if m <= 16 {
            group.bench_function("one row after the other", |b| {
                b.iter(|| {
                    for (x, out) in x.chunks(k).zip(out.chunks_mut(n)) {
                        panels.product(x, out, false);
                    }
                })
            });
        }
        group.finish();
    }
}

fn selection(c: &mut Criterion) {
    let scores = values(3 * 8192, 0.1);
    let mut group = c.benchmark_group("what 5 budgets keep of 8192 entries, 3 query heads");
    let budgets = [800, 1600, 2400, 3200, 4000];
    group.bench_function("ranked once", |b| {
        b.iter(|| {
            let pooled: Vec<f32> = scores
                .chunks(8192)
                .flat_map(|row| pool(row, Pooling::Max(7)))
                .collect();
            let ranked = Ranked::new(&pooled, 3);
            budgets.map(|k| ranked.kept_at(k))
        })
    });
    group.bench_function("top k for each", |b| {
        b.iter(|| {
            budgets.map(|k| {
                let rows = scores.chunks(8192).map(|row| pool(row, Pooling::Max(7)));
                rows.map(|row| top_k(&row, k)).collect::<Vec<_>>()
            })
        })
    });
    group.finish();
}

criterion_group!(benches, products, attention, step, selection);
criterion_main!(benches);
