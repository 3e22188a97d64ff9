//! Eviction: score entries, rank them for each KV head, keep the best within each layer's budget and the recent
//! window besides. Every method that drops entries after the prefill is this with its own scorer and budget.

use super::budget;
use super::group::{self, Grouping};
use super::method::{Compressed, Knob, Method, Plan};
use super::pool::{Pooling, pool};
use super::score::{Normalisation, WindowShape, window_attention};
use super::select::Ranked;
use super::view::LayerView;
use crate::cache::{EvictedKv, Footprint, Indices, Prefix, places};
use crate::model::observe::Observe;

/// How entries before the recent window are scored; the higher are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scorer {
    /// Attention of the window's queries, in f32, reduced per query head and pooled along the sequence.
    Window {
        normalisation: Normalisation,
        pooling: Pooling,
    },
    /// The first `sinks` entries, then the latest (StreamingLLM).
    Age { sinks: usize },
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// Once, with a list per query head.
    KvHead,
    /// Once for each query head that keeps it, as SnapKV and PyramidKV are published.
    QueryHead,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Eviction {
    pub scorer: Scorer,
    /// Last tokens that are kept whatever their score; their queries score the rest.
    pub window: usize,
    pub grouping: Grouping,
    pub shape: Shape,
    pub store: Store,
}

impl Eviction {
    /// Entries each query head keeps in this layer, window included, for a mean share of the prompt.
    pub fn budget(&self, share: f64, layer: LayerView<'_>) -> usize {
        let (len, layers) = (layer.len(), layer.geometry().layers);
        let window = self.window.min(len);
        let capacity = ((share * len as f64).round() as usize).clamp(window, len);
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
        budgets[layer.layer].clamp(window, len)
    }

    /// Rankings of the entries before the window, per KV head.
    pub fn rank(&self, layer: LayerView<'_>) -> Vec<Ranked> {
        let geometry = layer.geometry();
        let window = self.window.min(layer.len());
        let before = layer.len() - window;
        (0..geometry.kv_heads)
            .map(|kv_head| match self.scorer {
                Scorer::Window {
                    normalisation,
                    pooling,
                } => {
                    let shape = WindowShape {
                        group: geometry.group(),
                        window,
                        head_dim: geometry.head_dim,
                    };
                    let queries = layer.window_queries(kv_head, window);
                    let keys = layer.kv().keys[kv_head].to_f32();
                    let scores = window_attention(&queries, &keys, shape, normalisation);
                    let scores = group::reduce(&scores, geometry.group(), self.grouping);
                    let pooled: Vec<f32> = scores
                        .chunks_exact(before.max(1))
                        .flat_map(|row| pool(row, pooling))
                        .collect();
                    Ranked::new(&pooled, self.grouping.rows(geometry.group()))
                }
                Scorer::Age { sinks } => {
                    let age = |i: usize| if i < sinks { f32::INFINITY } else { i as f32 };
                    Ranked::new(&(0..before).map(age).collect::<Vec<f32>>(), 1)
                }
            })
            .collect()
    }
}

/// A layer's rankings and what a share of it would hold.
pub struct Ranking<'a> {
    pub eviction: &'a Eviction,
    pub layer: LayerView<'a>,
    /// Per KV head.
    pub ranked: Vec<Ranked>,
}

impl<'a> Ranking<'a> {
    pub fn new(eviction: &'a Eviction, layer: LayerView<'a>) -> Self {
        Self {
            eviction,
            layer,
            ranked: eviction.rank(layer),
        }
    }

    fn window(&self) -> usize {
        self.eviction.window.min(self.layer.len())
    }

    /// Ranked entries each row keeps: the budget without the window.
    pub fn ranked_budget(&self, share: f64) -> usize {
        self.eviction.budget(share, self.layer) - self.window()
    }

