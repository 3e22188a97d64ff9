//! Keys that say how an answer is made from a model's logits, in `generation_config.json` and in a `config.json` of
//! older versions, as the `GenerationConfig` of transformers 5 and 4 knows them.

use super::KeyRule::{Greedy, Harmless};
use super::Neutral::{Absent, False, Null, One, Zero};
use super::{KeyRule, KeyRules, find};

/// The rule for a key; `sampled`: whether tokens are drawn, which some keys are about.
pub(in crate::model::config) fn rule(key: &str, sampled: bool) -> Option<KeyRule> {
    let drawing = find(DRAWING, key).map(|rule| if sampled { rule } else { Harmless });
    find(CHOOSING, key).or(drawing)
}

/// What changes which token is taken, of a greedy decoding too; or that it is none.
const CHOOSING: KeyRules = &[
    ("bad_words_ids", Greedy(Absent)),
    ("begin_suppress_tokens", Greedy(Absent)),
    ("constraints", Greedy(Absent)),
    ("diversity_penalty", Greedy(Zero)),
    ("do_sample", Greedy(False)),
    ("dola_layers", Greedy(Absent)),
    ("encoder_no_repeat_ngram_size", Greedy(Zero)),
    ("encoder_repetition_penalty", Greedy(One)),
    ("exponential_decay_length_penalty", Greedy(Absent)),
    ("force_words_ids", Greedy(Absent)),
    ("forced_bos_token_id", Greedy(Null)),
    ("forced_decoder_ids", Greedy(Absent)),
    ("forced_eos_token_id", Greedy(Null)),
    ("guidance_scale", Greedy(One)),
    ("min_length", Greedy(Zero)),
    ("min_new_tokens", Greedy(Zero)),
    ("no_repeat_ngram_size", Greedy(Zero)),
    ("num_beam_groups", Greedy(One)),
    ("num_beams", Greedy(One)),
    ("penalty_alpha", Greedy(Zero)),
    ("repetition_penalty", Greedy(One)),
    ("sequence_bias", Greedy(Absent)),
    ("stop_strings", Greedy(Absent)),
    ("suppress_tokens", Greedy(Absent)),
    ("token_healing", Greedy(False)),
    ("watermarking_config", Greedy(Absent)),
    // About lengths, which are the tasks' own, speed and what is returned.
    ("_from_model_config", Harmless),
    ("assistant_confidence_threshold", Harmless),
    ("assistant_early_exit", Harmless),
    ("assistant_ensemble_weight", Harmless),
    ("assistant_lookbehind", Harmless),
    ("bos_token_id", Harmless),
    ("cache_config", Harmless),
    ("cache_implementation", Harmless),
    ("compile_config", Harmless),
    ("continuous_batching_config", Harmless),
    ("decoder_start_token_id", Harmless),
    ("disable_compile", Harmless),
    ("early_stopping", Harmless),
    ("eos_token_id", Harmless),
    ("is_assistant", Harmless),
    ("length_penalty", Harmless),
    ("low_memory", Harmless),
    ("max_cache_len", Harmless),
    ("max_length", Harmless),
    ("max_matching_ngram_size", Harmless),
    ("max_new_tokens", Harmless),
    ("max_time", Harmless),
    ("num_assistant_tokens", Harmless),
    ("num_assistant_tokens_schedule", Harmless),
    ("num_return_sequences", Harmless),
    ("output_attentions", Harmless),
    ("output_hidden_states", Harmless),
    ("output_logits", Harmless),
    ("output_scores", Harmless),
    ("pad_token_id", Harmless),
    ("prefill_chunk_size", Harmless),
    ("prompt_lookup_num_tokens", Harmless),
    ("remove_invalid_values", Harmless),
    ("renormalize_logits", Harmless),
    ("return_dict_in_generate", Harmless),
    ("return_legacy_cache", Harmless),
    ("speculation_type", Harmless),
    ("target_lookbehind", Harmless),
    ("transformers_version", Harmless),
    ("trust_remote_code", Harmless),
    ("use_cache", Harmless),
    ("use_mtp", Harmless),
];

/// What changes how a token is drawn, and nothing where none is.
const DRAWING: KeyRules = &[
    ("epsilon_cutoff", Greedy(Zero)),
    ("eta_cutoff", Greedy(Zero)),
    ("min_p", Greedy(Zero)),
    ("temperature", Greedy(One)),
    ("top_h", Greedy(Absent)),
    ("top_k", Greedy(Zero)),
    ("top_p", Greedy(One)),
    ("typical_p", Greedy(One)),
];
