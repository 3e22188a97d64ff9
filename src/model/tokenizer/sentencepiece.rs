//! SentencePiece BPE in GGUF metadata: Llama 2, Mistral, TinyLlama.
//!
//! The file holds pieces and scores but no merges. As in `transformers` (`generate_merges`), every
//! way to split a piece into two pieces becomes a merge, ranked by the score of the whole.

use std::cmp::Reverse;
use std::collections::HashMap;

use anyhow::{Result, anyhow};
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::decoders::sequence::Sequence as DecoderSequence;
use tokenizers::decoders::strip::Strip;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::{Prepend, Replace, Sequence as NormalizerSequence};
use tokenizers::processors::template::TemplateProcessing;
use tokenizers::{AddedToken, NormalizerWrapper, Tokenizer};

use super::gguf::{CONTROL, Metadata, NORMAL, UNKNOWN, USER_DEFINED};
use crate::bad_input;

/// What SentencePiece writes for a space.
const SPACE: &str = "▁";

pub(super) fn build(metadata: &Metadata, tokens: &[String]) -> Result<Tokenizer> {
    let failed = |error| anyhow!("the tokenizer cannot be built: {error}");
    let scores = metadata.floats("scores")?;
    if scores.len() != tokens.len() {
        return Err(bad_input!(
            "tokenizer.ggml.scores has {} entries, expected {}",
            scores.len(),
            tokens.len()
        ));
    }
    let kinds = metadata.kinds(tokens.len());
    let vocab: Vocab = tokens.iter().cloned().zip(0u32..).collect();
    let merges = merges(tokens, &scores, &kinds);
    let mut bpe = BPE::builder()
        .vocab_and_merges(vocab, merges)
        .fuse_unk(true)
        .byte_fallback(true);
    if let Some((token, _)) = tokens
        .iter()
        .zip(&kinds)
        .find(|(_, kind)| **kind == UNKNOWN)
    {
        bpe = bpe.unk_token(token.clone());
    }
    let mut tokenizer = Tokenizer::new(bpe.build().map_err(failed)?);

    let mut normalizers: Vec<NormalizerWrapper> = Vec::new();
    if metadata.boolean("add_space_prefix").unwrap_or(true) {
        normalizers.push(Prepend::new(SPACE.to_string()).into());
    }
    normalizers.push(Replace::new(" ", SPACE).map_err(failed)?.into());
    tokenizer
        .with_normalizer(Some(NormalizerSequence::new(normalizers)))
        .map_err(failed)?;
    tokenizer.with_decoder(Some(DecoderSequence::new(vec![
        Replace::new(SPACE, " ").map_err(failed)?.into(),
        ByteFallback::new().into(),
        Fuse::new().into(),
        Strip::new(' ', 1, 0).into(),
    ])));

    let added = |wanted: &[i64], special: bool| {
        let chosen = tokens
            .iter()
            .zip(&kinds)
            .filter(|(_, kind)| wanted.contains(kind));
        let token =
            |(token, _): (&String, _)| AddedToken::from(token.as_str(), special).normalized(false);
        chosen.map(token).collect::<Vec<_>>()
    };
    tokenizer
        .add_special_tokens(added(&[UNKNOWN, CONTROL], true))
        .map_err(failed)?;
    tokenizer
        .add_tokens(added(&[USER_DEFINED], false))
        .map_err(failed)?;
    if let Some(template) = ends(metadata, tokens)? {
        tokenizer.with_post_processor(Some(template));
    }
    Ok(tokenizer)
}

/// Merges in order of rank: the highest score first, then the longer parts.
fn merges(tokens: &[String], scores: &[f32], kinds: &[i64]) -> Vec<(String, String)> {
    let ids: HashMap<&str, usize> = tokens.iter().map(String::as_str).zip(0..).collect();
    let mut ranked = Vec::new();
    for ((token, score), kind) in tokens.iter().zip(scores).zip(kinds) {
        if *kind != NORMAL {
            continue;
        }
        let mut splits: Vec<_> = token
            .char_indices()
            .skip(1)
            .filter_map(|(at, _)| {
                let (left, right) = token.split_at(at);
                Some(((*ids.get(left)?, *ids.get(right)?), left, right))
            })
            .collect();
        splits.sort_by_key(|(pair, ..)| *pair);
        ranked.extend(
            splits
                .into_iter()
                .map(|(_, left, right)| (*score, left, right)),
        );
    }
    let length = |text: &str| Reverse(text.chars().count());
    ranked.sort_by(|a, b| {
        b.0.total_cmp(&a.0)
            .then_with(|| (length(a.1), length(a.2)).cmp(&(length(b.1), length(b.2))))
    });
    ranked
        .into_iter()
        .map(|(_, left, right)| (left.to_string(), right.to_string()))
        .collect()
}

/// BOS before and EOS after the text, as the file asks; SentencePiece models start with BOS unless
/// it says otherwise.
fn ends(metadata: &Metadata, tokens: &[String]) -> Result<Option<TemplateProcessing>> {
    let wanted = |key: &str, default: bool, id: &str| {
        let id = metadata
            .integer(id)
            .filter(|_| metadata.boolean(key).unwrap_or(default))?;
        let token = tokens.get(usize::try_from(id).ok()?)?;
        Some((token.clone(), u32::try_from(id).ok()?))
    };
    let bos = wanted("add_bos_token", true, "bos_token_id");
    let eos = wanted("add_eos_token", false, "eos_token_id");
    if bos.is_none() && eos.is_none() {
        return Ok(None);
    }
    let name = |end: &Option<(String, u32)>| end.iter().map(|(token, _)| token.clone()).collect();
    let mut sequence: Vec<String> = name(&bos);
    sequence.push("$0".to_string());
    sequence.extend::<Vec<String>>(name(&eos));
    let specials: Vec<_> = bos.into_iter().chain(eos).collect();
    let template = TemplateProcessing::builder()
        .try_single(sequence)
        .map_err(|error| anyhow!("{error}"))?
        .special_tokens(specials)
        .build();
    Ok(Some(template.map_err(|error| anyhow!("{error}"))?))
}
