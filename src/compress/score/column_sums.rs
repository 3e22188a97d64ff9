//! Attention that each entry draws from all queries of the prompt (H2O).

use super::Score;
use crate::compress::group::Grouping;
use crate::compress::view::LayerView;
use crate::model::observe::Observe;

/// Attention of all queries, added up per query head.
#[derive(Debug)]
pub struct ColumnSums {
    /// How the sums of the query heads that share a KV head become one ranking, or stay apart.
    pub grouping: Grouping,
}

impl Score for ColumnSums {
    fn observes(&self) -> Observe {
        Observe {
            column_sums: true,
            ..Observe::default()
        }
    }

    fn grouping(&self) -> Option<Grouping> {
        Some(self.grouping)
    }

    fn scores(&self, kv_head: usize, n: usize, layer: LayerView<'_>) -> Vec<f32> {
        let sums = layer.column_sums(kv_head);
        let rows = sums.chunks_exact(layer.len());
        rows.flat_map(|row| row[..n].to_vec()).collect()
    }
}
