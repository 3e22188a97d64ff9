//! Eviction: score entries, rank them for each KV head, keep the best within each layer's budget and the recent
//! window besides. Every method that drops entries after the prefill is this with its own scorer and budget.
//!
//! Only the prompt is evicted from, once; what is decoded later stays. SnapKV and PyramidKV are published so; for
//! StreamingLLM, H2O and TOVA, which also evict while they decode, it is what kvpress and KVCache-Factory do.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;
use strum::{IntoStaticStr, VariantNames};

use super::budget;
use super::group::{self, Grouping};
use super::method::{Knob, Method, Plan};
use super::pool::{Pooling, pool};
use super::ranking::Ranking;
use super::score::{Normalisation, WindowShape, key_norms, window_attention};
use super::select::Ranked;
use super::view::LayerView;
use crate::model::observe::Observe;
use crate::store::Fault;

/// How entries before the recent window are scored; the higher are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scorer {
    /// Attention of the queries in the recent window, of fixed size, in f32, reduced per query head and pooled along
    /// the sequence (SnapKV; TOVA with a window of one).
    Window {
        normalisation: Normalisation,
        pooling: Pooling,
    },
    /// Attention of all queries of the prompt, added up per query head (H2O).
    ColumnSums,
    /// The smaller the norm of its key, the better (Knorm).
    KeyNorm,
    /// Chance, by KV head (a control). `seed` is the method's own, see [`LayerView::seed`].
    Random { seed: u64 },
    /// The first `sinks` entries, then the latest (StreamingLLM).
    Age { sinks: usize },
    /// The earliest entries (the start that CaM keeps).
    First,
}

/// Last tokens that are kept whatever their score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recent {
    /// This many, or all where there are fewer.
    Tokens(usize),
    /// Half of what is kept, rounded up (H2O's and CaM's equal ratios).
    Half,
}

impl Recent {
    /// How many there are under every budget, in a prompt of `len` tokens.
    fn least(self, len: usize) -> usize {
        match self {
            Self::Tokens(tokens) => tokens.min(len),
            Self::Half => 0,
        }
    }

    /// How many there are among `kept` entries of a prompt of `len` tokens.
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
    PyramidKvcf { beta: usize },
    /// PyramidKV as its paper states it.
    PyramidPaper { beta: f64 },
    /// SpindleKV section 3.3.
    SpindleLinear { beta: f64 },
}

/// Where an entry kept by several query heads of one KV head is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, IntoStaticStr, VariantNames)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case", const_into_str)]
pub enum Store {
    /// Once for each query head that keeps it, as SnapKV and PyramidKV are published.
    QueryHead,
    /// Once, with a list per query head.
    KvHead,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Eviction {
    pub scorer: Scorer,
    pub recent: Recent,
    pub grouping: Grouping,
    pub shape: Shape,
    pub store: Store,
}

impl Eviction {
    /// Entries that each query head keeps under every budget, where the prompt has as many, and the setting that says so.
    pub fn always(&self) -> Option<(usize, &'static str)> {
        let always = match (self.scorer, self.recent) {
            (Scorer::Age { sinks }, _) => (sinks, "sinks"),
            (Scorer::ColumnSums, Recent::Tokens(recent)) => (recent, "recent"),
            (_, Recent::Tokens(window)) => (window, "window"),
            (_, Recent::Half) => (0, "recent"),
        };
        (always.0 > 0).then_some(always)
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

    /// Rankings, per KV head, of the entries that some budget could drop: those before the least recent window.
    ///
    /// # Errors
    /// A score that is not finite.
    pub fn rank(&self, layer: LayerView<'_>) -> Result<Vec<Ranked>, Fault> {
        let geometry = layer.geometry();
        let n = layer.len() - self.recent.least(layer.len());
        let scores: Vec<Vec<f32>> = (0..geometry.kv_heads)
            .map(|kv_head| self.scores(kv_head, n, layer))
            .collect();
        if let Some(fault) = scores.iter().find_map(|row| Fault::of_scores(row, n)) {
            return Err(fault.in_layer(layer.layer));
        }
        if !self.scores_query_heads() {
            return Ok(scores.iter().map(|row| Ranked::new(row, 1)).collect());
        }
        let ranked = |scores: &[f32], of: usize| {
            let reduced = group::reduce(scores, of, self.grouping);
            let rows = reduced.chunks_exact(n.max(1));
            let pooled: Vec<f32> = rows.flat_map(|row| self.pooled(row)).collect();
            Ranked::new(&pooled, self.grouping.rows(of))
        };
        Ok(match self.grouping {
            Grouping::Layer => {
                vec![ranked(&scores.concat(), geometry.heads); geometry.kv_heads]
            }
            _ => {
                let of_group = |scores: &Vec<f32>| ranked(scores, geometry.group());
                scores.iter().map(of_group).collect()
            }
        })
    }

    fn scores_query_heads(&self) -> bool {
        matches!(self.scorer, Scorer::Window { .. } | Scorer::ColumnSums)
    }

    fn pooled(&self, row: &[f32]) -> Vec<f32> {
        match self.scorer {
            Scorer::Window { pooling, .. } => pool(row, pooling),
            _ => row.to_vec(),
        }
    }

    /// Scores of the first `n` entries of one KV head, `[group, n]` where query heads score apart, else `[n]`.
    fn scores(&self, kv_head: usize, n: usize, layer: LayerView<'_>) -> Vec<f32> {
        let geometry = layer.geometry();
        match self.scorer {
            Scorer::Window { normalisation, .. } => {
                let shape = WindowShape {
                    group: geometry.group(),
                    window: layer.len() - n,
                    head_dim: geometry.head_dim,
                };
                let queries = layer.window_queries(kv_head, shape.window);
                let keys = layer.kv().keys(kv_head).to_f32();
                window_attention(layer.rule(), &queries, &keys, shape, normalisation)
            }
            Scorer::ColumnSums => {
                let sums = layer.column_sums(kv_head);
                let rows = sums.chunks_exact(layer.len());
                rows.flat_map(|row| row[..n].to_vec()).collect()
            }
            Scorer::KeyNorm => {
                let keys = layer.kv().keys(kv_head).to_f32();
                let norms = key_norms(&keys, geometry.head_dim);
                norms[..n].iter().map(|norm| -norm).collect()
            }
            Scorer::Random { seed } => {
                let mut rng = ChaCha8Rng::seed_from_u64(layer.seed(seed, kv_head));
                (0..n).map(|_| rng.random()).collect()
            }
            Scorer::Age { sinks } => {
                let age = |i: usize| if i < sinks { f32::MAX } else { i as f32 };
                (0..n).map(age).collect()
            }
            Scorer::First => (0..n).map(|i| -(i as f32)).collect(),
        }
    }
}

impl Method for Eviction {
    fn observes(&self) -> Observe {
        match (self.scorer, self.recent) {
            (Scorer::Window { .. }, Recent::Tokens(window)) => Observe {
                window,
                ..Observe::default()
            },
            (Scorer::ColumnSums, _) => Observe {
                column_sums: true,
                ..Observe::default()
            },
            _ => Observe::default(),
        }
    }

    fn knob(&self) -> Knob {
        Knob {
            name: "share",
            smallest: 0.0,
            largest: 1.0,
            cheap: &[],
        }
    }

    fn least(&self, len: usize) -> usize {
        self.always().map_or(1, |(always, _)| always).min(len)
    }

    fn plan<'a>(&'a self, layer: LayerView<'a>) -> Result<Box<dyn Plan + 'a>, Fault> {
        Ok(Box::new(Ranking::new(self, layer)?))
    }
}
