//! Feeds given tokens to many caches at once, whatever the model would have said: questions, and answers to be scored.

use std::ops::Range;

use candle_core::{Device, Result, Tensor};

use crate::model::decoder::{Model, Sequence};
use crate::store::Cache;

/// Tokens per batch: enough for fast products, few enough that their logits take little memory beside the model.
const BATCH: usize = 256;

/// Feeds `tokens` to each cache. Returns the logits after the last of them, `[vocab]` for each cache. Those of a cache
/// with a [`fault`](Cache::fault) are invalid.
pub fn extend(model: &Model, caches: &mut [&mut Cache], tokens: &[u32]) -> Result<Vec<Vec<f32>>> {
    let mut after = Vec::with_capacity(caches.len());
    for batch in caches.chunks_mut((BATCH / tokens.len()).max(1)) {
        let logits = feed(model, batch, tokens, 1)?.to_vec2::<f32>()?;
        for (cache, logits) in batch.iter_mut().zip(&logits) {
            cache.check_logits(logits, logits.len(), cache.seen - 1);
        }
        after.extend(logits);
    }
    Ok(after)
}

/// Teacher forcing: feeds `continuation` to a fork of each cache and calls `see` for each cache in turn with the logits
/// before each of the tokens `scored`, `[vocab]` each. Skips a cache with a [`fault`](Cache::fault). `first`: each
/// cache's logits before the first token of `continuation`.
pub fn forced(
    model: &Model,
    caches: &mut [&mut Cache],
    first: &[Vec<f32>],
    continuation: &[u32],
    scored: Range<usize>,
    mut see: impl FnMut(usize, &[&[f32]]),
) -> Result<()> {
    // Neither the last scored token nor those after it are fed: only logits before scored tokens are needed.
    let fed = &continuation[..scored.end.saturating_sub(1)];
    let wanted = scored.end.saturating_sub(scored.start.max(1));
    let per_batch = (BATCH / fed.len().max(1)).max(1);
    for (number, batch) in caches.chunks_mut(per_batch).enumerate() {
        let logits = match wanted {
            0 => Vec::new(),
            _ => {
                let mut forks: Vec<Cache> = batch.iter().map(|cache| cache.fork()).collect();
                let logits = feed(
                    model,
                    &mut forks.iter_mut().collect::<Vec<_>>(),
                    fed,
                    wanted,
                )?;
                for (cache, fork) in batch.iter_mut().zip(forks) {
                    cache.note(fork.fault);
                }
                logits.to_vec2::<f32>()?
            }
        };
        for i in 0..batch.len() {
            let cell = number * per_batch + i;
            let of_cell = &logits[i * wanted..(i + 1) * wanted];
            let token = batch[i].seen + fed.len() - wanted;
            for (row, logits) in of_cell.iter().enumerate() {
                batch[i].check_logits(logits, logits.len(), token + row);
            }
            if batch[i].fault.is_some() {
                continue;
            }
            let before = (scored.start == 0).then_some(&first[cell]);
            let rows = before.into_iter().chain(of_cell);
            see(cell, &rows.map(Vec::as_slice).collect::<Vec<_>>());
        }
    }
    Ok(())
}

/// Feeds tokens to all caches and returns the logits of the `wanted` last ones, cache after cache,
/// `[caches * wanted, vocab]`, on the host. Splits the tokens into parts of at most [`Cache::chunk`], so that no cache
/// has to rewrite itself within a part.
fn feed(model: &Model, caches: &mut [&mut Cache], tokens: &[u32], wanted: usize) -> Result<Tensor> {
    let (mut rest, mut parts) = (tokens, Vec::new());
    while !rest.is_empty() {
        let chunk = caches.iter().map(|cache| cache.chunk()).min();
        let (part, after) = rest.split_at(chunk.unwrap_or(rest.len()).min(rest.len()));
        rest = after;
        let mut sequences: Vec<Sequence<'_>> = caches
            .iter_mut()
            .map(|cache| Sequence {
                tokens: part,
                cache,
            })
            .collect();
        let here = wanted.saturating_sub(rest.len()).min(part.len());
        let logits = model.extend(&mut sequences, here)?;
        if here > 0 {
            parts.push(logits.reshape((caches.len(), here, ()))?);
        }
    }
    let logits = Tensor::cat(&parts, 1)?;
    logits.flatten(0, 1)?.to_device(&Device::Cpu)
}
