//! Which numbers a row may hold: no column holds NaN, infinity or what no run comes to.

use std::fmt::Display;

use super::bytes::column;
use super::{LayerRecord, Record};

/// Largest count of bytes, entries or tokens: a petabyte, beyond any machine, so that sums over rows stay exact.
const MOST: u64 = 1 << 50;
/// Largest number of layers.
const LAYERS: u64 = 1 << 16;

/// A column's numbers: from, to.
type Bounds = (f64, f64);
/// By how much rounding may take a number out of its range.
const ROUNDING: f64 = 1e-5;

/// A share or a score.
const SHARE: Bounds = (0.0, 1.0);
const COSINE: Bounds = (-1.0, 1.0);
/// A ratio of bytes or counts: entries stored for each query head make it more than 1.
const RATIO: Bounds = (0.0, 1e4);
/// Nats per token.
const NATS: Bounds = (0.0, 1e6);
/// Milliseconds: thirty years.
const TIME: Bounds = (0.0, 1e12);

/// A row whose numbers can be checked.
pub trait Checked {
    /// # Errors
    /// The first column whose number no run comes to: its name, the number, and what was expected.
    fn check(&self) -> Result<(), String>;
}

impl Checked for Record {
    fn check(&self) -> Result<(), String> {
        let numbers = [
            ("retention", self.retention, RATIO),
            ("retention_paper", self.retention_paper, RATIO),
            ("score", self.score, SHARE),
            ("nll", self.nll, NATS),
            ("kl", self.kl, NATS),
            ("agreement", self.agreement, SHARE),
            ("prefill_ms", self.prefill_ms, TIME),
            ("compress_ms", self.compress_ms, TIME),
            ("decode_ms", self.decode_ms, TIME),
            ("nll_greedy", self.nll_greedy, NATS),
            ("kl_greedy", self.kl_greedy, NATS),
            ("agreement_greedy", self.agreement_greedy, SHARE),
        ];
        numbers.iter().try_for_each(number)?;
        let size = |count: Option<usize>| count.map(|count| count as u64);
        let counts = [
            ("prompt_tokens", size(Some(self.prompt_tokens)), MOST),
            ("seen", size(self.seen), MOST),
            ("entries", self.entries, MOST),
            ("bytes_dense", Some(self.bytes_dense), MOST),
            ("bytes_held", self.bytes_held, MOST),
            ("new_tokens", size(self.new_tokens), MOST),
            ("bytes_peak", self.bytes_peak, MOST),
            ("bytes_end", self.bytes_end, MOST),
            ("cut", size(self.cut), MOST),
        ];
        counts.iter().try_for_each(count)
    }
}

impl Checked for LayerRecord {
    fn check(&self) -> Result<(), String> {
        let numbers = [
            ("r1", self.r1, RATIO),
            ("r2", self.r2, RATIO),
            ("r3", self.r3, RATIO),
            ("cosine_min_k", self.cosine_min_k, COSINE),
            ("cosine_min_v", self.cosine_min_v, COSINE),
            ("cosine_mean_k", self.cosine_mean_k, COSINE),
            ("cosine_mean_v", self.cosine_mean_v, COSINE),
        ];
        numbers.iter().try_for_each(number)?;
        let counts = [
            ("layer", Some(self.layer as u64), LAYERS),
            ("entries", Some(self.entries), MOST),
            ("codewords_k", self.codewords_k, MOST),
            ("codewords_v", self.codewords_v, MOST),
            ("bytes_dense", Some(self.bytes_dense), MOST),
        ];
        counts.iter().try_for_each(count)?;
        self.bytes
            .iter()
            .try_for_each(|(content, bytes)| count(&(&column(content), Some(bytes), MOST)))
    }
}

fn number(&(column, value, (from, to)): &(&str, Option<f64>, Bounds)) -> Result<(), String> {
    match value {
        Some(value) if !(from - ROUNDING..=to + ROUNDING).contains(&value) => {
            Err(refusal(column, &shown(value), &from, &to))
        }
        _ => Ok(()),
    }
}

/// A number in few characters.
fn shown(value: f64) -> String {
    match value.abs() < 1e15 {
        true => value.to_string(),
        false => format!("{value:e}"),
    }
}

fn count(&(column, value, most): &(&str, Option<u64>, u64)) -> Result<(), String> {
    match value {
        Some(value) if value > most => Err(refusal(column, &value, &0, &most)),
        _ => Ok(()),
    }
}

fn refusal(column: &str, value: &dyn Display, from: &dyn Display, to: &dyn Display) -> String {
    format!("{column} is `{value}`, expected a number from {from} to {to}")
}
