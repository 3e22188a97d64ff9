//! A prefill in which tokens drop out from layer to layer (PyramidInfer): deeper layers never see them.

use candle_core::{Error, Result, Tensor};
use std::sync::Arc;

use super::{CHUNK, Model, Projected};
use crate::cache::{Cache, DenseKv, Fault, Geometry, LayerCache, NewTokens, Pass, StoreType};

/// A layer that has just attended, as whoever chooses the tokens that go on sees it.
pub struct PrunedLayer<'a> {
    /// Which it is.
    pub layer: usize,
    /// Tokens of the whole prompt.
    pub prompt: usize,
    pub geometry: Geometry,
    /// Keys (rotated) and values of the `n` tokens that are left, per KV head.
    pub kv: &'a DenseKv,
    /// Their rotated queries, `[n, heads, head_dim]`.
    pub queries: &'a [f32],
}

/// What such a prefill leaves.
pub struct Pruned {
    /// Per layer, the entries of the tokens that reached it.
    pub layers: Vec<Arc<DenseKv>>,
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
    ) -> Result<(Tensor, DenseKv, Vec<f32>)> {
        let layer = &self.layers[i];
        let d = self.config.head_dim;
        let (query_width, key_width) = (self.config.heads * d, self.config.kv_heads * d);
        let empty = LayerCache::empty(self.geometry(), store);
        let mut cache = Cache::new(vec![empty], self.rope.clone(), 0);
        let (mut outputs, mut all_queries) = (Vec::new(), Vec::new());
        for (chunk, positions) in positions.chunks(CHUNK).enumerate() {
            let rows = x.narrow(0, chunk * CHUNK, positions.len())?;
            let out = self.block(layer, &rows, positions.len(), |projected| {
                let Projected {
                    mut queries,
                    keys: unrotated_keys,
                    values,
                } = projected;
                let mut keys = unrotated_keys.clone();
                self.rotate(&mut queries, query_width, positions);
                self.rotate(&mut keys, key_width, positions);
                let new = NewTokens {
                    queries: &queries,
                    unrotated_keys: &unrotated_keys,
                    keys: &keys,
                    values: &values,
                    position: positions[0],
                    pass: Pass::Sequence,
                };
                let attended = cache.attend(0, &new, None);
                if let Some(fault) = cache.fault.take() {
                    let token = fault.token - positions[0];
                    return Err(at(positions, Fault { token, ..fault }.in_layer(i)));
                }
                all_queries.extend_from_slice(&queries);
                Ok(attended)
            })?;
            outputs.push(out);
        }
        let kv = cache.layers.remove(0).into_tail();
        Ok((Tensor::cat(&outputs, 0)?, kv, all_queries))
    }
}

/// A fault of the `token`-th of the tokens at `positions`, as an error that names the position.
fn at(positions: &[usize], fault: Fault) -> Error {
    let token = positions[fault.token];
    Error::Msg(Fault { token, ..fault }.to_string())
}
