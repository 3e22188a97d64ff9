//! One sample: one prefill, every cell compressed from it, all answers decoded together.

use std::time::Instant;

use anyhow::{Error, Result};
use candle_core::{Device, Tensor};

use super::fidelity::{Fidelity, FullCache, mean_nll};
use crate::compress::draws;
use crate::experiment::{CompressAt, Experiment, ExperimentFile};
use crate::generate::{
    AnswerLimits, Cell, CellCache, LayerFacts, compress_each, decode, extend, forced, in_order,
    milliseconds,
};
use crate::load::Loaded;
use crate::model::observe::{Observe, Prefilled};
use crate::profile::{Stage, stage};
use crate::store::{Cache, Footprint};
use crate::task::{Sample, Task};

/// What one cell made of a sample.
pub(super) struct Outcome {
    pub layers: Vec<LayerFacts>,
    pub held: Footprint,
    pub bytes_dense: u64,
    /// See [`CellCache::saturated`].
    pub saturated: bool,
    /// See [`CellCache::bytes_peak`].
    pub bytes_peak: u64,
    /// Bytes held when the answer ended.
    pub bytes_end: u64,
    pub seen: usize,
    pub response: String,
    /// The metric's score. None if nothing was to be generated.
    pub score: Option<f64>,
    pub new_tokens: usize,
    /// Negative log-likelihood of the right answer, nats per token. None if the sample has no tokens of one.
    pub nll: Option<f64>,
    /// Fidelity over the right answer. None if it was not asked for, or if there is no right answer.
    pub fidelity: Option<Fidelity>,
    /// Fidelity over the full cache's own answer. None if it was not asked for, or if that answer is empty.
    pub fidelity_greedy: Option<Fidelity>,
    pub prefill_ms: f64,
    pub compress_ms: f64,
    pub decode_ms: f64,
}

/// One sample under one choice of what is compressed.
#[derive(Clone, Copy)]
pub(super) struct SampleRun<'a> {
    pub experiment: &'a Experiment,
    pub loaded: &'a Loaded,
    pub task: &'a dyn Task,
    pub sample: &'a Sample,
    pub at: CompressAt,
}

impl SampleRun<'_> {
    /// Runs `cells`, and compares each with the full cache if the experiment asks for fidelity. A cell that cannot be
    /// compressed as asked, or that meets a value that is not finite, gives an error of its own. Cells are answered in
    /// groups, so that not all caches are held at once: a group is full when its caches together have as many bytes as
    /// the dense one.
    ///
    /// The prefill reuses the prefix that the prompt shares with that of `earlier`. It is returned for the next sample.
    ///
    /// # Errors
    /// An error that ends every cell of the sample: a prompt without tokens or longer than the model's context, a
    /// prefill that is not finite, a full cache with a fault.
    pub(super) fn run(
        &self,
        cells: &[&Cell],
        earlier: Option<Prefilled>,
    ) -> Result<(Vec<Result<Outcome>>, Prefilled)> {
        let Self {
            experiment,
            loaded,
            task,
            sample,
            at,
        } = *self;
        let model = &loaded.model;
        let (store, ExperimentFile { fidelity, seed, .. }) = (experiment.store, &experiment.file);
        let observe = cells
            .iter()
            .map(|cell| cell.observes())
            .fold(Observe::default(), Observe::union);
        let (compressed, rest) = match at {
            CompressAt::Prompt => ([&sample.context[..], &sample.question].concat(), &[][..]),
            CompressAt::Context => (sample.context.clone(), &sample.question[..]),
        };
        if compressed.is_empty() {
            anyhow::bail!("the {} has no tokens, expected at least 1", at.name());
        }
        let start = Instant::now();
        let prefilled = stage(Stage::Prefill, || {
            model.prefill_after(earlier, &compressed, observe, store)
        })?;
        let prefill_ms = milliseconds(start);
        let limits = AnswerLimits {
            stops: [loaded.tokenizer.stop_ids(), &sample.stops].concat(),
            min_new_tokens: sample.min_new_tokens,
            max_new_tokens: sample.max_new_tokens,
        };
        let full_cache = || FullCache::new(model, &prefilled, rest, sample, &limits);
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
        let (mut numbers, mut group) = (Vec::with_capacity(cells.len()), Vec::new());
        let draws = draws::of_sample(*seed, task.name(), &sample.id);
        compress_each(model, &prefilled, cells, draws, |number, made| {
            numbers.push(number);
            group.push(made);
            let own = |cell: &CellCache| cell.cache.bytes_own();
            if group.iter().flatten().map(own).sum::<u64>() >= common.bytes_dense {
                outcomes.extend(common.answer(std::mem::take(&mut group))?);
            }
            anyhow::Ok(())
        })?;
        outcomes.extend(common.answer(group)?);
        let numbered = numbers.into_iter().zip(outcomes).collect();
        Ok((in_order(numbered), prefilled))
    }
}

/// What the cells of a sample have in common.
struct Common<'a> {
    loaded: &'a Loaded,
    task: &'a dyn Task,
    sample: &'a Sample,
    /// Tokens of the prompt that were not compressed.
    rest: &'a [u32],
    /// Where an answer ends.
    limits: AnswerLimits,
    full: Option<FullCache>,
    bytes_dense: u64,
    prefill_ms: f64,
}

