//! The one decoder: Llama, Mistral and Qwen are facts in its [`DecoderConfig`]; the cache is the caller's.
//!
//! Linear layers run as tensors on the model's device; attention runs in the cache's own representation on the
//! host. Activations are f32.

mod prune;

use candle_core::{DType, Device, IndexOp, Result, Tensor};
use candle_nn::ops::{rms_norm, silu};
use rayon::prelude::*;
use std::sync::Arc;

pub use prune::{Pruned, PrunedLayer};

use super::config::DecoderConfig;
use super::linear::{Linear, RowKind};
use super::observe::{Observe, Observer, Prefilled};
use super::rope::Rope;
use super::weights::Weights;
use crate::cache::{Cache, Geometry, LayerCache, NewTokens, StoreType};

/// Tokens of a prompt processed at once: memory stays linear in the prompt, products large enough to be fast.
pub const CHUNK: usize = 512;

pub struct Model {
    pub config: DecoderConfig,
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Tensor,
    head: Linear,
    rope: Arc<Rope>,
    device: Device,
}

struct Layer {
    attention_norm: Tensor,
    /// Queries, keys and values in one product, `[(heads + 2 kv_heads) * head_dim, hidden]`.
    qkv: Linear,
    /// Norms over each query and key head (Qwen3).
    query_key_norms: Option<(Tensor, Tensor)>,
    output: Linear,
    mlp_norm: Tensor,
    /// Gate and up projections in one product, `[2 intermediate, hidden]`.
    gate_up: Linear,
    down: Linear,
}

/// Whose tokens the rows of a forward pass are.
enum Sequences<'a, 'c> {
    One(&'a mut Cache, Option<&'a mut Observer>),
    Each(&'a mut [&'c mut Cache]),
}

impl Model {
    pub fn load(config: DecoderConfig, weights: &Weights, device: &Device) -> anyhow::Result<Self> {
        let get = |name: &str, shape: &[usize]| weights.tensor(name, shape, DType::F32, device);
        let embedding = get("model.embed_tokens.weight", &[config.vocab, config.hidden])?;
        let head = if config.tie_embeddings {
            embedding.clone()
        } else {
            get("lm_head.weight", &[config.vocab, config.hidden])?
        };
        let layers = (0..config.layers)
            .map(|i| Layer::load(&config, i, &get))
            .collect::<anyhow::Result<_>>()?;
        let rope = Arc::new(Rope::new(&config, config.max_prompt()));
        let norm = get("model.norm.weight", &[config.hidden])?;
        let device = device.clone();
        Ok(Self {
            config,
            embedding,
            layers,
            norm,
            head: Linear::new(head, None),
            rope,
            device,
        })
    }

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
    pub fn prefill(&self, tokens: &[u32], observe: Observe, store: StoreType) -> Result<Prefilled> {
        if tokens.is_empty() || tokens.len() > self.config.max_prompt() {
            candle_core::bail!(
                "a prompt of {} tokens: expected 1 to {}",
                tokens.len(),
                self.config.max_prompt()
            );
        }
        let geometry = self.geometry();
        let layers = (0..geometry.layers)
            .map(|_| LayerCache::empty(geometry, store))
            .collect();
        let mut cache = Cache {
            layers,
            rope: self.rope.clone(),
            seen: 0,
        };
        let mut observer = Observer::new(observe, geometry, store, tokens.len());
        let mut last = None;
        for chunk in tokens.chunks(CHUNK) {
            let x = self.forward(chunk, Sequences::One(&mut cache, Some(&mut observer)))?;
            last = Some(x.i(x.dim(0)? - 1..)?);
        }
        let logits = match last {
            Some(x) => self.logits(&x, RowKind::Batch)?.i(0)?.to_vec1()?,
            None => Vec::new(),
        };
        Ok(Prefilled {
            geometry,
            store,
            layers: observer.finish(cache.layers),
            tokens: tokens.to_vec(),
            len: tokens.len(),
            logits,
        })
    }

    /// One token for each of several caches. Returns logits `[caches, vocab]`; a row depends on its own cache alone.
    pub fn step(&self, tokens: &[u32], caches: &mut [&mut Cache]) -> Result<Tensor> {
        let x = self.forward(tokens, Sequences::Each(caches))?;
        self.logits(&x, RowKind::Batch)
    }

    /// Several tokens of one sequence after what its cache has seen: a question, or a continuation to be scored by
    /// teacher forcing. Returns logits at each of them, `[n, vocab]`.
    pub fn extend(&self, tokens: &[u32], cache: &mut Cache) -> Result<Tensor> {
        let x = self.forward(tokens, Sequences::One(cache, None))?;
        self.logits(&x, RowKind::Sequence)
    }