    /// Per query head, the positions it keeps, ascending, window included.
    pub fn kept(&self, share: f64) -> Vec<Vec<u32>> {
        let k = self.ranked_budget(share);
        let len = self.layer.len();
        let window = (len - self.window()) as u32..len as u32;
        let group = self.layer.geometry().group();
        let mut kept = Vec::with_capacity(self.layer.geometry().heads);
        for ranked in &self.ranked {
            let rows: Vec<Vec<u32>> = ranked
                .kept_at(k)
                .into_iter()
                .map(|row| row.into_iter().chain(window.clone()).collect())
                .collect();
            kept.extend((0..group).map(|member| rows[member % rows.len()].clone()));
        }
        kept
    }
}

/// Positions held for a KV head, how many rows keep each, and each query head's places among them where they differ.
pub type Held = (Vec<u32>, Vec<u32>, Option<Vec<Indices>>);

impl Ranking<'_> {
    /// What one KV head holds when every entry is stored once.
    pub fn held(&self, kv_head: usize, share: f64) -> Held {
        let (k, len) = (self.ranked_budget(share), self.layer.len());
        let ranked = &self.ranked[kv_head];
        let (mut positions, mut weights) = ranked.union_at(k);
        let rows = ranked.kept_at(k);
        let window = (len - self.window()) as u32..len as u32;
        positions.extend(window.clone());
        weights.extend(window.clone().map(|_| rows.len() as u32));
        let lists = (positions.len() > k + self.window()).then(|| {
            let list = |row: &Vec<u32>| {
                let kept: Vec<u32> = row.iter().copied().chain(window.clone()).collect();
                Indices::from_slice(&places(&kept, &positions))
            };
            rows.iter().map(list).collect()
        });
        (positions, weights, lists)
    }
}

impl Plan for Ranking<'_> {
    fn footprint(&self, share: f64) -> Footprint {
        let geometry = self.layer.geometry();
        let (k, window) = (self.ranked_budget(share), self.window());
        let bytes_entry = (2 * geometry.head_dim * self.layer.store().size()) as u64;
        let kept = (geometry.heads * (k + window)) as u64;
        if self.eviction.store == Store::QueryHead {
            return Footprint {
                entries: kept,
                kept,
                bytes_entries: kept * bytes_entry,
                ..Footprint::default()
            };
        }
        let held: Vec<usize> = self
            .ranked
            .iter()
            .map(|ranked| ranked.entries_at(k) + window)
            .collect();
        let entries = held.iter().sum::<usize>() as u64;
        let mut footprint = Footprint {
            entries,
            kept: entries,
            bytes_entries: entries * bytes_entry,
            ..Footprint::default()
        };
        if held.iter().any(|&held| held > k + window) {
            // The window is in every list, so the largest number in a list is that of the last entry held.
            let group = geometry.group() as u64;
            footprint.kept = kept;
            footprint.bytes_lists = held
                .iter()
                .map(|&held| group * (k + window) as u64 * Indices::width(held - 1))
                .sum();
        }
        footprint
    }

    fn build(&self, share: f64) -> Compressed {
        let kept = self.kept(share);
        let full = self.layer.kv();
        let evicted = match self.eviction.store {
            Store::KvHead => EvictedKv::shared(full, &kept),
            Store::QueryHead => EvictedKv::repeated(full, &kept),
        };
        Compressed {
            prefix: Prefix::Evicted(evicted),
            kept: Some(kept),
            cosines: None,
        }
    }
}

impl Method for Eviction {
    fn observes(&self) -> Observe {
        match self.scorer {
            Scorer::Window { .. } => Observe {
                window: self.window,
            },
            Scorer::Age { .. } => Observe::default(),
        }
    }

    fn knob(&self) -> Knob {
        Knob {
            name: "share",
            smallest: 0.0,
            largest: 1.0,
        }
    }

    fn plan<'a>(&'a self, layer: LayerView<'a>) -> Box<dyn Plan + 'a> {
        Box::new(Ranking::new(self, layer))
    }
}
