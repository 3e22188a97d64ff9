//! Keys of a Hugging Face `config.json`, as the configuration classes of transformers 5 and 4 know them.

use super::KeyRule::{Harmless, Ignored, Only};
use super::Neutral::{Absent, False, One, True, Zero};
use super::{KeyRule, KeyRules, find, generation};
use crate::model::config::Architecture;

/// The rule for a key at the top of the file; `sampled`: whether it asks for tokens to be drawn.
pub(in crate::model::config) fn rule(
    architecture: Architecture,
    key: &str,
    sampled: bool,
) -> Option<KeyRule> {
    let family = match architecture {
        Architecture::Llama => LLAMA,
        Architecture::Mistral => MISTRAL,
        Architecture::Qwen2 => QWEN2,
        Architecture::Qwen3 => QWEN3,
    };
    find(family, key)
        .or_else(|| find(EVERY, key))
        .or_else(|| generation::rule(key, sampled))
}

/// The rule for a key of `rope_parameters` or `rope_scaling`.
pub(in crate::model::config) fn rope_rule(key: &str) -> Option<KeyRule> {
    find(ROPE, key)
}

/// Llama's attention is full in every layer, whatever its configuration says of windows.
const LLAMA: KeyRules = &[
    ("layer_types", Ignored(Absent)),
    ("max_window_layers", Harmless),
    ("sliding_window", Ignored(Absent)),
    ("use_sliding_window", Ignored(False)),
];

const MISTRAL: KeyRules = &[
    ("attention_bias", Only(False)),
    ("layer_types", Ignored(Absent)),
    ("max_window_layers", Harmless),
    ("mlp_bias", Only(False)),
    ("use_sliding_window", Ignored(Absent)),
];

/// Its projections of queries, keys and values have biases and that of the output has none, whatever is said.
const QWEN2: KeyRules = &[("attention_bias", Harmless), ("mlp_bias", Only(False))];

const QWEN3: KeyRules = &[("mlp_bias", Only(False))];

/// Of every family.
const EVERY: KeyRules = &[
    // Of transformers and of other programs: about files and training.
    ("_attn_implementation", Harmless),
    ("_attn_implementation_autoset", Harmless),
    ("_attn_implementation_internal", Harmless),
    ("_flash_attn_2_enabled", Harmless),
    ("_name_or_path", Harmless),
    ("architectures", Harmless),
    ("attention_dropout", Harmless),
    ("attn_implementation", Harmless),
    ("chunk_size_feed_forward", Harmless),
    ("cross_attention_hidden_size", Harmless),
    ("dtype", Harmless),
    ("embd_pdrop", Harmless),
    ("ffn_dim_multiplier", Harmless),
    ("finetuning_task", Harmless),
    ("hidden_dropout", Harmless),
    ("id2label", Harmless),
    ("initializer_range", Harmless),
    ("is_decoder", Harmless),
    ("is_llama_config", Harmless),
    ("keys_to_ignore_at_inference", Harmless),
    ("label2id", Harmless),
    ("max_sequence_length", Harmless),
    ("multiple_of", Harmless),
    ("name_or_path", Harmless),
    ("num_labels", Harmless),
    // Read where the RoPE scaling needs it.
    ("original_max_position_embeddings", Harmless),
    ("prefix", Harmless),
    ("pretraining_tp", Harmless),
    ("problem_type", Harmless),
    ("resid_pdrop", Harmless),
    ("return_dict", Harmless),
    ("sep_token_id", Harmless),
    ("task_specific_params", Harmless),
    ("tf_legacy_loss", Harmless),
    ("tie_encoder_decoder", Harmless),
    ("tie_last_hidden_states", Harmless),
    ("tokenizer_class", Harmless),
    ("torch_dtype", Harmless),
    ("torchscript", Harmless),
    ("transformers.js_config", Harmless),
    ("unk_token_id", Harmless),
    ("unsloth_fixed", Harmless),
    ("unsloth_version", Harmless),
    ("use_bfloat16", Harmless),
    ("use_flash_attn", Harmless),
    ("use_return_dict", Harmless),
    // Code of its own, and what other programs do at long contexts: transformers does neither.
    ("auto_map", Ignored(Absent)),
    ("dual_chunk_attention_config", Ignored(Absent)),
    // Of other families, or of parts that are not computed.
    ("add_cross_attention", Only(False)),
    ("alibi", Only(False)),
    ("attention_multiplier", Only(Absent)),
    ("attn_logit_softcapping", Only(Absent)),
    ("attn_temperature_tuning", Only(Absent)),
    ("attention_out_bias", Only(False)),
    ("audio_config", Only(Absent)),
    ("clip_qkv", Only(Absent)),
    ("compression_config", Only(Absent)),
    ("cross_attention_layers", Only(Absent)),
    ("embedding_multiplier", Only(One)),
    ("final_logit_softcapping", Only(Absent)),
    ("full_attention_interval", Only(Absent)),
    ("hidden_activation", Only(Absent)),
    ("is_causal", Only(True)),
    ("is_encoder_decoder", Only(False)),
    ("kv_lora_rank", Only(Absent)),
    ("logit_scale", Only(One)),
    ("logits_scaling", Only(One)),
    ("mlp_layer_types", Only(Absent)),
    ("moe_intermediate_size", Only(Absent)),
    ("mrope_section", Only(Absent)),
    ("n_routed_experts", Only(Absent)),
    ("no_rope_layer_interval", Only(Absent)),
    ("no_rope_layers", Only(Absent)),
    ("norm_type", Only(Absent)),
    ("num_experts", Only(Absent)),
    ("num_experts_per_tok", Only(Absent)),
    ("num_local_experts", Only(Absent)),
    ("num_nextn_predict_layers", Only(Zero)),
    ("parallel_attn", Only(False)),
    ("per_layer_config", Only(Absent)),
    ("pruned_heads", Only(Absent)),
    ("q_lora_rank", Only(Absent)),
    ("quantization", Only(Absent)),
    ("qk_layernorm", Only(False)),
    ("qk_norm", Only(False)),
    ("query_pre_attn_scalar", Only(Absent)),
    ("residual_multiplier", Only(One)),
    ("rope_interleaved", Only(False)),
    ("rope_local_base_freq", Only(Absent)),
    ("rotary_pct", Only(One)),
    ("scale_depth", Only(Absent)),
    ("scale_emb", Only(One)),
    ("sliding_window_pattern", Only(Absent)),
    ("text_config", Only(Absent)),
    ("use_bidirectional_attention", Only(False)),
    ("use_mrope", Only(False)),
    ("use_parallel_residual", Only(False)),
    ("use_qk_norm", Only(False)),
    ("vision_config", Only(Absent)),
];

/// Of the RoPE settings, where the kind of scaling does not read them.
const ROPE: KeyRules = &[
    ("attention_factor", Only(One)),
    ("beta_fast", Harmless),
    ("beta_slow", Harmless),
    ("factor", Only(One)),
    ("finetuned", Harmless),
    ("high_freq_factor", Only(Absent)),
    ("long_factor", Only(Absent)),
    ("low_freq_factor", Only(Absent)),
    ("mrope_section", Only(Absent)),
    ("mscale", Only(One)),
    ("mscale_all_dim", Only(One)),
    ("original_max_position_embeddings", Harmless),
    ("short_factor", Only(Absent)),
    ("truncate", Harmless),
    // The older spelling beside `rope_type`.
    ("type", Harmless),
];
