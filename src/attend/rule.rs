//! The rule that a layer attends by, and how its tokens come.

use std::f32::consts::LOG2_E;
use std::sync::Arc;

use super::rope::Rope;

/// The rule that a layer attends by.
#[derive(Clone)]
pub struct Rule {
    /// Factor on the products of queries and keys: `1 / sqrt(head_dim)` in most models.
    pub scale: f32,
    /// Soft cap: scores become `softcap * tanh(score / softcap)` (Gemma 2).
    pub softcap: Option<f32>,
    /// Number of tokens that a token sees, itself included. None: all before it.
    pub window: Option<usize>,
    /// Rotary embedding. None: positions have no effect (NoPE).
    pub rope: Option<Arc<Rope>>,
}

impl Rule {
    /// The rule of most models: scale `1 / sqrt(head_dim)`, no cap, no window.
    pub fn new(head_dim: usize, rope: Option<Arc<Rope>>) -> Self {
        Self {
            scale: 1.0 / (head_dim as f32).sqrt(),
            softcap: None,
            window: None,
            rope,
        }
    }

    /// The soft cap of scores that are multiplied by `log2 e`.
    pub(crate) fn softcap(&self) -> Softcap {
        Softcap(self.softcap.map(|cap| cap * LOG2_E))
    }

    /// The first position that a token at `position` sees through the window.
    pub(crate) fn first_seen(&self, position: usize) -> usize {
        let beyond = self
            .window
            .map(|window| (position + 1).saturating_sub(window));
        beyond.unwrap_or(0)
    }
}

/// A bound of scores: `cap * tanh(score / cap)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Softcap(Option<f32>);

impl Softcap {
    /// Bounds each score.
    pub(crate) fn apply(self, scores: &mut [f32]) {
        if let Some(cap) = self.0 {
            scores.iter_mut().for_each(|s| *s = cap * (*s / cap).tanh());
        }
    }
}

/// How new tokens come. It sets the order of the arithmetic; the number of tokens does not. A token's result is
/// therefore batch-invariant: it does not depend on the tokens processed beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Successive tokens of a given text: a prompt, a question, an answer that is scored.
    Sequence,
    /// One token, just generated.
    Step,
}
