//! One sample: one prefill, every cell compressed from it, all answers decoded together.

use std::time::Instant;

use anyhow::Result;
use candle_core::{Device, Tensor};

use super::fidelity::{Fidelity, FullCache, mean_nll};
use crate::cache::{Cache, Footprint, StoreType};
use crate::experiment::CompressAt;
use crate::generate::{
    Cell, CellCache, LayerFacts, Limits, compress_each, decode, extend, forced, milliseconds,
};
use crate::load::Loaded;
use crate::model::observe::{Observe, Prefilled};
use crate::profile::{Stage, stage};
use crate::task::{Sample, Task};

/// What one cell made of a sample.
pub struct Outcome {
    pub layers: Vec<LayerFacts>,
    pub held: Footprint,
    pub bytes_dense: u64,
    /// See [`CellCache::bytes_peak`].
    pub bytes_peak: u64,
    /// Held when the answer ended.
    pub bytes_end: u64,
    pub seen: usize,
    pub response: String,
    /// None where nothing was to be generated.
    pub score: Option<f64>,
    pub new_tokens: usize,
    /// Negative log-likelihood of the right answer, nats per token.
    pub nll: f64,
    /// Over the right answer; none where it was not asked for.
    pub fidelity: Option<Fidelity>,
    /// Over the full cache's own answer, where there is one.
    pub fidelity_greedy: Option<Fidelity>,
    pub prefill_ms: f64,
    pub compress_ms: f64,
    pub decode_ms: f64,
}

/// Runs the cells on one sample, and compares each with the full cache where `fidelity` is asked for. A cell that cannot
/// be compressed as asked is an error of its own. Cells are answered in groups, each as soon as its caches together are
/// as large as the dense one, so that they are not all held at once.
///
/// The prefill goes on from what an `earlier` prompt has in common with this one, and is given back for the next.
pub fn run_sample(
    (loaded, task): (&Loaded, &dyn Task),
    sample: &Sample,
    earlier: Option<Prefilled>,
    cells: &[&Cell],
    (at, fidelity): (CompressAt, bool),
    store: StoreType,
) -> Result<(Vec<Result<Outcome>>, Prefilled)> {
    let model = &loaded.model;
    let observe = cells
        .iter()
        .map(|cell| cell.observes())
        .fold(Observe::default(), Observe::union);
    let (compressed, rest) = match at {
        CompressAt::Prompt => ([&sample.context[..], &sample.question].concat(), &[][..]),
        CompressAt::Context => (sample.context.clone(), &sample.question[..]),
    };
    let start = Instant::now();
    let prefilled = stage(Stage::Prefill, || {
        model.prefill_after(earlier, &compressed, observe, store)
    })?;
    let prefill_ms = milliseconds(start);
    let limits = Limits {
        stops: [loaded.tokenizer.stop_ids(), &sample.stops].concat(),
        min_new_tokens: sample.min_new_tokens,
        max_new_tokens: sample.max_new_tokens,
    };
    let reference = (&sample.reference[..], sample.reference_scored.clone());
    let full_cache = || FullCache::new(model, &prefilled, rest, reference, &limits);
    let full = fidelity.then(|| stage(Stage::Force, full_cache));
    let common = Common {
        full: full.transpose()?,
        limits,
        loaded,
        task,
        sample,
        rest,
        bytes_dense: prefilled.bytes_dense(),
        prefill_ms,
    };
    let mut outcomes = Vec::with_capacity(cells.len());
    let mut group: Vec<Result<CellCache>> = Vec::new();
    compress_each(model, &prefilled, cells, |made| {
        group.push(made);
        let own = |cell: &CellCache| cell.cache.bytes_own();
        if group.iter().flatten().map(own).sum::<u64>() >= common.bytes_dense {
            outcomes.extend(common.answer(std::mem::take(&mut group))?);
        }
        anyhow::Ok(())
    })?;
    outcomes.extend(common.answer(group)?);
    Ok((outcomes, prefilled))
}

