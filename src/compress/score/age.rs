//! Scores by position in the text.

use super::Score;
use crate::compress::view::LayerView;

/// Ranks the first `sinks` entries highest, then the latest (StreamingLLM).
#[derive(Debug)]
pub struct Latest {
    /// First tokens of the prompt that are always kept (attention sinks); 4 in the paper.
    pub sinks: usize,
}

impl Score for Latest {
    fn scores(&self, _kv_head: usize, n: usize, _layer: LayerView<'_>) -> Vec<f32> {
        let age = |i: usize| match i < self.sinks {
            true => f32::MAX,
            false => i as f32,
        };
        (0..n).map(age).collect()
    }

    fn always(&self) -> usize {
        self.sinks
    }
}

/// Ranks the earliest entries highest (the start that CaM keeps).
#[derive(Debug)]
pub struct Earliest;

impl Score for Earliest {
    fn scores(&self, _kv_head: usize, n: usize, _layer: LayerView<'_>) -> Vec<f32> {
        (0..n).map(|i| -(i as f32)).collect()
    }
}
