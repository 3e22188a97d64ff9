//! One layer of a cache, attended to as the decoder does it.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use spindle::attend::rope::Rope;
use spindle::attend::{Attention, Batch, Host, Pass, Plain, Rule, attend_held, held};
use spindle::store::{Fault, LayerStore, StoreType};

/// Keys, not rotated, and values of successive tokens, `[n, kv_heads * head_dim]`, and the queries of the last of them,
/// not rotated, `[m, heads * head_dim]`.
#[derive(Clone)]
pub(crate) struct New {
    pub queries: Vec<f32>,
    pub keys: Vec<f32>,
    pub values: Vec<f32>,
    pub positions: Vec<usize>,
    pub pass: Pass,
}

pub(crate) struct Layer {
    pub store: LayerStore,
    pub rule: Rule,
    pub heads: usize,
}

impl Layer {
    pub(crate) fn new(store: LayerStore, rope: &Arc<Rope>, heads: usize) -> Self {
        let rule = Rule::new(store.head_dim(), Some(rope.clone()));
        Self { store, rule, heads }
    }

    pub(crate) fn fork(&self) -> Self {
        Self {
            store: self.store.fork(),
            rule: self.rule.clone(),
            heads: self.heads,
        }
    }

    /// Appends and attends.
    pub(crate) fn attend(&mut self, new: &New) -> Vec<f32> {
        self.attend_by(&Host, new, None).0
    }

    /// Appends and attends by the definition.
    pub(crate) fn attend_plainly(&mut self, new: &New) -> Vec<f32> {
        self.attend_by(&Plain, new, None).0
    }

    pub(crate) fn attend_by(
        &mut self,
        attention: &dyn Attention,
        new: &New,
        drawn: Option<&mut [Vec<f32>]>,
    ) -> (Vec<f32>, Option<Fault>) {
        let n = new.positions.len();
        let tensor = |rows: &[f32], count: usize| {
            Tensor::from_slice(rows, (count, rows.len() / count), &Device::Cpu).unwrap()
        };
        let attending = new.queries.len() / (self.heads * self.store.head_dim());
        let (queries, keys) = (tensor(&new.queries, attending), tensor(&new.keys, n));
        let span = 0..n;
        let batch = Batch {
            queries: &queries,
            keys: &keys,
            values: &tensor(&new.values, n),
            spans: std::slice::from_ref(&span),
            positions: &new.positions,
            pass: new.pass,
        };
        let mut layers = [&mut self.store];
        let attended = attention
            .attend(&self.rule, &batch, &mut layers, drawn)
            .unwrap();
        let output = attended.output.flatten_all().unwrap().to_vec1().unwrap();
        (output, attended.faults[0].clone())
    }

    /// What queries give that attend to all that is held.
    pub(crate) fn attend_held(&self, queries: &[f32], positions: &[usize]) -> Vec<f32> {
        attend_held(&self.rule, &self.store, queries, positions)
    }

    /// Keys, rotated, and values that a query head attends to, `[n, head_dim]` each.
    pub(crate) fn held(&self, head: usize) -> (Vec<f32>, Vec<f32>) {
        let group = self.heads / self.store.kv_heads();
        held(&self.rule, &self.store, head, group, usize::MAX - 1)
    }
}

/// A layer that holds nothing.
pub(crate) fn empty(
    geometry: spindle::store::Geometry,
    rope: &Arc<Rope>,
    store: StoreType,
) -> Layer {
    Layer::new(LayerStore::empty(geometry, store), rope, geometry.heads)
}
