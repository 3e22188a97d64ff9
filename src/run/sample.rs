//! One sample: one prefill, every cell compressed from it, all answers decoded together.

use std::time::Instant;

use anyhow::Result;
use candle_core::{Device, IndexOp, Tensor};

use crate::cache::{Cache, Footprint, StoreType};
use crate::experiment::CompressAt;
use crate::generate::{Cell, CellCache, LayerFacts, Limits, compress, decode, milliseconds};
use crate::load::Loaded;
use crate::model::observe::Observe;
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
    pub score: f64,
    pub new_tokens: usize,
    /// Negative log-likelihood of the right answer, nats per token.
    pub nll: f64,
    pub prefill_ms: f64,
    pub compress_ms: f64,
    pub decode_ms: f64,
}

/// Runs the cells on one sample. A cell that cannot be compressed as asked is an error of its own.
pub fn run_sample(
    loaded: &Loaded,
    task: &dyn Task,
    sample: &Sample,
    cells: &[&Cell],
    at: CompressAt,
    store: StoreType,
) -> Result<Vec<Result<Outcome>>> {
    let Loaded { model, tokenizer } = loaded;
    let observe = cells
        .iter()
        .map(|cell| cell.observes())
        .fold(Observe::default(), Observe::union);
    let (compressed, rest) = match at {
        CompressAt::Prompt => ([&sample.context[..], &sample.question].concat(), &[][..]),
        CompressAt::Context => (sample.context.clone(), &sample.question[..]),
    };
    let start = Instant::now();
    let prefilled = model.prefill(&compressed, observe, store)?;
    let prefill_ms = milliseconds(start);
    let bytes_dense = prefilled.bytes_dense();

    let mut made = compress(model, &prefilled, cells);
    let mut first = Vec::new();
    let mut nll = Vec::new();
    for cell in made.iter_mut().flatten() {
        let logits = match rest {
            [] => Tensor::new(&cell.logits[..], &Device::Cpu)?,
            question => {
                let logits = model
                    .extend(question, &mut cell.cache)?
                    .to_device(&Device::Cpu)?;
                logits.i(question.len() - 1)?
            }
        };
        nll.push(answer_nll(loaded, sample, &cell.cache, &logits)?);
        first.push(logits);
    }
    let start = Instant::now();
    let mut caches: Vec<&mut Cache> = made
        .iter_mut()
        .flatten()
        .map(|cell| &mut cell.cache)
        .collect();
    let answers = match first.is_empty() {
        true => Vec::new(),
        false => {
            let first = Tensor::stack(&first, 0)?;
            let limits = Limits {
                stops: [tokenizer.stop_ids(), &sample.stops].concat(),
                min_new_tokens: sample.min_new_tokens,
                max_new_tokens: sample.max_new_tokens,
            };
            decode(model, &mut caches, &first, &limits)?
        }
    };
    let decode_ms = milliseconds(start);

    let mut results = answers.into_iter().zip(nll);
    made.into_iter()
        .map(|cell| {
            let cell = match cell {
                Ok(cell) => cell,
                Err(error) => return Ok(Err(error)),
            };
            let Some((answer, nll)) = results.next() else {
                anyhow::bail!("fewer answers than cells");
            };
            let CellCache {
                cache,
                layers,
                bytes_peak,
                compress_ms,
                ..
            } = cell;
            let response = tokenizer.decode(&answer, true)?;
            Ok(Ok(Outcome {
                held: layers.iter().map(|layer| layer.footprint).sum(),
                layers,
                bytes_dense,
                bytes_peak,
                bytes_end: cache.footprint().bytes(),
                seen: cache.seen,
                score: task.score(sample, &response),
                response,
                new_tokens: answer.len(),
                nll,
                prefill_ms,
                compress_ms,
                decode_ms,
            }))
        })
        .collect()
}

/// Teacher forcing: the right answer is fed token by token whatever the model would have said. `first` are the
/// logits before its first token. Counts the tokens that carry the answer.
fn answer_nll(loaded: &Loaded, sample: &Sample, cache: &Cache, first: &Tensor) -> Result<f64> {
    let scored = sample.reference_scored.clone();
    let fed = &sample.reference[..scored.end - 1];
    let mut rows = first.unsqueeze(0)?;
    if !fed.is_empty() {
        let logits = loaded
            .model
            .extend(fed, &mut cache.clone())?
            .to_device(&Device::Cpu)?;
        rows = Tensor::cat(&[rows, logits], 0)?;
    }
    let mut total = 0.0;
    for place in scored.clone() {
        let row = rows.i(place)?;
        let log_sum = row.log_sum_exp(0)?.to_scalar::<f32>()?;
        let logit = row
            .i(sample.reference[place] as usize)?
            .to_scalar::<f32>()?;
        total += f64::from(log_sum - logit);
    }
    Ok(total / scored.len() as f64)
}