    fn logits(&self, x: &Tensor, kind: RowKind) -> Result<Tensor> {
        let x = rms_norm(&x.contiguous()?, &self.norm, self.config.norm_eps as f32)?;
        self.head.forward(&x, kind)
    }

    /// Hidden states after the last layer, `[n, hidden]`.
    fn forward(&self, tokens: &[u32], mut sequences: Sequences<'_, '_>) -> Result<Tensor> {
        let kind = match sequences {
            Sequences::One(..) => RowKind::Sequence,
            Sequences::Each(_) => RowKind::Batch,
        };
        let end = match &sequences {
            Sequences::One(cache, _) => cache.seen + tokens.len(),
            Sequences::Each(caches) => caches.iter().map(|cache| cache.seen + 1).max().unwrap_or(0),
        };
        if end > self.rope.max_len() {
            candle_core::bail!(
                "a token at position {}: the context ends at {}",
                end - 1,
                self.rope.max_len()
            );
        }
        let ids = Tensor::new(tokens, &self.device)?;
        let mut x = self.embedding.index_select(&ids, 0)?;
        for (i, layer) in self.layers.iter().enumerate() {
            let attend = |qkv: &Tensor| self.attend(i, layer, qkv, &mut sequences);
            x = self.block(layer, &x, kind, attend)?;
        }
        match sequences {
            Sequences::One(cache, _) => cache.seen += tokens.len(),
            Sequences::Each(caches) => caches.iter_mut().for_each(|cache| cache.seen += 1),
        }
        Ok(x)
    }

    /// One layer, attention and MLP, over hidden states `x`, `[n, hidden]`; `attend` makes of
    /// `[n, (heads + 2 kv_heads) * head_dim]` what the heads put out, `[n, heads * head_dim]`.
    fn block(
        &self,
        layer: &Layer,
        x: &Tensor,
        kind: RowKind,
        attend: impl FnOnce(&Tensor) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let eps = self.config.norm_eps as f32;
        let qkv = layer.qkv.forward(
            &rms_norm(&x.contiguous()?, &layer.attention_norm, eps)?,
            kind,
        )?;
        let x = (x + layer.output.forward(&attend(&qkv)?, kind)?)?;
        let gate_up = layer
            .gate_up
            .forward(&rms_norm(&x, &layer.mlp_norm, eps)?, kind)?;
        let gate = gate_up.narrow(1, 0, self.config.intermediate)?;
        let up = gate_up.narrow(1, self.config.intermediate, self.config.intermediate)?;
        let inner = (silu(&gate)? * up)?;
        x + layer.down.forward(&inner, kind)?
    }

    /// Queries, keys and values of `qkv` on the host, none of them rotated.
    fn project(&self, layer: &Layer, qkv: &Tensor) -> Result<(Vec<f32>, Vec<f32>, Vec<f32>)> {
        let d = self.config.head_dim;
        let (query_width, key_width) = (self.config.heads * d, self.config.kv_heads * d);
        let part = |start, width| qkv.narrow(1, start, width)?.contiguous();
        let (mut queries, mut keys) = (part(0, query_width)?, part(query_width, key_width)?);
        let values = part(query_width + key_width, key_width)?;
        if let Some((query_norm, key_norm)) = &layer.query_key_norms {
            let eps = self.config.norm_eps as f32;
            queries = rms_norm(&queries.reshape(((), d))?, query_norm, eps)?;
            keys = rms_norm(&keys.reshape(((), d))?, key_norm, eps)?;
        }
        let host = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        Ok((host(&queries)?, host(&keys)?, host(&values)?))
    }

