//! Eviction: scores entries, ranks them for each KV head, and keeps the best within each layer's budget besides the
//! recent window. Every method that drops entries after the prefill is an eviction with its own score and budget.
//!
//! Entries of the prompt are evicted once, after the prefill; decoded entries stay. SnapKV and PyramidKV are published
//! so. StreamingLLM, H2O and TOVA also evict while they decode; kvpress and KVCache-Factory run them as here.

use serde::Deserialize;
use strum::{IntoStaticStr, VariantNames};

use super::budget;
use super::group::{self, Grouping};
use super::method::Knob;
use super::score::Score;
use super::select::Ranked;
use super::view::LayerView;
use crate::store::Fault;

/// Last tokens that are kept whatever their score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recent {
    /// This many, or all where there are fewer.
    Tokens(usize),
    /// Half of what is kept, rounded up (H2O's and CaM's equal ratios).
    Half,
}

impl Recent {
    /// Number of recent entries under every budget, in a prompt of `len` tokens.
    fn least(self, len: usize) -> usize {
        match self {
            Self::Tokens(tokens) => tokens.min(len),
            Self::Half => 0,
        }
    }

    /// Number of recent entries among `kept` entries of a prompt of `len` tokens.
    pub fn among(self, kept: usize, len: usize) -> usize {
        match self {
            Self::Tokens(tokens) => tokens.min(len),
            Self::Half => kept.div_ceil(2),
        }
    }
}

/// How the budget, a share of the prompt on average, is spread over the layers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// The same in each layer.
    Uniform,
    /// KVCache-Factory's integer formula.
    PyramidKvcf {
        /// The deepest layer's budget is the mean one divided by this, the window apart; 20 in the reference.
        beta: usize,
    },
    /// PyramidKV as its paper states it.
    PyramidPaper {
        /// The deepest layer's budget is the mean one divided by this, the window apart; 20 in the paper.
        beta: f64,
    },
    /// SpindleKV section 3.3.
    SpindleLinear {
        /// Least share of the entries before the window that the deepest layer keeps; 0.05 in the paper.
        beta: f64,
    },
}

/// Where an entry kept by several query heads of one KV head is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum StoredFor {
    /// Once for each query head that keeps it, as SnapKV and PyramidKV are published.
    QueryHead,
    /// Once, with a list per query head.
    KvHead,
}

/// Which entries of a prompt are kept: those with the highest scores, within each layer's budget, and the recent
/// window.
#[derive(Debug)]
pub struct Eviction {
    /// What entries are ranked by.
    pub score: Box<dyn Score>,
    /// The recent window, which counts towards the budget.
    pub recent: Recent,
    /// How the mean budget is spread over the layers.
    pub shape: Shape,
    /// Whether an entry is stored once per KV head or once for each query head that keeps it.
    pub store: StoredFor,
}

impl Eviction {
    /// The share of the prompt that is kept, on average.
    pub const KNOB: Knob = Knob {
        name: "share",
        smallest: 0.0,
        largest: 1.0,
        cheap: &[],
    };

    /// Entries that each query head keeps under every budget, where the prompt has as many.
    pub fn always(&self) -> usize {
        self.score.always().max(self.recent.least(usize::MAX))
    }

    /// Fewest entries that each query head keeps in a layer of a prompt of `len` tokens.
    pub fn least(&self, len: usize) -> usize {
        self.always().max(1).min(len)
    }

    /// Entries each query head keeps in this layer, the recent ones included, for a mean share of the prompt.
    pub fn budget(&self, share: f64, layer: LayerView<'_>) -> usize {
        let (len, layers) = (layer.len(), layer.geometry().layers);
        let (window, least) = (self.recent.least(len), self.least(len));
        let capacity = ((share * len as f64).round() as usize).clamp(least, len);
        let budgets = match self.shape {
            Shape::Uniform => budget::uniform(capacity, len, layers),
            Shape::PyramidKvcf { beta } => {
                budget::pyramid_kvcf(capacity, len, window, layers, beta)
            }
            Shape::PyramidPaper { beta } => {
                budget::pyramid_paper(capacity, len, window, layers, beta)
            }
            Shape::SpindleLinear { beta } => {
                budget::spindle_linear(share, len, window, layers, beta)
            }
        };
        budgets[layer.layer].clamp(least, len)
    }

    /// Ranks, per KV head, the entries that some budget could drop: those before the smallest recent window.
    ///
    /// # Errors
    /// A score that is not finite.
    pub fn rank(&self, layer: LayerView<'_>) -> Result<Vec<Ranked>, Fault> {
        let geometry = layer.geometry();
        let n = layer.len() - self.recent.least(layer.len());
        let scores: Vec<Vec<f32>> = (0..geometry.kv_heads)
            .map(|kv_head| self.score.scores(kv_head, n, layer))
            .collect();
        if let Some(fault) = scores.iter().find_map(|row| Fault::of_scores(row, n)) {
            return Err(fault.in_layer(layer.layer));
        }
        let ranked = |scores: &[f32], rows: usize| {
            let each = scores.chunks_exact(n.max(1));
            let smoothed: Vec<f32> = each.flat_map(|row| self.score.smooth(row)).collect();
            Ranked::new(&smoothed, rows)
        };
        let reduced = |scores: &[f32], of: usize, grouping: Grouping| {
            ranked(&group::reduce(scores, of, grouping), grouping.rows(of))
        };
        Ok(match self.score.grouping() {
            None => scores.iter().map(|row| ranked(row, 1)).collect(),
            Some(Grouping::Layer) => {
                let all = reduced(&scores.concat(), geometry.heads, Grouping::Layer);
                vec![all; geometry.kv_heads]
            }
            Some(grouping) => {
                let of_group = |row: &Vec<f32>| reduced(row, geometry.group(), grouping);
                scores.iter().map(of_group).collect()
            }
        })
    }
}
