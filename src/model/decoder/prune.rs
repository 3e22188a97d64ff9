//! A prefill in which tokens drop out from layer to layer (PyramidInfer): deeper layers never see them.

use candle_core::{Error, Result, Tensor};
use std::sync::Arc;

use super::{CHUNK, Model};
use crate::attend::{Batch, Pass, Rule};
use crate::store::{Fault, Geometry, LayerStore, Run, StoreType};

/// A layer that has just attended, as whoever chooses the tokens that go on sees it.
pub struct PrunedLayer<'a> {
    /// Number of the layer, from 0.
    pub layer: usize,
    /// Tokens of the whole prompt.
    pub prompt: usize,
    /// Layers, heads and head dimension of the model.
    pub geometry: Geometry,
    /// Keys (rotated) and values of the `n` tokens that are left, per KV head.
    pub kv: &'a Run,
    /// Queries before RoPE of the `n` tokens that are left, `[n, heads, head_dim]`.
    pub queries: &'a [f32],
    /// Positions of these tokens in the prompt, `[n]`, ascending.
    pub positions: &'a [usize],
    /// Scale, soft cap, window and RoPE of the layer's attention.
    pub rule: &'a Rule,
}

/// What such a prefill leaves.
pub struct Pruned {
    /// Per layer, the entries of the tokens that reached it.
    pub layers: Vec<Arc<Run>>,
    /// Logits of the last position, `[vocab]`.
    pub logits: Vec<f32>,
}

impl Model {
    /// Processes a prompt layer by layer, each over the tokens that are left at their original positions: all in the
    /// first, `lengths[i]` in layer `i`. Where the next has fewer, `keep(layer, count)` names the `count` that go on,
    /// ascending; the last token must be among them. Nothing is held of a token beyond the layers it reached.
    ///
    /// # Errors
    /// What `keep` finds; a value that is not finite, or that `store` cannot hold.
    pub fn prefill_pruned(
        &self,
        tokens: &[u32],
        store: StoreType,
        lengths: &[usize],
        keep: impl Fn(&PrunedLayer<'_>, usize) -> std::result::Result<Vec<u32>, Fault>,
    ) -> Result<Pruned> {
        let geometry = self.geometry();
        let mut x = self.embed(tokens)?;
        let mut positions: Vec<usize> = (0..tokens.len()).collect();
        let mut layers = Vec::with_capacity(geometry.layers);
        for i in 0..geometry.layers {
            let (out, kv, queries) = self.pruned_layer(i, &x, &positions, store)?;
            x = out;
            let next = lengths.get(i + 1).copied().unwrap_or(positions.len());
            if next < positions.len() {
                let layer = PrunedLayer {
                    layer: i,
                    prompt: tokens.len(),
                    geometry,
                    kv: &kv,
                    queries: &queries,
                    positions: &positions,
                    rule: self.rule(i),
                };
                let kept = keep(&layer, next).map_err(|fault| at(&positions, fault))?;
                positions = kept.iter().map(|&i| positions[i as usize]).collect();
                x = x.index_select(&Tensor::new(kept, &self.device)?, 0)?;
            }
            layers.push(Arc::new(kv));
        }
        let last = x.narrow(0, x.dim(0)? - 1, 1)?;
        let logits = self.logits(&last)?.flatten_all()?.to_vec1()?;
        match Fault::of_rows("logits", &logits, logits.len(), tokens.len() - 1) {
            Some(fault) => Err(Error::Msg(fault.to_string())),
            None => Ok(Pruned { layers, logits }),
        }
    }

    /// One layer over tokens at `positions`: hidden states after it `[n, hidden]`, its entries, and its queries.
    fn pruned_layer(
        &self,
        i: usize,
        x: &Tensor,
        positions: &[usize],
        store: StoreType,
    ) -> Result<(Tensor, Run, Vec<f32>)> {
        let layer = &self.layers[i];
        let mut held = LayerStore::empty(self.geometry(), store);
        let (mut outputs, mut all_queries) = (Vec::new(), Vec::new());
        for (chunk, positions) in positions.chunks(CHUNK).enumerate() {
            let rows = x.narrow(0, chunk * CHUNK, positions.len())?;
            let out = self.block(layer, &rows, positions.len(), |projected| {
                all_queries.extend(projected.queries.flatten_all()?.to_vec1::<f32>()?);
                let span = 0..positions.len();
                let batch = Batch {
                    queries: &projected.queries,
                    keys: &projected.keys,
                    values: &projected.values,
                    spans: std::slice::from_ref(&span),
                    positions,
                    pass: Pass::Sequence,
                };
                let layers = &mut [&mut held];
                let attended = self.attention.attend(self.rule(i), &batch, layers, None)?;
                match attended.faults.into_iter().flatten().next() {
                    Some(fault) => Err(Error::Msg(fault.in_layer(i).to_string())),
                    None => Ok(attended.output),
                }
            })?;
            outputs.push(out);
        }
        Ok((Tensor::cat(&outputs, 0)?, held.open, all_queries))
    }
}

/// A fault of the `token`-th of the tokens at `positions`, as an error that names the position.
fn at(positions: &[usize], fault: Fault) -> Error {
    let token = positions[fault.token];
    Error::Msg(Fault { token, ..fault }.to_string())
}
