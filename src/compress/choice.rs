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
    /// Number of query heads that keep each entry; 1 if they are stored apart.
    pub weights: Vec<u32>,
    /// Per query head, the places of its entries among `positions`. None if all keep the same.
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

/// The entries that each head of a layer holds. Heads are KV heads, or query heads if entries are stored for each.
pub struct Choice<'a> {
    layer: LayerView<'a>,
    of: Of<'a>,
    /// What each head holds, computed on first use.
    held: Vec<OnceLock<Held>>,
}

/// How a choice is made.
enum Of<'a> {
    /// The last `count` entries. `selecting`: query heads of a group that select for themselves, else 1.
    Last { count: usize, selecting: usize },
    /// The best entries by rank, and the first `recent` of the recent entries. `is_apart`: stored for each query head.
    Ranked {
        ranked: Cow<'a, [Ranked]>,
        budget: Budget,
        recent: usize,
        is_apart: bool,
    },
}

impl<'a> Choice<'a> {
    /// Chooses all entries.
    pub fn all(layer: LayerView<'a>) -> Self {
        Self::last(layer, layer.len(), 1)
    }

    /// Chooses the last `count` entries. `selecting`: query heads of a group that select for themselves, else 1.
    pub fn last(layer: LayerView<'a>, count: usize, selecting: usize) -> Self {
        let of = Of::Last { count, selecting };
        Self::new(layer, of, layer.geometry().kv_heads)
    }

    /// Chooses the entries that `share` keeps. `with_recent`: whether the recent window is among them.
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

    /// Number of heads that hold entries.
    pub fn heads(&self) -> usize {
        self.held.len()
    }

    /// Number of entries of a head.
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

    /// The entries of a head.
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

    /// Counts entries, and bytes of their positions and lists; bytes of keys and values are not included.
    /// `has_positions`: as in [`Held::entries`].
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

    /// Bytes of a head's lists, which have `listed` places in all.
    fn list_bytes(&self, head: usize, listed: usize, recent: usize) -> u64 {
        // The last recent entry is in every list and has the largest place, so the type of each list is known without
        // building it.
        if recent > 0 {
            return listed as u64 * Indices::width(self.len(head) - 1);
        }
        let lists = self.held(head).lists.iter().flatten();
        lists.map(Indices::bytes).sum()
    }
}
