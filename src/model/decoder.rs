//! The one decoder: Llama, Mistral and Qwen are facts in its [`DecoderConfig`]; the cache is the caller's.
//!
//! Linear layers run as tensors on the model's device; attention runs in the cache's own representation on the
//! host. Activations are f32.

mod load;
mod prune;

use candle_core::{Device, Error, Result, Tensor};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

pub use prune::{Pruned, PrunedLayer};

use super::config::DecoderConfig;
use super::linear::Linear;
use super::observe::{Observe, Observer, Prefilled};
use super::ops::{rms_norm, swiglu};
use super::rope::Rope;
use crate::cache::{Cache, Geometry, LayerCache, NewTokens, Pass, StoreType};
use crate::profile;

/// Tokens of a prompt processed at once: memory stays linear in the prompt, products large enough to be fast.
pub const CHUNK: usize = 512;

pub struct Model {
    pub config: DecoderConfig,
    /// None: tied to the head, whose rows it is.
    embedding: Option<Tensor>,
    layers: Vec<Layer>,
    norm: Tensor,
    head: Linear,
    rope: Arc<Rope>,
    device: Device,
}

struct Layer {
    attention_norm: Tensor,
    queries: Linear,
    keys: Linear,
    values: Linear,
    /// Norms over each query and key head (Qwen3).
    query_key_norms: Option<(Tensor, Tensor)>,
    output: Linear,
    mlp_norm: Tensor,
    /// Gate and up projections in one product, `[2 intermediate, hidden]`.
    gate_up: Linear,
    down: Linear,
}

/// Successive tokens for one cache.
pub struct Sequence<'a> {
    pub tokens: &'a [u32],
    pub cache: &'a mut Cache,
}

