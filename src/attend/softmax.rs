//! Attention in one pass: the running softmax of a block of query rows (Milakov and Gimelshein 2018;
//! FlashAttention, Dao et al. 2022). Runs feed it entries in any order and in any blocks.

use std::f32::consts::LOG2_E;
use std::ops::Range;

use multiversion::multiversion;

use super::lanes::{Lanes, add_lane_weights, weigh_lanes};
use super::rule::{Pass, Rule, Softcap};
use super::state::Softmax;
use crate::kernel::{LANES, Left, Out, Right, add_weighted, dots, product, simd};

/// Queries of the query heads of one KV head, `tokens` each, with their running maximum, sum of exponentials and
/// weighted sum of values. Exponentials are powers of two, the queries scaled for it.
pub(super) struct Attending {
    dim: usize,
    tokens: usize,
    /// Rows of state per query head: `tokens`, rounded up to whole panels if queries are in panels.
    stride: usize,
    /// Per query head in turn `[tokens, dim]`, scaled by the rule's scale and `log2 e`.
    queries: Vec<f32>,
    /// The soft cap of scores.
    softcap: Softcap,
    /// The queries of a sequence in panels, `[panels, dim, LANES]`; none for single tokens.
    panels: Vec<f32>,
    state: Softmax,
    scores: Vec<f32>,
}

impl Attending {
    /// `queries`: per query head in turn `[tokens, dim]`, rotated, not yet scaled. A row's result depends on `pass`,
    /// but not on what other rows there are.
    pub(super) fn new(
        rule: &Rule,
        mut queries: Vec<f32>,
        dim: usize,
        tokens: usize,
        pass: Pass,
    ) -> Self {
        let factor = LOG2_E * rule.scale;
        queries.iter_mut().for_each(|q| *q *= factor);
        let members = queries.len() / (tokens * dim);
        let in_panels = pass == Pass::Sequence && dim.is_multiple_of(LANES);
        let stride = match in_panels {
            true => tokens.next_multiple_of(LANES),
            false => tokens,
        };
        let panels = match in_panels {
            true => panels(&queries, dim, tokens, stride),
            false => Vec::new(),
        };
        let rows = members * stride;
        Self {
            dim,
            tokens,
            stride,
            queries,
            panels,
            softcap: rule.softcap(),
            state: Softmax::new(rows, dim),
            scores: Vec::new(),
        }
    }

    /// Elements of a query.
    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    /// Scaled queries of the single token of some query heads, `[members, dim]`.
    pub(super) fn queries(&self, members: Range<usize>) -> &[f32] {
        &self.queries[members.start * self.dim..members.end * self.dim]
    }

    /// Scaled query of one token of one query head, `[dim]`.
    fn query(&self, member: usize, token: usize) -> &[f32] {
        &self.queries[(member * self.tokens + token) * self.dim..][..self.dim]
    }

    /// Attends the rows of some query heads to a block of entries: `keys` (rotated) and `values`, `[n, dim]` each.
    /// Token `t` sees the entries `visible(t)` of the block.
    pub(super) fn absorb(
        &mut self,
        members: Range<usize>,
        keys: &[f32],
        values: &[f32],
        visible: impl Fn(usize) -> Range<usize>,
    ) {
        let (d, n) = (self.dim, keys.len() / self.dim);
        let visible = |token: usize| clamp(visible(token), n);
        if self.panels.is_empty() {
            for token in 0..self.tokens {
                let seen = visible(token);
                let seen = seen.start * d..seen.end * d;
                self.absorb_token(members.clone(), token, &keys[seen.clone()], &values[seen]);
            }
            return;
        }
        for member in members {
            for first in (0..self.tokens).step_by(LANES) {
                let row = member * self.stride + first;
                let count = LANES.min(self.tokens - first);
                let lanes = Lanes::new(count, |lane| visible(first + lane));
                if lanes.most == 0 {
                    continue;
                }
                self.score(row, keys, lanes.most);
                weigh_lanes(&mut self.scores, &lanes, row, d, &mut self.state);
                let weights = Left {
                    data: &self.scores,
                    row: 1,
                    step: LANES,
                };
                let shape = [count, lanes.most, d];
                add_weighted(weights, shape, values, &mut self.state.out[row * d..], d);
            }
        }
    }

    /// Products of the panel that begins at state row `row` with the first `n` keys, `[n, LANES]`.
    fn score(&mut self, row: usize, keys: &[f32], n: usize) {
        let d = self.dim;
        self.scores.resize(n * LANES, 0.0);
        let keys = Left {
            data: keys,
            row: d,
            step: 1,
        };
        let queries = Right {
            data: &self.panels[row * d..],
            row: LANES,
            group: 0,
        };
        let mut scores = Out {
            data: &mut self.scores,
            row: LANES,
            group: 0,
            add: false,
        };
        product(keys, n, d, queries, 1, &mut scores);
        self.softcap.apply(&mut self.scores);
    }

    /// Attends one token of some query heads to all of a block.
    fn absorb_token(&mut self, members: Range<usize>, token: usize, keys: &[f32], values: &[f32]) {
        let (d, n) = (self.dim, keys.len() / self.dim);
        if n == 0 {
            return;
        }
        let mut scores = std::mem::take(&mut self.scores);
        scores.resize(members.len() * n, 0.0);
        for (member, scores) in members.clone().zip(scores.chunks_exact_mut(n)) {
            dots(self.query(member, token), keys, scores);
            self.weigh(member, token, scores);
        }
        let weights = Left {
            data: &scores,
            row: n,
            step: 1,
        };
        let (shape, row) = ([members.len(), n, d], members.start * self.stride + token);
        let out = &mut self.state.out[row * d..];
        add_weighted(weights, shape, values, out, self.stride * d);
        self.scores = scores;
    }

