//! How close a cache's next-token distributions are to the full cache's.

use std::ops::Range;

use anyhow::{Error, Result};
use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::generate::{AnswerLimits, decode, extend, forced, whole_cache};
use crate::model::decoder::Model;
use crate::model::observe::Prefilled;
use crate::store::Cache;
use crate::task::Sample;

/// Most tokens of the full cache's own answer that are compared.
const MOST_GREEDY_TOKENS: usize = 64;

/// How one cache predicts given tokens, in means over the tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fidelity {
    /// Negative log-likelihood of the tokens, nats.
    pub nll: f64,
    /// KL divergence of the cache's distribution from the full cache's, nats.
    pub kl: f64,
    /// Share of the tokens before which the most likely one is the full cache's.
    pub agreement: f64,
}

/// A continuation of the prompt, and the full cache's distributions before its scored tokens.
pub(super) struct Expected {
    tokens: Vec<u32>,
    scored: Range<usize>,
    /// Logarithms of the probabilities, `[vocab]` for each scored token.
    full: Vec<Vec<f32>>,
}

/// What a sample's caches are compared with.
pub(super) struct FullCache {
    /// The right answer. None if the sample has no tokens of one.
    pub reference: Option<Expected>,
    /// The full cache's greedy answer. None if it is empty.
    pub greedy: Option<Expected>,
}

impl FullCache {
    /// `rest`: tokens of the prompt of `sample` that were not compressed. `limits`: where answers end.
    ///
    /// # Errors
    /// A value that is not finite: there is then nothing to compare with.
    pub(super) fn new(
        model: &Model,
        prefilled: &Prefilled,
        rest: &[u32],
        sample: &Sample,
        limits: &AnswerLimits,
    ) -> Result<Self> {
        let (mut cache, mut first) = (whole_cache(prefilled), vec![prefilled.logits.clone()]);
        let mut caches = [&mut cache];
        if !rest.is_empty() {
            first = extend(model, &mut caches, rest)?;
        }
        let limits = AnswerLimits {
            stops: limits.stops.clone(),
            min_new_tokens: limits.min_new_tokens.min(MOST_GREEDY_TOKENS),
            max_new_tokens: limits.max_new_tokens.min(MOST_GREEDY_TOKENS),
        };
        let logits = Tensor::new(first.clone(), &Device::Cpu)?;
        let mut answering = caches[0].fork();
        let answer = decode(model, &mut [&mut answering], &logits, &limits)?.concat();
        caches[0].note(answering.fault);
        let mut expected = |tokens: &[u32], scored: Range<usize>| -> Result<Expected> {
            let mut full = Vec::new();
            forced(
                model,
                &mut caches,
                &first,
                tokens,
                scored.clone(),
                |_, rows| {
                    full = rows.par_iter().map(|row| log_softmax(row)).collect();
                },
            )?;
            Ok(Expected {
                tokens: tokens.to_vec(),
                scored,
                full,
            })
        };
        let mut where_any = |tokens: &[u32], scored: Range<usize>| {
            let any = !scored.is_empty();
            any.then(|| expected(tokens, scored)).transpose()
        };
        let found = Self {
            reference: where_any(&sample.reference, sample.reference_scored.clone())?,
            greedy: where_any(&answer, 0..answer.len())?,
        };
        match cache.fault {
            Some(fault) => Err(Error::new(fault).context("full cache")),
            None => Ok(found),
        }
    }
}

impl Expected {
    /// Compares each cache in turn with the full cache. None for a cache with a fault. `first`: the caches' logits
    /// before the continuation.
    pub(super) fn compare(
        &self,
        model: &Model,
        caches: &mut [&mut Cache],
        first: &[Vec<f32>],
    ) -> Result<Vec<Option<Fidelity>>> {
        let mut found = vec![None; caches.len()];
        let right = &self.tokens[self.scored.clone()];
        forced(
            model,
            caches,
            first,
            &self.tokens,
            self.scored.clone(),
            |cell, rows| found[cell] = Some(fidelity(&self.full, rows, right)),
        )?;
        Ok(found)
    }
}

