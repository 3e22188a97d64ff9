//! Greedy answers of many caches at once.

use candle_core::{IndexOp, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};

use crate::model::decoder::Model;
use crate::store::Cache;

/// Where an answer ends.
pub struct AnswerLimits {
    /// Tokens that end it and are not part of it.
    pub stops: Vec<u32>,
    /// Tokens that an answer has at least. Until then the most likely token that is no stop is taken.
    pub min_new_tokens: usize,
    /// Most tokens of an answer.
    pub max_new_tokens: usize,
}

impl AnswerLimits {
    /// Exactly `count` tokens; no token ends the answer.
    pub fn tokens(count: usize) -> Self {
        Self {
            stops: Vec::new(),
            min_new_tokens: count,
            max_new_tokens: count,
        }
    }
}

/// Decodes greedy answers of several caches in lockstep. A cache leaves the batch when its answer ends, or when it has
/// a [`fault`](Cache::fault); such an answer is invalid.
///
/// `first`: logits of each cache's next token, `[caches, vocab]`.
pub fn decode(
    model: &Model,
    caches: &mut [&mut Cache],
    first: &Tensor,
    limits: &AnswerLimits,
) -> candle_core::Result<Vec<Vec<u32>>> {
    // Greedy: the seed is never used.
    let mut greedy = LogitsProcessor::from_sampling(0, Sampling::ArgMax);
    let mut answers = vec![Vec::new(); caches.len()];
    if limits.max_new_tokens == 0 {
        return Ok(answers);
    }
    let mut running: Vec<usize> = (0..caches.len()).collect();
    let mut logits = first.clone();
    loop {
        let mut going_on = Vec::new();
        for (row, &cell) in running.iter().enumerate() {
            let mut logits = logits.i(row)?;
            let cache = &mut caches[cell];
            let values = logits.to_vec1::<f32>()?;
            cache.check_logits(&values, values.len(), cache.seen.saturating_sub(1));
            if cache.fault.is_some() {
                continue;
            }
            if answers[cell].len() < limits.min_new_tokens {
                logits = without(&logits, &limits.stops)?;
            }
            let token = greedy.sample(&logits)?;
            if limits.stops.contains(&token) {
                continue;
            }
            answers[cell].push(token);
            if answers[cell].len() < limits.max_new_tokens {
                going_on.push(cell);
            }
        }
        if going_on.is_empty() {
            return Ok(answers);
        }
        running = going_on;
        let tokens: Vec<u32> = running
            .iter()
            .filter_map(|&cell| answers[cell].last().copied())
            .collect();
        let mut batch: Vec<&mut Cache> = caches
            .iter_mut()
            .enumerate()
            .filter(|(cell, _)| running.contains(cell))
            .map(|(_, cache)| &mut **cache)
            .collect();
        logits = model.step(&tokens, &mut batch)?;
    }
}

/// Logits `[vocab]` with those of `tokens` set to minus infinity. Tokens beyond the vocabulary are ignored.
fn without(logits: &Tensor, tokens: &[u32]) -> candle_core::Result<Tensor> {
    let mut values = logits.to_vec1::<f32>()?;
    for &token in tokens {
        if let Some(value) = values.get_mut(token as usize) {
            *value = f32::NEG_INFINITY;
        }
    }
    Tensor::new(values, logits.device())
}
