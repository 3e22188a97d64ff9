//! Weights to a model.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::{Layer, Model};
use crate::model::config::DecoderConfig;
use crate::model::linear::Linear;
use crate::model::rope::Rope;
use crate::model::weights::Weights;

impl Model {
    pub fn load(config: DecoderConfig, weights: &Weights, device: &Device) -> anyhow::Result<Self> {
        let get = |name: &str, shape: &[usize]| weights.tensor(name, shape, DType::F32, device);
        let embedding = get("model.embed_tokens.weight", &[config.vocab, config.hidden])?;
        let (embedding, head) = if config.tie_embeddings {
            (None, embedding)
        } else {
            let head = get("lm_head.weight", &[config.vocab, config.hidden])?;
            (Some(embedding), head)
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
            head: Linear::new(&head, None)?,
            rope,
            device,
        })
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
            Ok(Linear::new(&Tensor::cat(&weights, 0)?, bias)?)
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
            queries: fused(vec![projection(
                "self_attn.q_proj",
                query_width,
                hidden,
                config.qkv_bias,
            )?])?,
            keys: fused(vec![projection(
                "self_attn.k_proj",
                key_width,
                hidden,
                config.qkv_bias,
            )?])?,
            values: fused(vec![projection(
                "self_attn.v_proj",
                key_width,
                hidden,
                config.qkv_bias,
            )?])?,
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