impl Common<'_> {
    /// Scores and decodes several caches together. A cache that meets a value that is not finite gives an error of its
    /// own.
    fn answer(&self, mut made: Vec<Result<CellCache>>) -> Result<Vec<Result<Outcome>>> {
        let Loaded {
            model, tokenizer, ..
        } = self.loaded;
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
        let mut faults: Vec<Option<Error>> = caches.iter().map(|_| None).collect();
        if !self.rest.is_empty() {
            first = stage(Stage::Force, || extend(model, &mut caches, self.rest))?;
            note_faults("question", &caches, &mut faults);
        }
        let likely = stage(Stage::Force, || self.likely(&mut caches, &first))?;
        note_faults("scoring", &caches, &mut faults);
        let start = Instant::now();
        let first = Tensor::new(first, &Device::Cpu)?;
        let answers = stage(Stage::Decode, || {
            decode(model, &mut caches, &first, &self.limits)
        })?;
        note_faults("decoding", &caches, &mut faults);
        let decode_ms = milliseconds(start);

        let mut results = answers.into_iter().zip(likely).zip(faults);
        let outcome = |cell: Result<CellCache>| {
            let cell = match cell {
                Ok(cell) => cell,
                Err(error) => return Ok(Err(error)),
            };
            let Some(((answer, likely), fault)) = results.next() else {
                anyhow::bail!("fewer answers than cells");
            };
            if let Some(fault) = fault {
                return Ok(Err(fault));
            }
            let response = tokenizer.decode_cleaned(&answer)?;
            Ok(self.outcome(cell, response, answer.len(), likely, decode_ms))
        };
        made.into_iter().map(outcome).collect()
    }

    /// Assembles the outcome of a cell.
    ///
    /// # Errors
    /// A likelihood that is not finite.
    fn outcome(
        &self,
        cell: CellCache,
        response: String,
        new_tokens: usize,
        likely: Likely,
        decode_ms: f64,
    ) -> Result<Outcome> {
        likely.check()?;
        let scored = self.sample.max_new_tokens > 0;
        Ok(Outcome {
            held: cell.layers.iter().map(|layer| layer.footprint).sum(),
            layers: cell.layers,
            bytes_dense: self.bytes_dense,
            saturated: cell.saturated,
            bytes_peak: cell.bytes_peak,
            bytes_end: cell.cache.footprint().bytes.total(),
            seen: cell.cache.seen,
            score: scored.then(|| self.task.score(self.sample, &response)),
            response,
            new_tokens,
            nll: likely.nll,
            fidelity: likely.reference,
            fidelity_greedy: likely.greedy,
            prefill_ms: self.prefill_ms,
            compress_ms: cell.compress_ms,
            decode_ms,
        })
    }

    /// Scores the given answers under each cache. `first`: the caches' logits before the answers. A cache with a fault
    /// gets no numbers.
    fn likely(&self, caches: &mut [&mut Cache], first: &[Vec<f32>]) -> Result<Vec<Likely>> {
        let model = &self.loaded.model;
        let mut likely = vec![Likely::default(); caches.len()];
        let Some(full) = &self.full else {
            let Sample {
                reference,
                reference_scored: scored,
                ..
            } = self.sample;
            let right = &reference[scored.clone()];
            if !right.is_empty() {
                let scored = scored.clone();
                forced(model, caches, first, reference, scored, |cell, logits| {
                    likely[cell].nll = Some(mean_nll(logits, right));
                })?;
            }
            return Ok(likely);
        };
        if let Some(reference) = &full.reference {
            let found = reference.compare(model, caches, first)?;
            for (likely, fidelity) in likely.iter_mut().zip(found) {
                likely.nll = fidelity.map(|fidelity| fidelity.nll);
                likely.reference = fidelity;
            }
        }
        if let Some(answer) = &full.greedy {
            let found = answer.compare(model, caches, first)?;
            for (likely, fidelity) in likely.iter_mut().zip(found) {
                likely.greedy = fidelity;
            }
        }
        Ok(likely)
    }
}

/// Turns the fault of each cache that has one, and had none before this `stage`, into an error.
fn note_faults(stage: &'static str, caches: &[&mut Cache], faults: &mut [Option<Error>]) {
    for (cache, noted) in caches.iter().zip(faults) {
        if let (Some(fault), None) = (&cache.fault, &noted) {
            *noted = Some(Error::new(fault.clone()).context(stage));
        }
    }
}

/// Scores of the given answers under one cache.
#[derive(Debug, Clone, Copy, Default)]
struct Likely {
    nll: Option<f64>,
    reference: Option<Fidelity>,
    greedy: Option<Fidelity>,
}

impl Likely {
    /// # Errors
    /// A number that is not finite.
    fn check(&self) -> Result<()> {
        let of = |fidelity: Option<Fidelity>| fidelity.map(|f| [f.nll, f.kl, f.agreement]);
        let numbers = [self.reference, self.greedy].into_iter().filter_map(of);
        if numbers.flatten().chain(self.nll).all(f64::is_finite) {
            return Ok(());
        }
        anyhow::bail!("scoring: the likelihood of an answer is not finite")
    }
}
