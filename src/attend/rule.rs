//! How a layer attends, and how its tokens come.

use std::f32::consts::LOG2_E;
use std::sync::Arc;

use super::rope::Rope;

/// How a layer attends.
#[derive(Clone)]
pub struct Rule {
    /// What products of queries and keys are multiplied by: `1 / sqrt(head_dim)` but for few models.
    pub scale: f32,
    /// Scores are bounded by `softcap * tanh(score / softcap)` (Gemma 2).
    pub softcap: Option<f32>,
    /// A token sees itself and the tokens before it, so many in all.
    pub window: Option<usize>,
    /// None: positions play no part (NoPE).
    pub rope: Option<Arc<Rope>>,
}

impl Rule {
    /// The usual one: scores over the root of the head dimension, no cap and no window.
    pub fn new(head_dim: usize, rope: Option<Arc<Rope>>) -> Self {
        Self {
            scale: 1.0 / (head_dim as f32).sqrt(),
            softcap: None,
            window: None,
            rope,
        }
    }

    /// Bounds scores, which are multiplied by `log2 e`, by the soft cap.
    pub(crate) fn cap(&self, scores: &mut [f32]) {
        if let Some(cap) = self.softcap {
            let cap = cap * LOG2_E;
            scores.iter_mut().for_each(|s| *s = cap * (*s / cap).tanh());
        }
    }

    /// The first position that a token at `position` sees through the window.
    pub(crate) fn first_seen(&self, position: usize) -> usize {
        let beyond = self
            .window
            .map(|window| (position + 1).saturating_sub(window));
        beyond.unwrap_or(0)
    }
}

/// How new tokens come. It decides how they attend, never how many there are: so what a token's result is does not
/// depend on which others are processed beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Successive tokens of a text that is there already: a prompt, a question, an answer that is scored.
    Sequence,
    /// One token, just generated.
    Step,
}
