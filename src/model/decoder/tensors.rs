//! Which tensors the decoder reads, by their Hugging Face names, and what a file holds beside them.

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;

use crate::attend::rope::RopeScaling;
use crate::bad_input;
use crate::memory;
use crate::model::config::{DecoderConfig, list, list_some};
use crate::model::weights::{ROPE_DIVISORS, Weights};

pub(super) const EMBEDDING: &str = "model.embed_tokens.weight";
pub(super) const HEAD: &str = "lm_head.weight";
pub(super) const NORM: &str = "model.norm.weight";

/// Where embedding and head come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// Each from a tensor of its own.
    Apart,
    /// Both from the tensor of this name.
    Tied(&'static str),
    /// The configuration ties them, and the file has a tensor for each.
    TiedButBoth,
}

/// Names below `model.layers.N.` with the shapes of one layer.
pub(super) fn of_layer(config: &DecoderConfig) -> Vec<(String, Vec<usize>)> {
    let DecoderConfig {
        hidden,
        intermediate,
        heads,
        kv_heads,
        head_dim,
        qkv_bias,
        o_bias,
        mlp_bias,
        ..
    } = *config;
    let (query, key) = (heads * head_dim, kv_heads * head_dim);
    let mut tensors = vec![
        ("input_layernorm.weight".to_owned(), vec![hidden]),
        ("post_attention_layernorm.weight".to_owned(), vec![hidden]),
    ];
    if config.qk_norm {
        tensors.push(("self_attn.q_norm.weight".to_owned(), vec![head_dim]));
        tensors.push(("self_attn.k_norm.weight".to_owned(), vec![head_dim]));
    }
    for (projection, outputs, inputs, bias) in [
        ("self_attn.q_proj", query, hidden, qkv_bias),
        ("self_attn.k_proj", key, hidden, qkv_bias),
        ("self_attn.v_proj", key, hidden, qkv_bias),
        ("self_attn.o_proj", hidden, query, o_bias),
        ("mlp.gate_proj", intermediate, hidden, mlp_bias),
        ("mlp.up_proj", intermediate, hidden, mlp_bias),
        ("mlp.down_proj", hidden, intermediate, mlp_bias),
    ] {
        tensors.push((format!("{projection}.weight"), vec![outputs, inputs]));
        if bias {
            tensors.push((format!("{projection}.bias"), vec![outputs]));
        }
    }
    tensors
}

/// Checks, before anything is read, that every tensor is there with its shape, that all of them fit into memory in f32,
/// and that the file has none beside them that would change the result. Returns where embedding and head come from,
/// and notes.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) naming file and tensor.
pub(super) fn check(config: &DecoderConfig, weights: &Weights) -> Result<(Ends, Vec<String>)> {
    let (mut used, mut bytes) = (HashSet::new(), 0u64);
    let mut need = |name: &str, shape: &[usize]| -> Result<()> {
        weights.check(name, shape)?;
        let elements: usize = shape.iter().product();
        bytes = bytes.saturating_add((elements as u64).saturating_mul(4));
        used.insert(weights.stored(name));
        Ok(())
    };
    let table = [config.vocab, config.hidden];
    let ends = match (
        config.tie_embeddings,
        weights.has(EMBEDDING),
        weights.has(HEAD),
    ) {
        (false, ..) => Ends::Apart,
        (true, true, true) => Ends::TiedButBoth,
        (true, false, true) => Ends::Tied(HEAD),
        (true, ..) => Ends::Tied(EMBEDDING),
    };
    match ends {
        Ends::Tied(name) => need(name, &table)?,
        Ends::Apart | Ends::TiedButBoth => {
            need(EMBEDDING, &table)?;
            need(HEAD, &table)?;
        }
    }
    let layer = of_layer(config);
    for i in 0..config.layers {
        for (name, shape) in &layer {
            need(&format!("model.layers.{i}.{name}"), shape)?;
        }
    }
    need(NORM, &[config.hidden])?;
    if matches!(config.rope_scaling, Some(RopeScaling::Divisors(_))) {
        used.insert(ROPE_DIVISORS.to_owned());
    }
    let file = weights.file_of(&weights.stored(NORM));
    memory::check(bytes, &format_args!("{file}: its weights, held in f32,"))?;

    let mut notes = Vec::new();
    if ends == Ends::Tied(HEAD) {
        notes.push(format!(
            "{file}: {EMBEDDING} is not there: {HEAD} is used for it, as tie_word_embeddings says"
        ));
    }
    notes.extend(beside(config, weights, &weights.beside(&used))?);
    Ok((ends, notes))
}

