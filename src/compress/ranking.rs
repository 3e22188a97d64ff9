//! A layer's rankings under an [`Eviction`], and what any share of it keeps, holds and costs.

use std::borrow::Cow;

use super::eviction::{Eviction, Recent, Store};
use super::method::{Compressed, Plan};
use super::select::Ranked;
use super::view::LayerView;
use crate::store::{Bytes, Content, Fault, Footprint, Indices, places};

/// A layer's rankings.
pub struct Ranking<'a> {
    pub eviction: &'a Eviction,
    pub layer: LayerView<'a>,
    /// Per KV head, the entries that some budget could drop.
    ranked: Vec<Ranked>,
}

/// How many entries a share keeps in one row: those chosen by rank, and the recent ones after them.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    pub ranked: usize,
    pub recent: usize,
}

impl<'a> Ranking<'a> {
    /// # Errors
    /// A score that is not finite.
    pub fn new(eviction: &'a Eviction, layer: LayerView<'a>) -> Result<Self, Fault> {
        Ok(Self {
            eviction,
            layer,
            ranked: eviction.rank(layer)?,
        })
    }

    pub fn budget(&self, share: f64) -> Budget {
        let kept = self.eviction.budget(share, self.layer);
        let recent = self.eviction.recent.among(kept, self.layer.len());
        Budget {
            ranked: kept - recent,
            recent,
        }
    }

    /// Per KV head, the rankings of all entries before the recent ones.
    fn ranked(&self, recent: usize) -> Cow<'_, [Ranked]> {
        match self.eviction.recent {
            Recent::Tokens(_) => Cow::Borrowed(&self.ranked),
            Recent::Half => {
                let before = self.layer.len() - recent;
                Cow::Owned(self.ranked.iter().map(|all| all.first(before)).collect())
            }
        }
    }

    fn recent(&self, recent: usize) -> std::ops::Range<u32> {
        let len = self.layer.len();
        (len - recent) as u32..len as u32
    }

    /// Heads of one group that select for themselves: each query head, or 1 where they select together.
    pub fn selecting(&self) -> usize {
        self.ranked[0].rows()
    }

    /// Per head that selects for itself, those of one group in turn, the positions it keeps, ascending, the recent
    /// ones included.
    pub fn selected(&self, share: f64) -> Vec<Vec<u32>> {
        let budget = self.budget(share);
        let with_recent = |row: Vec<u32>| -> Vec<u32> {
            row.into_iter().chain(self.recent(budget.recent)).collect()
        };
        self.ranked(budget.recent)
            .iter()
            .flat_map(|ranked| ranked.kept_at(budget.ranked))
            .map(with_recent)
            .collect()
    }

    /// As [`Ranking::selected`], per query head.
    pub fn kept(&self, share: f64) -> Vec<Vec<u32>> {
        self.per_query_head(self.selected(share))
    }

    /// What each query head keeps, where those of a group selected together or apart.
    pub fn per_query_head(&self, selected: Vec<Vec<u32>>) -> Vec<Vec<u32>> {
        let alike = self.layer.geometry().group() / self.selecting();
        selected
            .into_iter()
            .flat_map(|row| vec![row; alike])
            .collect()
    }
}

/// What is held for one KV head.
pub struct Held {
    /// Ascending.
    pub positions: Vec<u32>,
    /// How many heads keep each.
    pub weights: Vec<u32>,
    /// Heads of its group that select for themselves.
    pub selecting: usize,
    /// Each query head's places among the positions, where they differ.
    pub lists: Option<Vec<Indices>>,
}

impl Ranking<'_> {
    /// What one KV head holds when every entry is stored once; of the recent entries, the first `recent`.
    pub fn held(&self, kv_head: usize, share: f64, recent: usize) -> Held {
        let budget = self.budget(share);
        let all = self.ranked(budget.recent);
        let ranked = &all[kv_head];
        let (mut positions, mut weights) = ranked.union_at(budget.ranked);
        let rows = ranked.kept_at(budget.ranked);
        let differ = positions.len() > budget.ranked;
        let recent: Vec<u32> = self.recent(budget.recent).take(recent).collect();
        positions.extend(&recent);
        weights.resize(positions.len(), rows.len() as u32);
        let lists = differ.then(|| {
            let list = |row: &Vec<u32>| {
                Indices::from_slice(&places(&[&row[..], &recent].concat(), &positions))
            };
            rows.iter().map(list).collect()
        });
        Held {
            positions,
            weights,
            selecting: rows.len(),
            lists,
        }
    }
}

impl Plan for Ranking<'_> {
    fn footprint(&self, share: f64) -> Footprint {
        let geometry = self.layer.geometry();
        let Budget { ranked: k, recent } = self.budget(share);
        let bytes_entry = (2 * geometry.head_dim * self.layer.store().size()) as u64;
        if self.eviction.store == Store::QueryHead {
            let kept = (geometry.heads * (k + recent)) as u64;
            return Footprint {
                entries: kept,
                kept,
                bytes: Bytes::of(Content::Entries, kept * bytes_entry),
                ..Footprint::default()
            };
        }
        let ranked = self.ranked(recent);
        let held = ranked.iter().map(|ranked| ranked.entries_at(k) + recent);
        let held: Vec<usize> = held.collect();
        let entries = held.iter().sum::<usize>() as u64;
        let mut footprint = Footprint {
            entries,
            kept: (geometry.kv_heads * self.selecting() * (k + recent)) as u64,
            bytes: Bytes::of(Content::Entries, entries * bytes_entry),
            ..Footprint::default()
        };
        if held.iter().any(|&held| held > k + recent) {
            // The recent entries, one at least, are in every list: the largest number is that of the last entry held.
            let group = geometry.group() as u64;
            let lists = held
                .iter()
                .map(|&held| group * (k + recent) as u64 * Indices::width(held - 1))
                .sum();
            footprint.bytes = footprint.bytes + Bytes::of(Content::Lists, lists);
        }
        footprint
    }

    fn build(&self, share: f64) -> Result<Compressed, Fault> {
        let full = self.layer.kv();
        let selected = self.selected(share);
        let (chosen, selecting, kept) = match self.eviction.store {
            Store::KvHead => {
                let chosen = full.shared(&selected);
                (chosen, self.selecting(), self.per_query_head(selected))
            }
            Store::QueryHead => {
                let kept = self.per_query_head(selected);
                (full.repeated(&kept), self.layer.geometry().group(), kept)
            }
        };
        Ok(Compressed {
            store: self.layer.held(chosen, selecting),
            kept: Some(kept),
            cosines: None,
        })
    }
}
