//! The one decoder: Llama, Mistral and Qwen are facts in its [`DecoderConfig`]; the cache is the caller's.
//!
//! Linear layers run as tensors on the model's device; how attention runs is a part of its own. Activations are f32.

mod load;
mod prune;
mod tensors;

use candle_core::{Device, Error, Result, Tensor};
use std::ops::Range;

pub use prune::{Pruned, PrunedLayer};

use super::config::DecoderConfig;
use super::linear::Linear;
use super::observe::{Observe, Observer, Prefilled};
use super::ops::{rms_norm, swiglu};
use crate::attend::{Attention, Batch, Pass, Rule};
use crate::profile;
use crate::store::{Cache, Geometry, LayerStore, StoreType};

/// Tokens of a prompt processed at once: memory stays linear in the prompt, products large enough to be fast.
pub const CHUNK: usize = 512;

/// A decoder with its weights. It holds no cache: each call takes those of its sequences.
pub struct Model {
    /// The facts that its files state of it.
    pub config: DecoderConfig,
    /// What a reader of the results should know of its files, a line each.
    pub notes: Vec<String>,
    /// None: tied to the head, whose rows it is.
    embedding: Option<Tensor>,
    layers: Vec<Layer>,
    norm: Tensor,
    head: Linear,
    /// How each layer attends.
    rules: Vec<Rule>,
    attention: Box<dyn Attention>,
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
    /// New tokens, which follow those that the cache has seen.
    pub tokens: &'a [u32],
    /// The cache that they are appended to.
    pub cache: &'a mut Cache,
}

/// Queries, keys and values of a layer, none of them rotated: `[n, heads of their kind * head_dim]`.
struct Projected {
    /// Of the last tokens only, where no more are to attend.
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
}

impl Model {
    /// Layers, heads and head dimension.
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

    /// Scale, soft cap, window and RoPE of the attention of layer `layer`, from 0.
    pub fn rule(&self, layer: usize) -> &Rule {
        &self.rules[layer]
    }

    /// Processes a whole prompt with full attention, in chunks. Only the last position's logits are computed.
    ///
    /// # Errors
    /// A prompt of no token or longer than the model's context; a value that is not finite, or that `store` cannot
    /// hold.
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
                let resume = |kv| LayerStore::resume(kv, common);
                kv.into_iter().map(resume).collect()
            }
            _ => {
                let empty = |_| LayerStore::empty(geometry, store);
                (0..geometry.layers).map(empty).collect()
            }
        };
        let mut cache = Cache::new(layers, common);
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
            layers: observer.finish(cache.layers, &self.rules),
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
        // Rows beyond are of other memory, or zeros that fill up a panel.
        if let Some(id) = tokens.iter().find(|id| **id as usize >= self.config.vocab) {
            candle_core::bail!(
                "token id {id}: the embedding has {} rows",
                self.config.vocab
            );
        }
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
        let context = self.config.max_prompt();
        if last >= context {
            return Err(Error::Msg(format!(
                "a token at position {last}: the context ends at {context}"
            )));
        }
        let mut start = 0;
        let spans: Vec<Range<usize>> = sequences
            .iter()
            .map(|sequence| {
                start += sequence.tokens.len();
                start - sequence.tokens.len()..start
            })
            .collect();
        let mut x = self.embed(&tokens)?;
        for (i, layer) in self.layers.iter().enumerate() {
            let attending = match &observer {
                Some(observer) if i + 1 == self.layers.len() => observer.attending(tokens.len()),
                _ => tokens.len(),
            };
            x = self.block(layer, &x, attending, |projected| {
                let batch = Batch {
                    queries: &projected.queries,
                    keys: &projected.keys,
                    values: &projected.values,
                    spans: &spans,
                    positions: &positions,
                    pass,
                };
                let observer = observer.as_deref_mut();
                profile::attention(|| self.attend(i, &batch, sequences, observer))
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
        attend: impl FnOnce(Projected) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let eps = self.config.norm_eps;
        let normed = rms_norm(x, &layer.attention_norm, eps)?;
        let first = x.dim(0)? - attending;
        let x = x.narrow(0, first, attending)?;
        let projected = self.project(layer, &normed, &normed.narrow(0, first, attending)?)?;
        let x = layer.output.add_to(&x, &attend(projected)?)?;
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
            let eps = self.config.norm_eps;
            let over_heads = |rows: &Tensor, norm: &Tensor| {
                let heads = rows.reshape(((), self.config.head_dim))?;
                rms_norm(&heads, norm, eps)?.reshape(rows.shape())
            };
            queries = over_heads(&queries, query_norm)?;
            keys = over_heads(&keys, key_norm)?;
        }
        Ok(Projected {
            queries,
            keys,
            values: layer.values.forward(x)?,
        })
    }

    /// Attention of layer `i`: each sequence in its own cache, which notes a fault.
    fn attend(
        &self,
        i: usize,
        new: &Batch<'_>,
        sequences: &mut [Sequence<'_>],
        mut observer: Option<&mut Observer>,
    ) -> Result<Tensor> {
        let rule = &self.rules[i];
        if let Some(observer) = observer.as_deref_mut() {
            observer.see(i, new)?;
        }
        let caches = sequences.iter_mut();
        let mut layers: Vec<&mut LayerStore> = caches
            .map(|sequence| &mut sequence.cache.layers[i])
            .collect();
        let drawn = observer.and_then(|observer| observer.column_sums(i));
        let attended = self.attention.attend(rule, new, &mut layers, drawn)?;
        for (sequence, fault) in sequences.iter_mut().zip(attended.faults) {
            sequence.cache.note(fault.map(|fault| fault.in_layer(i)));
        }
        Ok(attended.output)
    }
}
