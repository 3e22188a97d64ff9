//! The tokenizer in the metadata of a `.gguf` file.

mod metadata;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use tokenizers::Tokenizer;
use tokenizers::models::bpe::Vocab;

use super::definition::{Definition, digest};
use super::ends::Token;
use super::sentencepiece::{CONTROL, Pieces, UNKNOWN, USER_DEFINED};
use super::{byte_level, ends, merges, pre, sentencepiece};
use crate::bad_input;
use crate::model::chat::NamedTemplate;
use crate::model::weights::gguf_metadata;
use metadata::Metadata;

/// Names of special tokens, and the keys of their ids.
const SPECIAL: [(&str, &str); 7] = [
    ("bos_token", "bos_token_id"),
    ("eos_token", "eos_token_id"),
    ("unk_token", "unknown_token_id"),
    // As llama.cpp spells it.
    ("sep_token", "seperator_token_id"),
    ("pad_token", "padding_token_id"),
    ("cls_token", "cls_token_id"),
    ("mask_token", "mask_token_id"),
];
/// Keys of tokens that end an answer.
const ENDS: [&str; 3] = ["eos_token_id", "eot_token_id", "eom_token_id"];

pub(super) fn load(path: &Path) -> Result<Definition> {
    let file = path.display().to_string();
    let reading = || format!("cannot read {file}");
    let metadata = Metadata(gguf_metadata(path)?);
    let tokens = metadata.strings("tokens").with_context(reading)?;
    let special: BTreeMap<_, _> = SPECIAL
        .iter()
        .filter_map(|(name, key)| Some(((*name).to_owned(), metadata.token(key, &tokens)?.0)))
        .collect();
    let eos_ids = ENDS.iter().filter_map(|key| metadata.token(key, &tokens));
    let eos_ids = eos_ids.map(|(_, id)| id).collect();
    let mut notes = Vec::new();
    let tokenizer = match metadata.string("model").unwrap_or_default() {
        "gpt2" => byte_level(&metadata, &tokens, &file, &mut notes),
        "llama" => of_pieces(&metadata, &tokens),
        other => Err(bad_input!(
            "tokenizer.ggml.model is `{other}`, expected `gpt2` (byte-level BPE) or `llama` \
             (SentencePiece)"
        )),
    };
    let tokenizer = tokenizer.with_context(reading)?;
    Ok(Definition {
        sha256: digest(&tokenizer)?,
        tokenizer,
        patterns: Vec::new(),
        special,
        eos_ids,
        templates: templates(&metadata, &file),
        clean_up: false,
        file,
        notes,
    })
}

/// `tokenizer.chat_template`, and those that `tokenizer.chat_templates` names.
fn templates(metadata: &Metadata, file: &str) -> Vec<NamedTemplate> {
    let template = |name: &str, key: String| {
        let source = metadata.template(&key)?;
        Some(NamedTemplate {
            name: name.to_owned(),
            source,
            origin: format!("{file}: {key}"),
        })
    };
    let more = metadata.template_names();
    let more = more
        .iter()
        .filter_map(|name| template(name, format!("tokenizer.chat_template.{name}")));
    template("default", "tokenizer.chat_template".to_owned())
        .into_iter()
        .chain(more)
        .collect()
}

fn byte_level(
    metadata: &Metadata,
    tokens: &[String],
    file: &str,
    notes: &mut Vec<String>,
) -> Result<Tokenizer> {
    let name = metadata.string("pre").unwrap_or_else(|| {
        notes.push(format!(
            "{file}: no tokenizer.ggml.pre, which says how a text is split: `default` is taken, as llama.cpp does"
        ));
        "default"
    });
    let Some(pre) = pre::named(name) else {
        return Err(bad_input!(
            "tokenizer.ggml.pre is `{name}`, expected {}",
            pre::NAMES
        ));
    };
    let vocab: Vocab = tokens.iter().cloned().zip(0u32..).collect();
    let pair = |merge: String| {
        merges::pair(&merge).ok_or_else(|| {
            bad_input!("tokenizer.ggml.merges: `{merge}`, expected two parts of a merge")
        })
    };
    let merges = metadata.strings("merges")?.into_iter().map(pair);
    let mut tokenizer = byte_level::build(vocab, merges.collect::<Result<_>>()?, &pre)?;

    let kinds = metadata.kinds(tokens.len());
    // Tokens that other keys name are special whatever their kind.
    let named = SPECIAL
        .iter()
        .filter_map(|(_, key)| metadata.token(key, tokens));
    let named: BTreeSet<u32> = named.map(|(_, id)| id).collect();
    let mut special = Vec::new();
    let mut visible = Vec::new();
    for ((token, kind), id) in tokens.iter().zip(kinds).zip(0u32..) {
        match kind {
            UNKNOWN | CONTROL => special.push(byte_level::added(token, true)),
            _ if named.contains(&id) => special.push(byte_level::added(token, true)),
            // `<think>`: found in a text like a special one, but shown.
            USER_DEFINED => visible.push(byte_level::added(token, false)),
            _ => {}
        }
    }
    tokenizer
        .add_tokens(special.into_iter().chain(visible).collect::<Vec<_>>())
        .map_err(|error| anyhow!("{error}"))?;
    surround(metadata, tokens, (pre.bos, false), &mut tokenizer)?;
    Ok(tokenizer)
}

fn of_pieces(metadata: &Metadata, tokens: &[String]) -> Result<Tokenizer> {
    let scores = metadata.floats("scores")?;
    if scores.len() != tokens.len() {
        return Err(bad_input!(
            "tokenizer.ggml.scores has {} entries, expected {}",
            scores.len(),
            tokens.len()
        ));
    }
    let mut tokenizer = sentencepiece::build(&Pieces {
        tokens,
        scores: &scores,
        kinds: &metadata.kinds(tokens.len()),
        prefix: metadata.boolean("add_space_prefix").unwrap_or(true),
        every_part: true,
        byte_fallback: true,
    })?;
    surround(metadata, tokens, (true, false), &mut tokenizer)?;
    Ok(tokenizer)
}

/// BOS before and EOS after the text, as the file asks, or as its kind of tokenizer has it where it does not say.
fn surround(
    metadata: &Metadata,
    tokens: &[String],
    (bos, eos): (bool, bool),
    tokenizer: &mut Tokenizer,
) -> Result<()> {
    let wanted = |key: &str, default: bool, id: &str| -> Option<Token> {
        let wanted = metadata.boolean(key).unwrap_or(default);
        metadata.token(id, tokens).filter(|_| wanted)
    };
    let bos = wanted("add_bos_token", bos, "bos_token_id");
    let eos = wanted("add_eos_token", eos, "eos_token_id");
    ends::set(tokenizer, bos, eos)
}