    /// Attention of one layer: `qkv` `[n, (heads + 2 kv_heads) * head_dim]` to `[n, heads * head_dim]`.
    fn attend(
        &self,
        i: usize,
        layer: &Layer,
        qkv: &Tensor,
        sequences: &mut Sequences<'_, '_>,
    ) -> Result<Tensor> {
        let d = self.config.head_dim;
        let (query_width, key_width) = (self.config.heads * d, self.config.kv_heads * d);
        let (mut queries, unrotated_keys, values) = self.project(layer, qkv)?;
        let mut keys = unrotated_keys.clone();
        let n = qkv.dim(0)?;
        let attended = match sequences {
            Sequences::One(cache, observer) => {
                let position = cache.seen;
                for t in 0..n {
                    self.rotate(
                        &mut queries[t * query_width..(t + 1) * query_width],
                        position + t,
                    );
                    self.rotate(&mut keys[t * key_width..(t + 1) * key_width], position + t);
                }
                if let Some(observer) = observer {
                    observer.see(i, &unrotated_keys, &queries, query_width);
                }
                let new = NewTokens {
                    queries: &queries,
                    unrotated_keys: &unrotated_keys,
                    keys: &keys,
                    values: &values,
                    position,
                };
                let cache = &mut cache.layers[i];
                match observer.as_mut().and_then(|seen| seen.column_sums(i)) {
                    Some(sums) => cache.attend_summing(&new, &self.rope, sums),
                    None => cache.attend(&new, &self.rope),
                }
            }
            Sequences::Each(caches) => {
                let rows = queries
                    .par_chunks_mut(query_width)
                    .zip(keys.par_chunks_mut(key_width))
                    .zip(
                        unrotated_keys
                            .par_chunks(key_width)
                            .zip(values.par_chunks(key_width)),
                    );
                let attended: Vec<Vec<f32>> = caches
                    .par_iter_mut()
                    .zip(rows)
                    .map(|(cache, ((queries, keys), (unrotated_keys, values)))| {
                        let position = cache.seen;
                        self.rotate(queries, position);
                        self.rotate(keys, position);
                        let new = NewTokens {
                            queries,
                            unrotated_keys,
                            keys,
                            values,
                            position,
                        };
                        cache.layers[i].attend(&new, &self.rope)
                    })
                    .collect();
                attended.concat()
            }
        };
        Tensor::from_vec(attended, (n, query_width), &self.device)
    }

    /// Rotates the heads of one token in place.
    fn rotate(&self, heads: &mut [f32], position: usize) {
        for head in heads.chunks_exact_mut(self.config.head_dim) {
            self.rope.rotate_in_place(head, position);
        }
    }
}

impl Layer {
    fn load(
        config: &DecoderConfig,
        i: usize,
        get: &dyn Fn(&str, &[usize]) -> anyhow::Result<Tensor>,
    ) -> anyhow::Result<Self> {
        let DecoderConfig {
            hidden,
            intermediate,
            heads,
            kv_heads,
            head_dim,
            ..
        } = *config;
        let at = |name: &str, shape: &[usize]| get(&format!("model.layers.{i}.{name}"), shape);
        let projection = |name: &str, out: usize, inputs: usize, bias: bool| -> anyhow::Result<_> {
            let weight = at(&format!("{name}.weight"), &[out, inputs])?;
            let bias = bias
                .then(|| at(&format!("{name}.bias"), &[out]))
                .transpose()?;
            Ok((weight, bias))
        };
        let fused = |parts: Vec<(Tensor, Option<Tensor>)>| -> anyhow::Result<Linear> {
            let (weights, biases): (Vec<_>, Vec<_>) = parts.into_iter().unzip();
            let biases: Vec<Tensor> = biases.into_iter().flatten().collect();
            let bias = (!biases.is_empty())
                .then(|| Tensor::cat(&biases, 0))
                .transpose()?;
            Ok(Linear::new(Tensor::cat(&weights, 0)?, bias))
        };
        let query_key_norms = if config.qk_norm {
            let norm = |name: &str| at(name, &[head_dim]);
            Some((
                norm("self_attn.q_norm.weight")?,
                norm("self_attn.k_norm.weight")?,
            ))
        } else {
            None
        };
        let (query_width, key_width) = (heads * head_dim, kv_heads * head_dim);
        Ok(Self {
            attention_norm: at("input_layernorm.weight", &[hidden])?,
            qkv: fused(vec![
                projection("self_attn.q_proj", query_width, hidden, config.qkv_bias)?,
                projection("self_attn.k_proj", key_width, hidden, config.qkv_bias)?,
                projection("self_attn.v_proj", key_width, hidden, config.qkv_bias)?,
            ])?,
            query_key_norms,
            output: fused(vec![projection(
                "self_attn.o_proj",
                hidden,
                query_width,
                config.o_bias,
            )?])?,
            mlp_norm: at("post_attention_layernorm.weight", &[hidden])?,
            gate_up: fused(vec![
                projection("mlp.gate_proj", intermediate, hidden, false)?,
                projection("mlp.up_proj", intermediate, hidden, false)?,
            ])?,
            down: fused(vec![projection(
                "mlp.down_proj",
                hidden,
                intermediate,
                false,
            )?])?,
        })
    }
}
