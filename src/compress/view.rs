//! One layer of a prefill as a compressor sees it.

use super::draws::seed;
use crate::attend::Rule;
use crate::model::observe::Prefilled;
use crate::store::{Geometry, Rotate, Rows, Run, Side, StoreType};

/// A layer of a dense prefill, read-only. Methods decide from this and nothing else.
#[derive(Clone, Copy)]
pub struct LayerView<'a> {
    /// The prefill that the layer is part of.
    pub prefilled: &'a Prefilled,
    /// Number of the layer, from 0.
    pub layer: usize,
    /// The seed of every draw of the method on this sample, see [`LayerView::seed`].
    pub draws: u64,
}

impl<'a> LayerView<'a> {
    /// Layers, heads and head dimension of the model.
    pub fn geometry(&self) -> Geometry {
        self.prefilled.geometry
    }

    /// Element type that the cache stores.
    pub fn store(&self) -> StoreType {
        self.prefilled.store
    }

    /// Tokens of the prompt.
    pub fn len(&self) -> usize {
        self.prefilled.len
    }

    /// Whether the prompt has no tokens.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Scale, soft cap, window and RoPE of the layer's attention.
    pub fn rule(&self) -> &'a Rule {
        &self.prefilled.layers[self.layer].rule
    }

    /// Keys (rotated) and values, per KV head.
    pub fn kv(&self) -> &'a Run {
        &self.prefilled.layers[self.layer].kv
    }

    /// Keys of the layer, rotated or not, or its values, per KV head.
    ///
    /// # Panics
    /// If keys before RoPE are asked for and the prefill did not observe them.
    pub fn vectors(&self, side: Side, rotate: Rotate) -> Vec<&'a Rows> {
        let heads = 0..self.geometry().kv_heads;
        match (side, rotate) {
            (Side::Values, _) => heads.map(|head| self.kv().values(head)).collect(),
            (Side::Keys, Rotate::AtWrite) => heads.map(|head| self.kv().keys(head)).collect(),
            (Side::Keys, Rotate::ByPosition | Rotate::ByRank) => {
                self.unrotated_keys().iter().collect()
            }
        }
    }

    /// The seed of one kind of draws in this layer. `own`: the method's setting; `kind`: tells draws apart, such as the
    /// number of a KV head.
    pub fn seed(&self, own: u64, kind: usize) -> u64 {
        seed(&[self.draws, own, self.layer as u64, kind as u64])
    }

    /// Keys before RoPE, per KV head `[len, head_dim]`.
    ///
    /// # Panics
    /// When the prefill did not observe them.
    pub fn unrotated_keys(&self) -> &'a [Rows] {
        let keys = &self.prefilled.layers[self.layer].unrotated_keys;
        assert!(!keys.is_empty(), "keys before RoPE were not observed");
        keys
    }

    /// Attention that each entry draws from all queries of one KV head's group, `[group, len]`.
    ///
    /// # Panics
    /// When the prefill did not observe it.
    pub fn column_sums(&self, kv_head: usize) -> Vec<f32> {
        let sums = &self.prefilled.layers[self.layer].column_sums;
        assert!(!sums.is_empty(), "column sums were not observed");
        let group = self.geometry().group();
        sums[kv_head * group..(kv_head + 1) * group].concat()
    }

    /// Rotated queries of the last `window` tokens for one KV head's group, `[group, window, head_dim]`.
    ///
    /// # Panics
    /// When the prefill observed a shorter window.
    pub fn window_queries(&self, kv_head: usize, window: usize) -> Vec<f32> {
        let Geometry {
            heads, head_dim, ..
        } = self.geometry();
        let group = self.geometry().group();
        let queries = &self.prefilled.layers[self.layer].queries;
        let width = heads * head_dim;
        let observed = queries.len() / width;
        assert!(
            window <= observed,
            "a window of {window} tokens, {observed} were observed"
        );
        let mut out = Vec::with_capacity(group * window * head_dim);
        for head in kv_head * group..(kv_head + 1) * group {
            for token in observed - window..observed {
                let start = token * width + head * head_dim;
                let at = out.len();
                out.extend_from_slice(&queries[start..start + head_dim]);
                if let Some(rope) = &self.rule().rope {
                    rope.rotate_in_place(&mut out[at..], self.len() - observed + token);
                }
            }
        }
        out
    }
}
