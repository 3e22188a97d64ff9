//! SentencePiece BPE from pieces and scores: Llama 2, Mistral, TinyLlama.
//!
//! The files hold pieces and scores but no merges. As in `transformers` (`generate_merges`), every
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
use tokenizers::pre_tokenizers::metaspace::{Metaspace, PrependScheme};
use tokenizers::{DecoderWrapper, NormalizerWrapper, Tokenizer};

use super::byte_level::added;
use crate::bad_input;

/// Kinds of piece, the same numbers in SentencePiece's files and in GGUF (`llama_token_type`).
pub(super) const NORMAL: i64 = 1;
pub(super) const UNKNOWN: i64 = 2;
pub(super) const CONTROL: i64 = 3;
pub(super) const USER_DEFINED: i64 = 4;

/// What SentencePiece writes for a space.
const SPACE: char = '▁';
/// Bytes of a piece. Each is split in every way, so a long one takes long; those of published models have at most 64.
const LONGEST: usize = 512;

/// What a SentencePiece model consists of.
pub(super) struct Pieces<'a> {
    pub tokens: &'a [String],
    pub scores: &'a [f32],
    pub kinds: &'a [i64],
    /// Whether a space is put before a text.
    pub prefix: bool,
    /// Whether that is so for each part between special tokens, as in SentencePiece, or for the first alone: `legacy`
    /// in `transformers`.
    pub every_part: bool,
    /// Whether a character that is no piece becomes its bytes.
    pub byte_fallback: bool,
}

/// The tokenizer, without tokens around a text.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput): a piece that is too long.
pub(super) fn build(pieces: &Pieces) -> Result<Tokenizer> {
    let failed = |error| anyhow!("the tokenizer cannot be built: {error}");
    let Pieces {
        tokens,
        scores,
        kinds,
        ..
    } = pieces;
    if let Some(id) = tokens.iter().position(|token| token.len() > LONGEST) {
        return Err(bad_input!(
            "piece {id} has {} bytes, expected at most {LONGEST}",
            tokens[id].len()
        ));
    }
    let vocab: Vocab = tokens.iter().cloned().zip(0u32..).collect();
    let mut bpe = BPE::builder()
        .vocab_and_merges(vocab, merges(tokens, scores, kinds))
        .fuse_unk(true)
        .byte_fallback(pieces.byte_fallback);
    let unknown = kinds.iter().position(|kind| *kind == UNKNOWN);
    if let Some(token) = unknown.and_then(|id| tokens.get(id)) {
        bpe = bpe.unk_token(token.clone());
    }
    let mut tokenizer = Tokenizer::new(bpe.build().map_err(failed)?);
    let spaces = SPACE.to_string();
    if pieces.prefix && !pieces.every_part {
        tokenizer.with_pre_tokenizer(Some(Metaspace::new(SPACE, PrependScheme::First, false)));
    } else {
        let mut normalizers: Vec<NormalizerWrapper> = Vec::new();
        if pieces.prefix {
            normalizers.push(Prepend::new(spaces.clone()).into());
        }
        normalizers.push(Replace::new(" ", spaces.clone()).map_err(failed)?.into());
        tokenizer
            .with_normalizer(Some(NormalizerSequence::new(normalizers)))
            .map_err(failed)?;
    }
    let mut decoders: Vec<DecoderWrapper> = vec![
        Replace::new(spaces, " ").map_err(failed)?.into(),
        ByteFallback::new().into(),
        Fuse::new().into(),
    ];
    if pieces.prefix {
        decoders.push(Strip::new(' ', 1, 0).into());
    }
    tokenizer.with_decoder(Some(DecoderSequence::new(decoders)));

    let of_kinds = |wanted: &[i64], special: bool| {
        let chosen = tokens
            .iter()
            .zip(*kinds)
            .filter(|(_, kind)| wanted.contains(kind));
        chosen
            .map(|(token, _)| added(token, special))
            .collect::<Vec<_>>()
    };
    tokenizer
        .add_special_tokens(of_kinds(&[UNKNOWN, CONTROL], true))
        .map_err(failed)?;
    let spaces = |(token, kind): &(&String, &i64)| {
        **kind == USER_DEFINED && token.chars().all(|c| c == SPACE || c == ' ')
    };
    if let Some((token, _)) = pieces.tokens.iter().zip(pieces.kinds).find(spaces) {
        return Err(bad_input!(
            "its user-defined piece `{token}` is of spaces alone, which are not found as SentencePiece finds them, \
             expected a tokenizer.json beside it"
        ));
    }
    tokenizer
        .add_tokens(of_kinds(&[USER_DEFINED], false))
        .map_err(failed)?;
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
