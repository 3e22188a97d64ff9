//! Attention by its definition, over every decoded entry. It is slow; tests compare the stored forms with it.

use candle_core::{Result, Tensor};

use super::keys::Stored;
use super::rule::Rule;
use super::{Attended, Attention, Batch};
use crate::store::{LayerStore, Rotate, Run};

/// The definition, in f64.
pub struct Plain;

impl Attention for Plain {
    /// Appends and attends token by token. Finds no faults.
    fn attend(
        &self,
        rule: &Rule,
        new: &Batch<'_>,
        layers: &mut [&mut LayerStore],
        mut drawn: Option<&mut [Vec<f32>]>,
    ) -> Result<Attended> {
        let host = |tensor: &Tensor| tensor.to_vec2::<f32>();
        let (queries, keys, values) = (host(new.queries)?, host(new.keys)?, host(new.values)?);
        let before = keys.len() - queries.len();
        let mut output = Vec::new();
        for (layer, span) in layers.iter_mut().zip(new.spans) {
            let d = layer.head_dim();
            for t in span.clone() {
                let position = new.positions[t];
                let mut rotated = keys[t].clone();
                if let Some(rope) = &rule.rope {
                    rotated
                        .chunks_exact_mut(d)
                        .for_each(|key| rope.rotate_in_place(key, position));
                }
                layer.append([&keys[t], &rotated, &values[t]], &[position]);
                if t >= before {
                    let drawn = drawn.as_deref_mut();
                    output.extend(attend_token(
                        rule,
                        layer,
                        &queries[t - before],
                        position,
                        drawn,
                    ));
                }
                layer.settle();
            }
        }
        let output = Tensor::from_vec(output, new.queries.dims(), new.queries.device())?;
        Ok(Attended {
            output,
            faults: vec![None; layers.len()],
        })
    }
}

/// Attends one token's queries, `[heads, head_dim]`, to all entries held.
fn attend_token(
    rule: &Rule,
    layer: &LayerStore,
    queries: &[f32],
    position: usize,
    mut drawn: Option<&mut [Vec<f32>]>,
) -> Vec<f32> {
    let (d, kv_heads) = (layer.head_dim(), layer.kv_heads());
    let group = queries.len() / (kv_heads * d);
    let mut output = Vec::new();
    for (head, query) in queries.chunks_exact(d).enumerate() {
        let (keys, values, ranks) = ranked(rule, layer, head, group, position);
        let mut query = query.to_vec();
        if let Some(rope) = &rule.rope {
            let place = match layer.open.rotate {
                Rotate::ByRank => ranks[ranks.len() - 1],
                Rotate::AtWrite | Rotate::ByPosition => position,
            };
            rope.rotate_in_place(&mut query, place);
        }
        let scores = keys.chunks_exact(d).map(|key| {
            let pairs = key.iter().zip(&query);
            let dot: f64 = pairs.map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            let score = dot * f64::from(rule.scale);
            rule.softcap.map_or(score, |cap| {
                let cap = f64::from(cap);
                cap * (score / cap).tanh()
            })
        });
        let scores: Vec<f64> = scores.collect();
        let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = scores.iter().map(|score| (score - most).exp()).sum();
        let mut out = vec![0f64; d];
        for ((score, value), &rank) in scores.iter().zip(values.chunks_exact(d)).zip(&ranks) {
            let weight = (score - most).exp() / sum;
            let elements = out.iter_mut().zip(value);
            elements.for_each(|(out, x)| *out += weight * f64::from(*x));
            if let Some(drawn) = &mut drawn {
                let drawn = &mut drawn[head];
                drawn.resize(drawn.len().max(rank + 1), 0.0);
                drawn[rank] += weight as f32;
            }
        }
        output.extend(out.into_iter().map(|x| x as f32));
    }
    output
}

/// Rotated keys, and values, that a query head sees from `position`, `[n, head_dim]` each.
pub fn held(
    rule: &Rule,
    layer: &LayerStore,
    head: usize,
    group: usize,
    position: usize,
) -> (Vec<f32>, Vec<f32>) {
    let (keys, values, _) = ranked(rule, layer, head, group, position);
    (keys, values)
}

/// As [`held`], with the rank of each entry over all runs.
fn ranked(
    rule: &Rule,
    layer: &LayerStore,
    head: usize,
    group: usize,
    position: usize,
) -> (Vec<f32>, Vec<f32>, Vec<usize>) {
    let (mut keys, mut values, mut ranks) = (Vec::new(), Vec::new(), Vec::new());
    let mut rank = 0;
    for run in layer.runs() {
        let (store, member) = store_of(run, layer.kv_heads(), head, group);
        let (part, at) = run.place(store);
        let stored = Stored {
            part,
            head: at,
            rotate: run.rotate,
            rule,
            rank,
        };
        let mut seen = Vec::new();
        part.entries[at].seen(member, stored.len(), &mut seen);
        let first = stored.first_in_window(seen.len(), |i| seen[i] as usize, position);
        let d = layer.head_dim();
        let mut rows = vec![0.0; seen.len() * d];
        part.keys.read(at, &seen, &mut rows);
        stored.rotate(&mut rows, &seen, 0);
        keys.extend_from_slice(&rows[first * d..]);
        part.values.read(at, &seen, &mut rows);
        values.extend_from_slice(&rows[first * d..]);
        ranks.extend(seen[first..].iter().map(|&i| rank + i as usize));
        rank += stored.len();
    }
    (keys, values, ranks)
}

/// The head of a run that a query head reads, and the query head's number among those that share it.
fn store_of(run: &Run, kv_heads: usize, head: usize, group: usize) -> (usize, usize) {
    match run.heads() == kv_heads {
        true => (head / group, head % group),
        false => (head, 0),
    }
}
