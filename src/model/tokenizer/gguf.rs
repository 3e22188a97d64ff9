//! The tokenizer in the metadata of a `.gguf` file.

mod metadata;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use tokenizers::Tokenizer;
use tokenizers::models::bpe::Vocab;

use super::definition::{FoundTokenizer, digest};
use super::ends::Token;
use super::sentencepiece::{CONTROL, Pieces, UNKNOWN, USER_DEFINED};
use super::{byte_level, ends, merges, pre, sentencepiece};
use crate::bad_input;
use crate::model::chat::NamedTemplate;
use crate::model::weights::gguf_metadata;
use metadata::{BOS, Metadata};

/// Names of special tokens, the keys of their ids, and the ids that llama.cpp takes for SentencePiece without the key.
const SPECIAL: [(&str, &str, Option<u32>); 7] = [
    ("bos_token", BOS, Some(1)),
    ("eos_token", "eos_token_id", Some(2)),
    ("unk_token", "unknown_token_id", Some(0)),
    // As llama.cpp spells it.
    ("sep_token", "seperator_token_id", None),
    ("pad_token", "padding_token_id", None),
    ("cls_token", "cls_token_id", None),
    ("mask_token", "mask_token_id", None),
];
/// Keys of tokens that end an answer, beside EOS.
const ENDS: [&str; 2] = ["eot_token_id", "eom_token_id"];

pub(super) fn load(path: &Path) -> Result<FoundTokenizer> {
    let file = path.display().to_string();
    let reading = || format!("cannot read {file}");
    let metadata = Metadata(gguf_metadata(path)?);
    let tokens = metadata.strings("tokens").with_context(reading)?;
    let model = metadata.string("model").with_context(reading)?;
    let model = model.unwrap_or_default();
    let mut notes = Vec::new();
    let special = special(&metadata, &tokens, model == "llama", &mut notes);
    let special = special.with_context(reading)?;
    let mut eos_ids: Vec<u32> = special
        .get("eos_token")
        .map(|(_, id)| *id)
        .into_iter()
        .collect();
    for key in ENDS {
        let end = metadata.token(key, None, &tokens, &mut notes);
        let end = end.with_context(reading)?;
        eos_ids.extend(end.map(|(_, id)| id));
    }
    notes
        .iter_mut()
        .for_each(|note| *note = format!("{file}: {note}"));
    let tokenizer = match model {
        "gpt2" => byte_level(&metadata, &tokens, &special, &file, &mut notes),
        "llama" => of_pieces(&metadata, &tokens, &special),
        other => Err(bad_input!(
            "tokenizer.ggml.model is `{other}`, expected `gpt2` (byte-level BPE) or `llama` \
             (SentencePiece)"
        )),
    };
    let tokenizer = tokenizer.with_context(reading)?;
    Ok(FoundTokenizer {
        sha256: digest(&tokenizer)?,
        tokenizer,
        patterns: Vec::new(),
        templates: templates(&metadata, &file).with_context(reading)?,
        special: special
            .into_iter()
            .map(|(name, (token, _))| (name.to_owned(), token))
            .collect(),
        eos_ids,
        clean_up: false,
        file,
        notes,
    })
}

/// Special tokens by their names.
type Special = BTreeMap<&'static str, Token>;

fn special(
    metadata: &Metadata,
    tokens: &[String],
    are_pieces: bool,
    notes: &mut Vec<String>,
) -> Result<Special> {
    let mut found = Special::new();
    for (name, key, otherwise) in SPECIAL {
        let otherwise = otherwise.filter(|&id| are_pieces && (id as usize) < tokens.len());
        if let Some(token) = metadata.token(key, otherwise, tokens, notes)? {
            found.insert(name, token);
        }
    }
    Ok(found)
}

/// `tokenizer.chat_template`, and those that `tokenizer.chat_templates` names.
fn templates(metadata: &Metadata, file: &str) -> Result<Vec<NamedTemplate>> {
    let template = |name: String, key: String| {
        let source = metadata.template(&key)?;
        Ok(source.map(|source| NamedTemplate {
            name,
            source,
            origin: format!("{file}: {key}"),
        }))
    };
    let more = metadata.template_names()?.into_iter().map(|name| {
        let key = format!("tokenizer.chat_template.{name}");
        (name, key)
    });
    let default = ("default".to_owned(), "tokenizer.chat_template".to_owned());
    let all = std::iter::once(default).chain(more);
    all.filter_map(|(name, key)| template(name, key).transpose())
        .collect()
}

fn byte_level(
    metadata: &Metadata,
    tokens: &[String],
    special: &Special,
    file: &str,
    notes: &mut Vec<String>,
) -> Result<Tokenizer> {
    let name = metadata.string("pre")?.unwrap_or_else(|| {
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

    let kinds = metadata.kinds(tokens.len())?;
    // Tokens that other keys name are special whatever their kind.
    let named: BTreeSet<u32> = special.values().map(|(_, id)| *id).collect();
    let mut hidden = Vec::new();
    let mut visible = Vec::new();
    for ((token, kind), id) in tokens.iter().zip(kinds).zip(0u32..) {
        match kind {
            UNKNOWN | CONTROL => hidden.push(byte_level::added(token, true)),
            _ if named.contains(&id) => hidden.push(byte_level::added(token, true)),
            // `<think>`: found in a text like a special one, but shown.
            USER_DEFINED => visible.push(byte_level::added(token, false)),
            _ => {}
        }
    }
    tokenizer
        .add_tokens(hidden.into_iter().chain(visible).collect::<Vec<_>>())
        .map_err(|error| anyhow!("{error}"))?;
    surround(metadata, special, (pre.bos, false), &mut tokenizer)?;
    Ok(tokenizer)
}

fn of_pieces(metadata: &Metadata, tokens: &[String], special: &Special) -> Result<Tokenizer> {
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
        kinds: &metadata.kinds(tokens.len())?,
        prefix: metadata.boolean("add_space_prefix")?.unwrap_or(true),
        every_part: true,
        byte_fallback: true,
    })?;
    surround(metadata, special, (true, false), &mut tokenizer)?;
    Ok(tokenizer)
}

/// BOS before and EOS after the text, as the file asks, or as its kind of tokenizer has it where it does not say.
fn surround(
    metadata: &Metadata,
    special: &Special,
    (bos, eos): (bool, bool),
    tokenizer: &mut Tokenizer,
) -> Result<()> {
    let wanted = |key: &str, default: bool, name: &str| -> Result<Option<Token>> {
        let wanted = metadata.boolean(key)?.unwrap_or(default);
        Ok(special.get(name).filter(|_| wanted).cloned())
    };
    let bos = wanted("add_bos_token", bos, "bos_token")?;
    let eos = wanted("add_eos_token", eos, "eos_token")?;
    ends::set(tokenizer, bos, eos)
}
