//! Weights to a model.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::tensors::{EMBEDDING, Ends, HEAD, NORM, check, of_layer};
use super::{Layer, Model};
use crate::attend::rope::Rope;
use crate::attend::{Host, Rule};
use crate::model::config::DecoderConfig;
use crate::model::linear::Linear;
use crate::model::weights::Weights;

impl Model {
    /// Reads the weights of a model of this configuration.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) naming file and tensor: one is missing, of another shape, or beside those
    /// that the decoder uses and not without effect; also weights that do not fit into memory.
    pub fn load(
        mut config: DecoderConfig,
        weights: &Weights,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let (ends, found) = check(&config, weights)?;
        let mut notes = std::mem::take(&mut config.notes);
        notes.extend(config.window_note.iter().cloned().chain(found));
        let get = |name: &str, shape: &[usize]| weights.tensor(name, shape, DType::F32, device);
        let table = [config.vocab, config.hidden];
        let (embedding, head) = match ends {
            Ends::Tied(name) => (None, get(name, &table)?),
            Ends::Apart => (Some(get(EMBEDDING, &table)?), get(HEAD, &table)?),
            Ends::TiedButBoth => {
                let (embedding, head) = (get(EMBEDDING, &table)?, get(HEAD, &table)?);
                let same = embedding.eq(&head)?.flatten_all()?.min(0)?;
                if same.to_scalar::<u8>()? == 1 {
                    (None, head)
                } else {
                    notes.push(format!(
                        "{}: tie_word_embeddings is true, but {HEAD} differs from the embedding: it is used for the \
                         logits, as transformers does",
                        weights.file_of(HEAD)
                    ));
                    (Some(embedding), head)
                }
            }
        };
        let shapes = of_layer(&config);
        let layers = (0..config.layers)
            .map(|i| Layer::load(i, &shapes, &get))
            .collect::<anyhow::Result<_>>()?;
        let scaling = config.rope_scaling.as_ref();
        let rope = Rope::new(
            config.head_dim,
            config.rope_theta,
            scaling,
            config.max_prompt(),
        );
        let rule = Rule::new(config.head_dim, Some(Arc::new(rope)));
        let norm = get(NORM, &[config.hidden])?;
        let device = device.clone();
        Ok(Self {
            notes,
            embedding,
            layers,
            norm,
            head: Linear::new(&head, None)?,
            rules: vec![rule; config.layers],
            attention: Box::new(Host),
            device,
            config,
        })
    }
}

impl Layer {
    fn load(
        i: usize,
        shapes: &[(String, Vec<usize>)],
        get: &dyn Fn(&str, &[usize]) -> anyhow::Result<Tensor>,
    ) -> anyhow::Result<Self> {
        let shapes: HashMap<&str, &[usize]> = shapes
            .iter()
            .map(|(name, shape)| (name.as_str(), shape.as_slice()))
            .collect();
        // None: a model of this configuration has no such tensor.
        let optional = |name: &str| {
            let shape = shapes.get(name);
            shape
                .map(|shape| get(&format!("model.layers.{i}.{name}"), shape))
                .transpose()
        };
        let at = |name: &str| {
            optional(name)?.ok_or_else(|| anyhow::anyhow!("a layer has no tensor {name}"))
        };
        let fused = |projections: &[&str]| -> anyhow::Result<Linear> {
            let (mut weights, mut biases) = (Vec::new(), Vec::new());
            for name in projections {
                weights.push(at(&format!("{name}.weight"))?);
                biases.extend(optional(&format!("{name}.bias"))?);
            }
            let bias = (!biases.is_empty())
                .then(|| Tensor::cat(&biases, 0))
                .transpose()?;
            let joined = Tensor::cat(&weights, 0)?;
            // Not held while the product's panels are made.
            drop(weights);
            Ok(Linear::new(&joined, bias)?)
        };
        let query_norm = optional("self_attn.q_norm.weight")?;
        let key_norm = optional("self_attn.k_norm.weight")?;
        Ok(Self {
            attention_norm: at("input_layernorm.weight")?,
            queries: fused(&["self_attn.q_proj"])?,
            keys: fused(&["self_attn.k_proj"])?,
            values: fused(&["self_attn.v_proj"])?,
            query_key_norms: query_norm.zip(key_norm),
            output: fused(&["self_attn.o_proj"])?,
            mlp_norm: at("post_attention_layernorm.weight")?,
            gate_up: fused(&["mlp.gate_proj", "mlp.up_proj"])?,
            down: fused(&["mlp.down_proj"])?,
        })
    }
}
