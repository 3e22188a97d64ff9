//! Which entries of a layer's prompt are held at one size.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::ranking::{Budget, Ranking};
use super::select::Ranked;
use super::view::LayerView;
use crate::store::{Bytes, Content, Entries, Footprint, Indices, places};

/// What one head holds of the prompt.
#[derive(Debug, Clone)]
pub struct Held {
    /// The KV head that they are entries of.
    pub kv_head: usize,
    /// Ascending.
    pub positions: Vec<u32>,
    /// How many heads keep each.
    pub weights: Vec<u32>,
    /// Each query head's places among the positions, where they differ.
    pub lists: Option<Vec<Indices>>,
}

impl Held {
    /// `has_positions`: whether each entry's position is stored.
    pub fn entries(&self, has_positions: bool) -> Entries {
        Entries {
            chosen: self.positions.len(),
            positions: has_positions.then(|| Indices::from_slice(&self.positions)),
            lists: self.lists.clone(),
            ..Entries::default()
        }
    }
}

/// The entries that each head of a layer holds: a KV head, or a query head where entries are stored for each.
pub struct Choice<'a> {
    layer: LayerView<'a>,
    of: Of<'a>,
    /// What each head holds, once it is asked for.
    held: Vec<OnceLock<Held>>,
}

/// How a choice is made.
enum Of<'a> {
    /// The last entries, so many, which `selecting` heads of a group keep.
    Last { count: usize, selecting: usize },
    /// By rank, of the recent entries the first `recent`; `is_apart`: stored for each query head.
    Ranked {
        ranked: Cow<'a, [Ranked]>,
        budget: Budget,
        recent: usize,
        is_apart: bool,
    },
}

impl<'a> Choice<'a> {
    /// Of all entries.
    pub fn all(layer: LayerView<'a>) -> Self {
        Self::last(layer, layer.len(), 1)
    }

    /// Of the last `count` entries; `selecting`: heads of a group that select for themselves.
    pub fn last(layer: LayerView<'a>, count: usize, selecting: usize) -> Self {
        let of = Of::Last { count, selecting };
        Self::new(layer, of, layer.geometry().kv_heads)
    }

    /// What a share keeps, with the recent window or without it.
    pub fn ranked(ranking: &'a Ranking<'a>, share: f64, with_recent: bool) -> Self {
        let budget = ranking.budget(share);
        let geometry = ranking.layer.geometry();
        let is_apart = ranking.is_apart();
        let of = Of::Ranked {
            ranked: ranking.ranked(budget.recent),
            budget,
            recent: if with_recent { budget.recent } else { 0 },
            is_apart,
        };
        let heads = if is_apart {
            geometry.heads
        } else {
            geometry.kv_heads
        };
        Self::new(ranking.layer, of, heads)
    }

    fn new(layer: LayerView<'a>, of: Of<'a>, heads: usize) -> Self {
        let held = (0..heads).map(|_| OnceLock::new()).collect();
        Self { layer, of, held }
    }

    /// Heads of entries.
    pub fn heads(&self) -> usize {
        self.held.len()
    }

    /// Entries of a head.
    pub fn len(&self, head: usize) -> usize {
        match &self.of {
            Of::Last { count, .. } => *count,
            Of::Ranked {
                budget,
                recent,
                is_apart: true,
                ..
            } => budget.ranked + recent,
            Of::Ranked {
                ranked,
                budget,
                recent,
                is_apart: false,
            } => ranked[head].entries_at(budget.ranked) + recent,
        }
    }

    /// What a head holds.
    pub fn held(&self, head: usize) -> &Held {
        self.held[head].get_or_init(|| self.make(head))
    }

    fn make(&self, head: usize) -> Held {
        let len = self.layer.len();
        let (ranked, budget, recent, is_apart) = match &self.of {
            Of::Last { count, selecting } => {
                return Held {
                    kv_head: head,
                    positions: ((len - count) as u32..len as u32).collect(),
                    weights: vec![*selecting as u32; *count],
                    lists: None,
                };
            }
            Of::Ranked {
                ranked,
                budget,
                recent,
                is_apart,
            } => (ranked, budget, *recent, *is_apart),
        };
        let recent: Vec<u32> = budget.recent_positions(len).take(recent).collect();
        if is_apart {
            let group = self.layer.geometry().group();
            let (kv_head, member) = (head / group, head % group);
            let rows = ranked[kv_head].rows();
            let mut positions = ranked[kv_head].kept_by(member % rows, budget.ranked);
            positions.extend(recent);
            return Held {
                kv_head,
                weights: vec![1; positions.len()],
                positions,
                lists: None,
            };
        }
        let ranked = &ranked[head];
        let (mut positions, mut weights) = ranked.union_at(budget.ranked);
        let differ = positions.len() > budget.ranked;
        positions.extend(&recent);
        weights.resize(positions.len(), ranked.rows() as u32);
        let list =
            |row: Vec<u32>| Indices::from_slice(&places(&[&row[..], &recent].concat(), &positions));
        let rows = || ranked.kept_at(budget.ranked).into_iter();
        let lists = differ.then(|| rows().map(list).collect());
        Held {
            kv_head: head,
            positions,
            weights,
            lists,
        }
    }

    /// Counts and bytes of what a head holds besides keys and values. `has_positions`: as of [`Held::entries`].
    pub fn footprint(&self, head: usize, has_positions: bool) -> Footprint {
        let len = self.len(head);
        let (kept, lists) = match &self.of {
            Of::Ranked {
                ranked,
                budget,
                recent,
                is_apart: false,
            } => {
                let each = budget.ranked + recent;
                let listed = ranked[head].rows() * each;
                match len > each {
                    true => (listed, self.list_bytes(head, listed, *recent)),
                    false => (listed, 0),
                }
            }
            Of::Last { selecting, .. } => (len * selecting, 0),
            Of::Ranked { is_apart: true, .. } => (len, 0),
        };
        let positions = match has_positions {
            true => Indices::from_slice(&self.held(head).positions).bytes(),
            false => 0,
        };
        Footprint {
            entries: len as u64,
            kept: kept as u64,
            bytes: Bytes::of(Content::Positions, positions) + Bytes::of(Content::Lists, lists),
            ..Footprint::default()
        }
    }

    /// Bytes of a head's lists, of `listed` places in all.
    fn list_bytes(&self, head: usize, listed: usize, recent: usize) -> u64 {
        // A recent entry is in every list, and the last of them has the largest place: no list need be made to know.
        if recent > 0 {
            return listed as u64 * Indices::width(self.len(head) - 1);
        }
        let lists = self.held(head).lists.iter().flatten();
        lists.map(Indices::bytes).sum()
    }
}