/// What the cells of a sample have in common.
struct Common<'a> {
    loaded: &'a Loaded,
    task: &'a dyn Task,
    sample: &'a Sample,
    /// Tokens of the prompt that were not compressed.
    rest: &'a [u32],
    /// Where an answer ends.
    limits: Limits,
    full: Option<FullCache>,
    bytes_dense: u64,
    prefill_ms: f64,
}

impl Common<'_> {
    /// Scores and decodes several caches together.
    fn answer(&self, mut made: Vec<Result<CellCache>>) -> Result<Vec<Result<Outcome>>> {
        let Loaded {
            model, tokenizer, ..
        } = self.loaded;
        let sample = self.sample;
        let mut first: Vec<Vec<f32>> = made
            .iter_mut()
            .flatten()
            .map(|cell| std::mem::take(&mut cell.logits))
            .collect();
        let mut caches: Vec<&mut Cache> = made
            .iter_mut()
            .flatten()
            .map(|cell| &mut cell.cache)
            .collect();
        if caches.is_empty() {
            let failed = made.into_iter().filter_map(Result::err);
            return Ok(failed.map(Err).collect());
        }
        if !self.rest.is_empty() {
            first = stage(Stage::Force, || extend(model, &mut caches, self.rest))?;
        }
        let likely = stage(Stage::Force, || self.likely(&mut caches, &first))?;
        let start = Instant::now();
        let first = Tensor::new(first, &Device::Cpu)?;
        let answers = stage(Stage::Decode, || {
            decode(model, &mut caches, &first, &self.limits)
        })?;
        let decode_ms = milliseconds(start);

        let mut results = answers.into_iter().zip(likely);
        let outcome = |cell: Result<CellCache>| {
            let cell = match cell {
                Ok(cell) => cell,
                Err(error) => return Ok(Err(error)),
            };
            let Some((answer, likely)) = results.next() else {
                anyhow::bail!("fewer answers than cells");
            };
            let response = tokenizer.decode_cleaned(&answer)?;
            Ok(Ok(Outcome {
                held: cell.layers.iter().map(|layer| layer.footprint).sum(),
                layers: cell.layers,
                bytes_dense: self.bytes_dense,
                bytes_peak: cell.bytes_peak,
                bytes_end: cell.cache.footprint().bytes(),
                seen: cell.cache.seen,
                score: (sample.max_new_tokens > 0).then(|| self.task.score(sample, &response)),
                response,
                new_tokens: answer.len(),
                nll: likely.nll,
                fidelity: likely.reference,
                fidelity_greedy: likely.greedy,
                prefill_ms: self.prefill_ms,
                compress_ms: cell.compress_ms,
                decode_ms,
            }))
        };
        made.into_iter().map(outcome).collect()
    }

    /// How likely each cache finds the given answers. `first`: its logits before them.
    fn likely(&self, caches: &mut [&mut Cache], first: &[Vec<f32>]) -> Result<Vec<Likely>> {
        let model = &self.loaded.model;
        let scored = self.sample.reference_scored.clone();
        let Some(full) = &self.full else {
            let reference = &self.sample.reference;
            let right = &reference[scored.clone()];
            let mut likely = Vec::with_capacity(caches.len());
            forced(model, caches, first, reference, scored, |_, logits| {
                likely.push(Likely {
                    nll: mean_nll(logits, right),
                    ..Likely::default()
                });
            })?;
            return Ok(likely);
        };
        let reference = full.reference.compare(model, caches, first)?;
        let mut likely: Vec<Likely> = reference
            .into_iter()
            .map(|fidelity| Likely {
                nll: fidelity.nll,
                reference: Some(fidelity),
                greedy: None,
            })
            .collect();
        if let Some(answer) = &full.greedy {
            let greedy = answer.compare(model, caches, first)?;
            for (likely, fidelity) in likely.iter_mut().zip(greedy) {
                likely.greedy = Some(fidelity);
            }
        }
        Ok(likely)
    }
}

/// What one cache makes of the given answers.
#[derive(Default)]
struct Likely {
    nll: f64,
    reference: Option<Fidelity>,
    greedy: Option<Fidelity>,
}
