//! Attention that the last queries of a prompt pay to the entries before them.

use std::f32::consts::LOG2_E;

use multiversion::multiversion;

use crate::attend::Rule;
use crate::kernel::{Panels, simd};

/// Number of queries whose products with all keys are held at once, which bounds memory.
const QUERIES: usize = 64;

/// Adds to `sums`, one for each entry before the window, the attention of the window's queries times the weight of each
/// query: `queries: [window, head_dim]` are those of the last tokens of `keys: [len, head_dim]`, both rotated.
/// `position` is that of each key, ascending. Softmax as in [`window_attention`](super::window_attention), in powers of
/// two.
pub fn add_attention(
    rule: &Rule,
    queries: &[f32],
    keys: &Panels,
    position: impl Fn(usize) -> usize,
    weight: impl Fn(usize) -> f32,
    sums: &mut [f32],
) {
    let (len, head_dim, before) = (keys.rows(), keys.k(), sums.len());
    let scale = LOG2_E * rule.scale;
    let scaled: Vec<f32> = queries.iter().map(|q| q * scale).collect();
    let mut logits = Vec::new();
    for (block, queries) in scaled.chunks(QUERIES * head_dim).enumerate() {
        logits.resize(queries.len() / head_dim * len, 0.0);
        keys.part(0..len).product(queries, &mut logits);
        for (i, row) in logits.chunks_exact_mut(len).enumerate() {
            let query = block * QUERIES + i;
            let last = before + query;
            let first = match rule.window {
                Some(_) => first_from(rule.first_seen(position(last)), last, &position),
                None => 0,
            };
            let visible = &mut row[first..=last];
            rule.softcap().apply(visible);
            let factor = weight(query) / exponentiate(visible);
            for (sum, e) in sums.iter_mut().skip(first).zip(visible.iter()) {
                *sum += e * factor;
            }
        }
    }
}

/// The first of the keys up to `last` whose position is `least` or more.
fn first_from(least: usize, last: usize, position: impl Fn(usize) -> usize) -> usize {
    let (mut low, mut high) = (0, last);
    while low < high {
        let middle = usize::midpoint(low, high);
        match position(middle) < least {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}

/// Replaces each `x` by `2^(x - max)` and returns their sum.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
fn exponentiate(row: &mut [f32]) -> f32 {
    let max = simd::max(row);
    simd::exp2_and_sum(row, max)
}
