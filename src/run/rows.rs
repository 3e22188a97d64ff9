//! Turns outcomes into rows.

use anyhow::{Error, Result};

use super::sample::Outcome;
use crate::compress::ratio::PaperRatio;
use crate::record::{Checked, LayerRecord, Prediction, Record};
use crate::store::StoreType;
use crate::task::{Sample, Task};

/// The record of a cell, filled into `identity`, and its layers.
///
/// # Errors
/// A number outside of its column's range, by name.
pub(super) fn rows(
    identity: Record,
    outcome: &Outcome,
    head_dim: usize,
    store: StoreType,
) -> Result<(Record, Vec<LayerRecord>)> {
    let paper: Vec<PaperRatio> = outcome
        .layers
        .iter()
        .map(|layer| PaperRatio::new(layer.footprint, layer.entries_dense, head_dim, store))
        .collect();
    let layers: Vec<LayerRecord> = outcome
        .layers
        .iter()
        .zip(&paper)
        .enumerate()
        .map(|(i, (layer, paper))| {
            let [keys, values] = layer.cosines;
            LayerRecord {
                model: identity.model.clone(),
                dtype: identity.dtype.clone(),
                compress_at: identity.compress_at.clone(),
                method: identity.method.clone(),
                settings: identity.settings.clone(),
                task: identity.task.clone(),
                sample: identity.sample.clone(),
                layer: i,
                entries: layer.footprint.entries,
                codewords_k: keys.map(|_| layer.footprint.codewords_k),
                codewords_v: values.map(|_| layer.footprint.codewords_v),
                bytes_dense: layer.bytes_dense,
                bytes: layer.footprint.bytes,
                r1: Some(paper.r1),
                r2: paper.r2,
                r3: paper.r3,
                cosine_min_k: keys.map(|cosines| cosines.min.into()),
                cosine_min_v: values.map(|cosines| cosines.min.into()),
                cosine_mean_k: keys.map(|cosines| cosines.mean.into()),
                cosine_mean_v: values.map(|cosines| cosines.mean.into()),
            }
        })
        .collect();
    let record = Record {
        seen: Some(outcome.seen),
        entries: Some(outcome.held.entries),
        bytes_dense: outcome.bytes_dense,
        bytes_held: Some(outcome.held.bytes.total()),
        retention: Some(outcome.held.bytes.total() as f64 / outcome.bytes_dense as f64),
        retention_paper: Some(
            paper.iter().map(|paper| paper.ratio).sum::<f64>() / paper.len() as f64,
        ),
        score: outcome.score,
        new_tokens: Some(outcome.new_tokens),
        nll: outcome.nll,
        kl: outcome.fidelity.map(|fidelity| fidelity.kl),
        agreement: outcome.fidelity.map(|fidelity| fidelity.agreement),
        nll_greedy: outcome.fidelity_greedy.map(|fidelity| fidelity.nll),
        kl_greedy: outcome.fidelity_greedy.map(|fidelity| fidelity.kl),
        agreement_greedy: outcome.fidelity_greedy.map(|fidelity| fidelity.agreement),
        prefill_ms: Some(outcome.prefill_ms),
        compress_ms: Some(outcome.compress_ms),
        decode_ms: Some(outcome.decode_ms),
        bytes_peak: Some(outcome.bytes_peak),
        bytes_end: Some(outcome.bytes_end),
        saturated: Some(outcome.saturated),
        ..identity
    };
    let wrong = std::iter::once(record.check()).chain(layers.iter().map(Checked::check));
    wrong.collect::<Result<(), String>>().map_err(Error::msg)?;
    Ok((record, layers))
}

/// The prediction of a cell: what it answered, and the right answers.
pub(super) fn prediction(
    identity: &Record,
    task: &dyn Task,
    sample: &Sample,
    outcome: Outcome,
) -> Prediction {
    let other_scores = task.other_scores(&outcome.response).into_iter();
    Prediction {
        task: identity.task.clone(),
        sample: identity.sample.clone(),
        method: identity.method.clone(),
        settings: identity.settings.clone(),
        compress_at: identity.compress_at.clone(),
        answers: sample.answers.clone(),
        other_scores: other_scores
            .map(|(name, score)| (name.to_string(), score))
            .collect(),
        response: outcome.response,
        score: outcome.score,
    }
}
