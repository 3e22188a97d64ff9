//! Rankings of a layer under an [`Eviction`], and the entries that each head keeps at any share.

use std::borrow::Cow;
use std::ops::Range;

use super::eviction::{Eviction, Recent, StoredFor};
use super::select::Ranked;
use super::view::LayerView;
use crate::store::Fault;

/// A layer's rankings.
pub struct Ranking<'a> {
    /// The rule that made the ranking.
    pub eviction: &'a Eviction,
    /// The layer that was ranked.
    pub layer: LayerView<'a>,
    /// Per KV head, the entries that some budget could drop.
    ranked: Vec<Ranked>,
}

/// How many entries a share keeps in one row: those chosen by rank, and the recent ones after them.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Entries before the recent window that are kept, in the order of their scores.
    pub ranked: usize,
    /// Last entries of the prompt, kept whatever their score.
    pub recent: usize,
}

impl Budget {
    /// Positions of the recent entries of a prompt of `len` tokens.
    pub fn recent_positions(self, len: usize) -> Range<u32> {
        (len - self.recent) as u32..len as u32
    }
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

    /// Entries that each query head keeps of this layer where the layers keep `share` of the prompt on average.
    pub fn budget(&self, share: f64) -> Budget {
        let kept = self.eviction.budget(share, self.layer);
        let recent = self.eviction.recent.among(kept, self.layer.len());
        Budget {
            ranked: kept - recent,
            recent,
        }
    }

    /// Per KV head, the rankings of the entries before the last `recent` ones.
    pub fn ranked(&self, recent: usize) -> Cow<'_, [Ranked]> {
        match self.eviction.recent {
            Recent::Tokens(_) => Cow::Borrowed(&self.ranked),
            Recent::Half => {
                let before = self.layer.len() - recent;
                Cow::Owned(self.ranked.iter().map(|all| all.first(before)).collect())
            }
        }
    }

    /// Heads of one group that select for themselves: each query head, or 1 where they select together.
    pub fn selecting(&self) -> usize {
        self.ranked[0].rows()
    }

    /// Whether entries are stored for each query head that keeps them.
    pub fn is_apart(&self) -> bool {
        self.eviction.store == StoredFor::QueryHead
    }

    /// Per query head, the positions it keeps, ascending, the recent ones included.
    pub fn kept(&self, share: f64) -> Vec<Vec<u32>> {
        let budget = self.budget(share);
        let len = self.layer.len();
        let alike = self.layer.geometry().group() / self.selecting();
        self.ranked(budget.recent)
            .iter()
            .flat_map(|ranked| ranked.kept_at(budget.ranked))
            .flat_map(|mut row| {
                row.extend(budget.recent_positions(len));
                vec![row; alike]
            })
            .collect()
    }
}