/// Compares the `logits` before each token with `full`, the logarithms of the full cache's probabilities. Returns means
/// over the tokens.
fn fidelity(full: &[Vec<f32>], logits: &[&[f32]], tokens: &[u32]) -> Fidelity {
    let of_token = |((full, logits), &token): ((&Vec<f32>, &&[f32]), &u32)| {
        let (max, log) = normaliser(logits);
        let own = log_probabilities(logits, max, log);
        let kl = |(&p, &q): (&f32, &f32)| match p == q {
            true => 0.0,
            false => f64::from(p.exp()) * f64::from(p - q),
        };
        [
            log - f64::from(logits[token as usize] - max),
            full.iter().zip(&own).map(kl).sum::<f64>(),
            f64::from(u8::from(top(full) == top(&own))),
        ]
    };
    let rows: Vec<[f64; 3]> = full
        .par_iter()
        .zip(logits)
        .zip(tokens)
        .map(of_token)
        .collect();
    let mean = |i: usize| rows.iter().map(|row| row[i]).sum::<f64>() / rows.len() as f64;
    let kl = mean(1);
    Fidelity {
        nll: mean(0),
        // Rounding can make a divergence near 0 negative. `max` would turn NaN into 0.
        kl: if kl < 0.0 { 0.0 } else { kl },
        agreement: mean(2),
    }
}

/// Mean negative log-likelihood of `tokens` under the `logits` before each, nats.
pub(super) fn mean_nll(logits: &[&[f32]], tokens: &[u32]) -> f64 {
    let nll = |(row, &token): (&&[f32], &u32)| {
        let (max, log) = normaliser(row);
        log - f64::from(row[token as usize] - max)
    };
    logits.iter().zip(tokens).map(nll).sum::<f64>() / tokens.len() as f64
}

/// Returns the greatest logit, and the logarithm of the sum of `exp(logit - greatest)`.
fn normaliser(logits: &[f32]) -> (f32, f64) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|x| f64::from((x - max).exp())).sum();
    (max, sum.ln())
}

fn log_softmax(logits: &[f32]) -> Vec<f32> {
    let (max, log) = normaliser(logits);
    log_probabilities(logits, max, log)
}

fn log_probabilities(logits: &[f32], max: f32, log: f64) -> Vec<f32> {
    let of = |x: &f32| (f64::from(x - max) - log) as f32;
    logits.iter().map(of).collect()
}

/// The most likely token; of equals the first.
fn top(values: &[f32]) -> usize {
    let better = |best: usize, i: usize| if values[i] > values[best] { i } else { best };
    (1..values.len()).fold(0, better)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: [[f32; 4]; 2] = [[1.0, -2.0, 0.5, 3.0], [0.0, 4.0, -1.0, 2.0]];
    const OTHER: [[f32; 4]; 2] = [[0.5, -1.0, 4.0, 3.0], [0.0, 2.0, -1.0, 1.5]];

    fn of(logits: &[[f32; 4]]) -> Fidelity {
        let full: Vec<Vec<f32>> = FULL.iter().map(|row| log_softmax(row)).collect();
        let rows: Vec<&[f32]> = logits.iter().map(|row| &row[..]).collect();
        fidelity(&full, &rows, &[0, 3])
    }

    #[test]
    fn full_agrees_with_itself() {
        let own = of(&FULL);
        assert_eq!((own.kl, own.agreement), (0.0, 1.0));
    }

    #[test]
    fn means_are_those_of_the_definitions_in_f64() {
        let probabilities = |row: &[f32; 4]| {
            let e = row.map(|x| f64::from(x).exp());
            e.map(|x| x / e.iter().sum::<f64>())
        };
        let (mut nll, mut kl) = (0.0, 0.0);
        for (i, token) in [0, 3].into_iter().enumerate() {
            let (p, q) = (probabilities(&FULL[i]), probabilities(&OTHER[i]));
            nll -= q[token].ln() / 2.0;
            kl += p.iter().zip(&q).map(|(p, q)| p * (p / q).ln()).sum::<f64>() / 2.0;
        }
        let found = of(&OTHER);
        assert!((found.nll - nll).abs() < 1e-6, "{found:?}, {nll}");
        assert!((found.kl - kl).abs() < 1e-6, "{found:?}, {kl}");
        assert_eq!(found.agreement, 0.5);
    }
}