/// Queries, keys and values of a layer on the host, none of them rotated: `[n, heads of their kind, head_dim]`.
struct Projected {
    /// Of the last tokens only, where no more are to attend.
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Model {
    pub fn geometry(&self) -> Geometry {
        let DecoderConfig {
            layers,
            heads,
            kv_heads,
            head_dim,
            ..
        } = self.config;
        Geometry {
            layers,
            heads,
            kv_heads,
            head_dim,
        }
    }

    pub fn rope(&self) -> &Arc<Rope> {
        &self.rope
    }

    /// Processes a whole prompt with full attention, in chunks. Only the last position's logits are computed.
    ///
    /// # Errors
    /// A prompt of no token or longer than the model's context; a value that is not finite, or that `store` cannot hold.
    pub fn prefill(&self, tokens: &[u32], observe: Observe, store: StoreType) -> Result<Prefilled> {
        self.prefill_after(None, tokens, observe, store)
    }

    /// As [`Model::prefill`], with the same result bit for bit, going on from what an `earlier` prompt has in common.
    pub fn prefill_after(
        &self,
        earlier: Option<Prefilled>,
        tokens: &[u32],
        observe: Observe,
        store: StoreType,
    ) -> Result<Prefilled> {
        if tokens.is_empty() || tokens.len() > self.config.max_prompt() {
            return Err(Error::Msg(format!(
                "a prompt of {} tokens: expected 1 to {}",
                tokens.len(),
                self.config.max_prompt()
            )));
        }
        let geometry = self.geometry();
        let mut observer = Observer::new(observe, geometry, store, tokens.len());
        let common = earlier
            .as_ref()
            .map_or(0, |earlier| earlier.common(tokens, observe, store));
        let layers = match earlier {
            Some(earlier) if common > 0 => {
                let (kv, keys) = earlier
                    .layers
                    .into_iter()
                    .map(|layer| (layer.kv, layer.unrotated_keys))
                    .unzip::<_, _, Vec<_>, Vec<_>>();
                observer.resume(keys, common);
                let resume = |kv| LayerCache::resume(geometry, Arc::unwrap_or_clone(kv), common);
                kv.into_iter().map(resume).collect()
            }
            _ => {
                let empty = |_| LayerCache::empty(geometry, store);
                (0..geometry.layers).map(empty).collect()
            }
        };
        let mut cache = Cache::new(layers, self.rope.clone(), common);
        let mut logits = Vec::new();
        for (i, chunk) in tokens[common..].chunks(CHUNK).enumerate() {
            let sequence = Sequence {
                tokens: chunk,
                cache: &mut cache,
            };
            let x = self.forward(&mut [sequence], Pass::Sequence, Some(&mut observer))?;
            if common + (i + 1) * CHUNK >= tokens.len() {
                let last = x.narrow(0, x.dim(0)? - 1, 1)?;
                logits = self.logits(&last)?.flatten_all()?.to_vec1()?;
                cache.check_logits(&logits, logits.len(), tokens.len() - 1);
            }
            if let Some(fault) = cache.fault {
                return Err(Error::Msg(format!("prefill: {fault}")));
            }
        }
        Ok(Prefilled {
            geometry,
            observe,
            store,
            layers: observer.finish(cache.layers),
            tokens: tokens.to_vec(),
            len: tokens.len(),
            logits,
        })
    }

    /// One token for each of several caches. Returns logits `[caches, vocab]`; a row depends on its own cache alone,
    /// which notes a fault that it comes to.
    pub fn step(&self, tokens: &[u32], caches: &mut [&mut Cache]) -> Result<Tensor> {
        let mut sequences: Vec<Sequence<'_>> = caches
            .iter_mut()
            .zip(tokens.chunks(1))
            .map(|(cache, tokens)| Sequence { tokens, cache })
            .collect();
        self.logits(&self.forward(&mut sequences, Pass::Step, None)?)
    }

    /// Several tokens each after what several caches have seen: questions, or continuations to be scored by teacher
    /// forcing. Returns logits at the `wanted` last tokens of each, `[sequences * wanted, vocab]`; a row depends on its
    /// own sequence alone.
    pub fn extend(&self, sequences: &mut [Sequence<'_>], wanted: usize) -> Result<Tensor> {
        let x = self.forward(sequences, Pass::Sequence, None)?;
        let mut end = 0;
        let rows = sequences.iter().map(|sequence| {
            end += sequence.tokens.len();
            x.narrow(0, end - wanted, wanted)
        });
        let rows = rows.collect::<Result<Vec<_>>>()?;
        self.logits(&Tensor::cat(&rows, 0)?)
    }

    fn logits(&self, x: &Tensor) -> Result<Tensor> {
        self.head
            .forward(&rms_norm(x, &self.norm, self.config.norm_eps)?)
    }

    fn embed(&self, tokens: &[u32]) -> Result<Tensor> {
        match &self.embedding {
            Some(embedding) => embedding.index_select(&Tensor::new(tokens, &self.device)?, 0),
            None => self.head.rows(tokens, &self.device),
        }
    }

    /// Hidden states after the last layer of all tokens, sequence after sequence, `[n, hidden]`. A prefill, the one
    /// sequence of an `observer`, puts out the last of its tokens alone: of the last layer it needs only the keys and
    /// values of the others.
    fn forward(
        &self,
        sequences: &mut [Sequence<'_>],
        pass: Pass,
        mut observer: Option<&mut Observer>,
    ) -> Result<Tensor> {
        let tokens: Vec<u32> = sequences.iter().flat_map(|s| s.tokens).copied().collect();
        let positions: Vec<usize> = sequences
            .iter()
            .flat_map(|s| s.cache.seen..s.cache.seen + s.tokens.len())
            .collect();
        let last = positions.iter().copied().max().unwrap_or(0);
        if last >= self.rope.max_len() {
            return Err(Error::Msg(format!(
                "a token at position {last}: the context ends at {}",
                self.rope.max_len()
            )));
        }
        let mut x = self.embed(&tokens)?;
        for (i, layer) in self.layers.iter().enumerate() {
            let attending = match &observer {
                Some(observer) if i + 1 == self.layers.len() => observer.attending(tokens.len()),
                _ => tokens.len(),
            };
            x = self.block(layer, &x, attending, |projected| {
                let observer = observer.as_deref_mut();
                Ok(profile::attention(|| {
                    self.attend(i, projected, &positions, sequences, pass, observer)
                }))
            })?;
        }
        for sequence in sequences.iter_mut() {
            sequence.cache.seen += sequence.tokens.len();
        }
        Ok(x)
    }

    /// One layer, attention and MLP, over hidden states `x`, `[n, hidden]`, of which the last `attending` attend and
    /// are put out; `attend` makes of their projections what the heads put out, `[attending, heads * head_dim]`.
    fn block(
        &self,
        layer: &Layer,
        x: &Tensor,
        attending: usize,
        attend: impl FnOnce(Projected) -> Result<Vec<f32>>,
    ) -> Result<Tensor> {
        let eps = self.config.norm_eps;
        let normed = rms_norm(x, &layer.attention_norm, eps)?;
        let first = x.dim(0)? - attending;
        let x = x.narrow(0, first, attending)?;
        let projected = self.project(layer, &normed, &normed.narrow(0, first, attending)?)?;
        let attended = Tensor::from_vec(attend(projected)?, (attending, ()), &self.device)?;
        let x = layer.output.add_to(&x, &attended)?;
        let inner = swiglu(
            &layer
                .gate_up
                .forward(&rms_norm(&x, &layer.mlp_norm, eps)?)?,
        )?;
        layer.down.add_to(&x, &inner)
    }

    /// Keys and values of normalised hidden states `x`, queries of `attending`, the last of them.
    fn project(&self, layer: &Layer, x: &Tensor, attending: &Tensor) -> Result<Projected> {
        let mut queries = layer.queries.forward(attending)?;
        let mut keys = layer.keys.forward(x)?;
        if let Some((query_norm, key_norm)) = &layer.query_key_norms {
            let (d, eps) = (self.config.head_dim, self.config.norm_eps);
            queries = rms_norm(&queries.reshape(((), d))?, query_norm, eps)?;
            keys = rms_norm(&keys.reshape(((), d))?, key_norm, eps)?;
        }
        let host = |tensor: Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        Ok(Projected {
            queries: host(queries)?,
            keys: host(keys)?,
            values: host(layer.values.forward(x)?)?,
        })
    }

    /// Attention of layer `i`: each sequence in its own cache. `positions` are those of the keys.
    fn attend(
        &self,
        i: usize,
        projected: Projected,
        positions: &[usize],
        sequences: &mut [Sequence<'_>],
        pass: Pass,
        observer: Option<&mut Observer>,
    ) -> Vec<f32> {
        let d = self.config.head_dim;
        let (query_width, key_width) = (self.config.heads * d, self.config.kv_heads * d);
        let Projected {
            mut queries,
            keys: unrotated_keys,
            values,
        } = projected;
        let mut keys = unrotated_keys.clone();
        let attending = queries.len() / query_width;
        self.rotate(
            &mut queries,
            query_width,
            &positions[positions.len() - attending..],
        );
        self.rotate(&mut keys, key_width, positions);
        let new = |queries, tokens: Range<usize>| {
            let span = tokens.start * key_width..tokens.end * key_width;
            NewTokens {
                queries,
                unrotated_keys: &unrotated_keys[span.clone()],
                keys: &keys[span.clone()],
                values: &values[span],
                position: positions[tokens.start],
                pass,
            }
        };
        if let ([sequence], Some(observer)) = (&mut *sequences, observer) {
            observer.see(i, &unrotated_keys, &queries, query_width);
            let new = new(&queries, 0..positions.len());
            return sequence.cache.attend(i, &new, observer.column_sums(i));
        }
        let mut start = 0;
        let spans: Vec<Range<usize>> = sequences
            .iter()
            .map(|sequence| {
                start += sequence.tokens.len();
                start - sequence.tokens.len()..start
            })
            .collect();
        let attended: Vec<Vec<f32>> = sequences
            .par_iter_mut()
            .zip(spans)
            .map(|(sequence, span)| {
                let queries = &queries[span.start * query_width..span.end * query_width];
                sequence.cache.attend(i, &new(queries, span), None)
            })
            .collect();
        attended.concat()
    }

    /// Rotates the heads of tokens at `positions` in place, `width` elements each.
    fn rotate(&self, heads: &mut [f32], width: usize, positions: &[usize]) {
        heads
            .par_chunks_mut(width)
            .with_min_len(16)
            .zip(positions)
            .for_each(|(heads, &position)| {
                for head in heads.chunks_exact_mut(self.config.head_dim) {
                    self.rope.rotate_in_place(head, position);
                }
            });
    }
}