    /// Turns the `scores` of further entries for one row into weights against the running maximum, and rescales the
    /// row's sums. `scores`: products with the row's scaled query, minus infinity for entries that it does not see. The
    /// caller adds the weighted values.
    pub(super) fn weigh(&mut self, member: usize, token: usize, scores: &mut [f32]) {
        self.softcap.apply(scores);
        weigh(
            scores,
            member * self.stride + token,
            self.dim,
            &mut self.state,
        );
    }

    /// Adds `sums`, `[members, dim]`, the weighted sums of a run's values, to the outputs of the single token of query
    /// heads `members`.
    pub(super) fn add_sums(&mut self, members: Range<usize>, sums: &[f32]) {
        for (member, sum) in members.zip(sums.chunks_exact(self.dim)) {
            let out = &mut self.state.out[member * self.stride * self.dim..][..self.dim];
            out.iter_mut().zip(sum).for_each(|(out, sum)| *out += sum);
        }
    }

    /// Adds to `sums`, `[n]`, the attention that each of `keys`, `[n, dim]` rotated, draws from all tokens of one query
    /// head. Token `t` sees `visible(t)`. All entries must have been absorbed before, and no others.
    pub(super) fn add_drawn(
        &mut self,
        member: usize,
        keys: &[f32],
        visible: impl Fn(usize) -> Range<usize>,
        sums: &mut [f32],
    ) {
        let (d, n) = (self.dim, keys.len() / self.dim);
        let visible = |token: usize| clamp(visible(token), n);
        for first in (0..self.tokens).step_by(LANES) {
            let count = LANES.min(self.tokens - first);
            let row = member * self.stride + first;
            let lanes = Lanes::new(count, |lane| visible(first + lane));
            // A lane without a token draws nothing.
            let log_sums: [f32; LANES] = std::array::from_fn(|lane| match lane < count {
                true => self.state.max[row + lane] + self.state.sum[row + lane].log2(),
                false => f32::INFINITY,
            });
            if self.panels.is_empty() {
                for (lane, &log_sum) in log_sums[..count].iter().enumerate() {
                    let seen = visible(first + lane);
                    let mut scores = vec![0.0; seen.len()];
                    let keys = &keys[seen.start * d..seen.end * d];
                    dots(self.query(member, first + lane), keys, &mut scores);
                    self.softcap.apply(&mut scores);
                    add_weights(&scores, log_sum, &mut sums[seen]);
                }
                continue;
            }
            self.score(row, keys, lanes.most);
            add_lane_weights(&self.scores, &lanes, &log_sums, sums);
        }
    }

    /// The attention output, per query head in turn `[tokens, dim]`.
    pub(super) fn finish(self) -> Vec<f32> {
        let mut finished = Vec::with_capacity(self.queries.len());
        for (row, out) in self.state.out.chunks_exact(self.dim).enumerate() {
            if row % self.stride < self.tokens {
                finished.extend(out.iter().map(|x| x / self.state.sum[row]));
            }
        }
        finished
    }
}

/// A span within `n` entries.
fn clamp(span: Range<usize>, n: usize) -> Range<usize> {
    let end = span.end.min(n);
    span.start.min(end)..end
}

/// Rows `[members * tokens, dim]` in panels `[members * stride / LANES, dim, LANES]`, the gaps filled with zeros.
fn panels(rows: &[f32], dim: usize, tokens: usize, stride: usize) -> Vec<f32> {
    let mut panels = vec![0.0; rows.len() / tokens * stride];
    for (i, row) in rows.chunks_exact(dim).enumerate() {
        let row_of_state = i / tokens * stride + i % tokens;
        let panel = &mut panels[row_of_state / LANES * LANES * dim..];
        let lane = panel[row_of_state % LANES..].iter_mut().step_by(LANES);
        lane.zip(row).for_each(|(at, x)| *at = *x);
    }
    panels
}

/// Turns the scores of one row into weights relative to its maximum, and updates its state.
#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
fn weigh(scores: &mut [f32], row: usize, dim: usize, state: &mut Softmax) {
    if scores.is_empty() {
        return;
    }
    let max = state.max[row].max(simd::max(scores));
    if max == f32::NEG_INFINITY {
        // A maximum of minus infinity means that the row sees no entry, unless a score is NaN, which must show in the
        // result.
        if scores.iter().any(|score| score.is_nan()) {
            state.sum[row] = f32::NAN;
        }
        return scores.fill(0.0);
    }
    if max > state.max[row] {
        let shrink = simd::exp2(state.max[row] - max);
        simd::scale(&mut state.out[row * dim..(row + 1) * dim], shrink);
        state.sum[row] *= shrink;
        state.max[row] = max;
    }
    state.sum[row] += simd::exp2_and_sum(scores, max);
}

#[multiversion(targets("x86_64+avx512f+fma", "x86_64+avx2+fma"))]
fn add_weights(scores: &[f32], log_sum: f32, sums: &mut [f32]) {
    for (sum, score) in sums.iter_mut().zip(scores) {
        *sum += simd::exp2(score - log_sum);
    }
}
