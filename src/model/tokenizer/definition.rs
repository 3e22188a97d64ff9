//! What either layout of a model's files comes to.

use std::collections::BTreeMap;

use anyhow::Result;
use sha2::{Digest, Sha256};
use tokenizers::Tokenizer;

use crate::model::chat::NamedTemplate;

/// What a model's files say, before it is completed to a [`ModelTokenizer`](super::ModelTokenizer).
pub(super) struct FoundTokenizer {
    pub tokenizer: Tokenizer,
    /// The file that the tokenizer was read from.
    pub file: String,
    /// Where the tokenizer's own regular expressions stand, and what they are.
    pub patterns: Vec<String>,
    /// `bos_token`, `eos_token`, `pad_token` and the like, with their text.
    pub special: BTreeMap<String, String>,
    /// Every id that the files call an end of sequence or of turn.
    pub eos_ids: Vec<u32>,
    pub templates: Vec<NamedTemplate>,
    /// Whether decoded text loses the spaces before punctuation.
    pub clean_up: bool,
    pub sha256: String,
    pub notes: Vec<String>,
}

/// SHA-256 of a tokenizer in the format of `tokenizer.json`.
pub(super) fn digest(tokenizer: &Tokenizer) -> Result<String> {
    let definition = tokenizer
        .to_string(false)
        .map_err(anyhow::Error::from_boxed)?;
    Ok(format!("{:x}", Sha256::digest(definition)))
}
