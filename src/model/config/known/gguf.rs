//! Keys of GGUF metadata, as llama.cpp's `gguf-py/gguf/constants.py` and `llama-arch.cpp` know them.

use super::KeyRule::{Greedy, Harmless, Ignored, Only};
use super::Neutral::{Absent, False, One, Text, True, Zero};
use super::{KeyRule, KeyRules, find};
use crate::model::config::Architecture;

/// Keys that begin so say nothing about the forward pass.
const ELSEWHERE: [&str; 4] = ["general.", "quantize.", "split.", "tokenizer."];

/// The rule for a key of a file of this architecture.
pub(in crate::model::config) fn rule(architecture: Architecture, key: &str) -> Option<KeyRule> {
    let own = key
        .strip_prefix(architecture.name())
        .and_then(|rest| rest.strip_prefix('.'));
    match own {
        Some(below) => find(EVERY, below),
        None if key == "general.type" => Some(Only(Text("model"))),
        None if key.starts_with("general.sampling.") => Some(Greedy(Absent)),
        None => ELSEWHERE
            .iter()
            .any(|beginning| key.starts_with(beginning))
            .then_some(Harmless),
    }
}

/// Below the architecture's name, of every architecture that is read.
const EVERY: KeyRules = &[
    ("attention.layer_norm_epsilon", Harmless),
    ("pooling_type", Harmless),
    ("rope.scaling.finetuned", Harmless),
    ("rope.scaling.original_context_length", Harmless),
    ("rope.scaling.yarn_beta_fast", Harmless),
    ("rope.scaling.yarn_beta_slow", Harmless),
    ("tensor_data_layout", Harmless),
    // The rows of the embedding are what counts.
    ("vocab_size", Harmless),
    // Read by llama.cpp for other architectures alone.
    ("attention.scale", Ignored(Absent)),
    ("rope.scaling.yarn_attn_factor", Ignored(One)),
    ("rope.scaling.yarn_ext_factor", Ignored(Zero)),
    ("rope.scaling.yarn_log_multiplier", Ignored(Zero)),
    // Of other architectures, or of parts that are not computed.
    ("attention.causal", Only(True)),
    ("attention.clamp_kqv", Only(Zero)),
    ("attention.key_length_mla", Only(Absent)),
    ("attention.key_length_swa", Only(Absent)),
    ("attention.kv_lora_rank", Only(Absent)),
    ("attention.max_alibi_bias", Only(Zero)),
    ("attention.output_scale", Only(One)),
    ("attention.q_lora_rank", Only(Absent)),
    ("attention.shared_kv_layers", Only(Absent)),
    ("attention.sliding_window_pattern", Only(Absent)),
    ("attention.temperature_length", Only(Absent)),
    ("attention.temperature_scale", Only(Absent)),
    ("attention.value_length_mla", Only(Absent)),
    ("attention.value_length_swa", Only(Absent)),
    ("attn_logit_softcapping", Only(Absent)),
    ("embedding_length_out", Only(Absent)),
    ("embedding_length_per_layer_input", Only(Absent)),
    ("embedding_scale", Only(One)),
    ("expert_count", Only(Zero)),
    ("expert_shared_count", Only(Zero)),
    ("expert_used_count", Only(Zero)),
    ("final_logit_softcapping", Only(Absent)),
    ("full_attention_interval", Only(Absent)),
    ("logit_scale", Only(One)),
    ("moe_every_n_layers", Only(Zero)),
    ("nextn_predict_layers", Only(Zero)),
    ("residual_scale", Only(One)),
    ("rope.dimension_count_swa", Only(Absent)),
    ("rope.dimension_sections", Only(Absent)),
    ("rope.freq_base_swa", Only(Absent)),
    ("rope.scaling.alpha", Only(Absent)),
    ("rope.scaling.attn_factor", Only(One)),
    ("swin_norm", Only(False)),
    ("use_parallel_residual", Only(False)),
];