/// Judges the tensors that are not used: one note for all of them.
fn beside(config: &DecoderConfig, weights: &Weights, unused: &[String]) -> Result<Option<String>> {
    let changes = |name: &&String| would_change(name, config.layers, weights.gguf().is_some());
    let refused: Vec<String> = unused.iter().filter(changes).cloned().collect();
    if let Some(first) = refused.first() {
        return Err(bad_input!(
            "{}: {} would change the result, and the decoder has no place for it in a model of {}",
            weights.file_of(first),
            list_some("tensor", &refused),
            config.architecture
        ));
    }
    let Some(first) = unused.first() else {
        return Ok(None);
    };
    // Those of one kind are told once, whatever their layer.
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for name in unused {
        let parts = name.split('.').map(|part| match part.parse::<u32>() {
            Ok(_) => "*",
            Err(_) => part,
        });
        *kinds
            .entry(parts.collect::<Vec<_>>().join("."))
            .or_default() += 1;
    }
    let kinds: Vec<String> = kinds
        .into_iter()
        .map(|(kind, count)| match count {
            1 => kind,
            _ => format!("{count} of {kind}"),
        })
        .collect();
    Ok(Some(format!(
        "{}: tensors that the model does not use: {}",
        weights.file_of(first),
        list("kind", &kinds)
    )))
}

/// Whether a tensor belongs to what the decoder computes: to a layer that it runs, to the embedding or to the head.
fn would_change(name: &str, layers: usize, gguf: bool) -> bool {
    // Tables of RoPE angles, which follow from the configuration.
    const ANGLES: [&str; 5] = [
        "rotary_emb.inv_freq",
        "rotary_emb.cos_cached",
        "rotary_emb.sin_cached",
        "attn_rot_embd",
        "attn_rot_embd.weight",
    ];
    if ANGLES.iter().any(|angles| name.ends_with(angles)) {
        return false;
    }
    let own: &[&str] = match gguf {
        true => &["output", "position_embd", "rope_", "token_", "per_layer_"],
        false => &["embed_tokens.", "lm_head.", "model.", "norm."],
    };
    let layer = match gguf {
        true => name.strip_prefix("blk."),
        false => name
            .strip_prefix("model.")
            .unwrap_or(name)
            .strip_prefix("layers."),
    };
    match layer.and_then(|rest| rest.split_once('.')) {
        Some((number, _)) => number.parse().map_or(true, |i: usize| i < layers),
        None => own.iter().any(|beginning| name.starts_with(beginning)),
    }
}

#[cfg(test)]
mod tests {
    use super::would_change;

    #[test]
    fn what_would_change_the_result() {
        for (name, gguf, expected) in [
            ("model.layers.1.self_attn.q_norm.weight", false, true),
            ("layers.0.mlp.up_proj.bias", false, true),
            ("model.layers.x.bias", false, true),
            ("model.layers.2.input_layernorm.weight", false, false),
            ("model.layers.0.self_attn.rotary_emb.inv_freq", false, false),
            ("model.embed_norm.weight", false, true),
            ("lm_head.bias", false, true),
            ("norm.bias", false, true),
            ("score.weight", false, false),
            ("vision_tower.layers.0.weight", false, false),
            ("blk.1.ffn_up.bias", true, true),
            ("blk.2.ffn_up.bias", true, false),
            ("blk.0.attn_rot_embd", true, false),
            ("token_embd_norm.weight", true, true),
            ("output.bias", true, true),
            ("rope_factors_long.weight", true, true),
            ("v.blk.0.attn_q.weight", true, false),
        ] {
            assert_eq!(would_change(name, 2, gguf), expected, "{name}");
        }
    }
}
