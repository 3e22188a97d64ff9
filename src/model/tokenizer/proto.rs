//! `tokenizer.model`: a SentencePiece model as it is trained, in Google's protobuf format.
//!
//! The fields are those of `sentencepiece_model.proto` that decide how a text is split.

use std::path::Path;

use anyhow::Result;
use prost::Message;

use super::byte_level::added;
use super::json::Object;
use super::merges::WRITE_JSON;
use super::prefix::Space;
use super::sentencepiece::{self, CONTROL, Pieces, UNKNOWN};
use super::special::Declared;
use super::vocabulary::Vocabulary;
use crate::bad_input;
use crate::files;

#[derive(Clone, PartialEq, Message)]
struct ModelProto {
    #[prost(message, repeated, tag = "1")]
    pieces: Vec<Piece>,
    #[prost(message, optional, tag = "2")]
    trainer: Option<Trainer>,
    #[prost(message, optional, tag = "3")]
    normalizer: Option<Normalizer>,
}

#[derive(Clone, PartialEq, Message)]
struct Piece {
    #[prost(string, optional, tag = "1")]
    piece: Option<String>,
    #[prost(float, optional, tag = "2")]
    score: Option<f32>,
    #[prost(int32, optional, tag = "3")]
    kind: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct Trainer {
    #[prost(int32, optional, tag = "3")]
    model_type: Option<i32>,
    #[prost(bool, optional, tag = "24")]
    treat_whitespace_as_suffix: Option<bool>,
    #[prost(bool, optional, tag = "35")]
    byte_fallback: Option<bool>,
    #[prost(int32, optional, tag = "41")]
    bos_id: Option<i32>,
    #[prost(int32, optional, tag = "42")]
    eos_id: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct Normalizer {
    #[prost(bytes = "vec", optional, tag = "2")]
    precompiled_charsmap: Option<Vec<u8>>,
    #[prost(bool, optional, tag = "3")]
    add_dummy_prefix: Option<bool>,
    #[prost(bool, optional, tag = "4")]
    remove_extra_whitespaces: Option<bool>,
    #[prost(bool, optional, tag = "5")]
    escape_whitespaces: Option<bool>,
}

/// `model_type` of a model that merges pairs; others are made otherwise.
const BPE: i32 = 2;

/// Reads the pieces, and adds to `declared` the special tokens that the model names.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput): not such a file, or a model that is not split by merges alone.
pub(super) fn load(path: &Path, config: &Object, declared: &mut Declared) -> Result<Vocabulary> {
    let file = path.display().to_string();
    let bytes = files::read(path)?;
    let model = ModelProto::decode(&*bytes)
        .ok()
        .filter(|model| !model.pieces.is_empty());
    let Some(model) = model else {
        return Err(bad_input!(
            "{file}: not a SentencePiece model, expected one, or a tokenizer.json beside it ({WRITE_JSON})"
        ));
    };
    let trainer = model.trainer.unwrap_or_default();
    let normalizer = model.normalizer.unwrap_or_default();
    let found = [
        (trainer.model_type != Some(BPE), "its model is not BPE"),
        (
            trainer.treat_whitespace_as_suffix == Some(true),
            "it puts spaces after words",
        ),
        (
            normalizer
                .precompiled_charsmap
                .is_some_and(|map| !map.is_empty()),
            "it maps characters to others",
        ),
        (
            normalizer.remove_extra_whitespaces.unwrap_or(true),
            "it takes extra spaces away",
        ),
        (
            normalizer.escape_whitespaces == Some(false),
            "it keeps spaces as they are",
        ),
    ];
    if let Some((_, what)) = found.iter().find(|(is_so, _)| *is_so) {
        return Err(bad_input!(
            "{file}: {what}, expected a BPE model of the text as it is, or a tokenizer.json beside it ({WRITE_JSON})"
        ));
    }
    let kinds: Vec<i64> = model
        .pieces
        .iter()
        .map(|piece| piece.kind.unwrap_or(1).into())
        .collect();
    let scores: Vec<f32> = model
        .pieces
        .iter()
        .map(|piece| piece.score.unwrap_or(0.0))
        .collect();
    let tokens: Vec<String> = model
        .pieces
        .into_iter()
        .map(|piece| piece.piece.unwrap_or_default())
        .collect();
    let prefix = normalizer.add_dummy_prefix.unwrap_or(true);
    let tokenizer = sentencepiece::build(&Pieces {
        tokens: &tokens,
        scores: &scores,
        kinds: &kinds,
        prefix,
        every_part: config.flag("legacy")? != Some(false),
        byte_fallback: trainer.byte_fallback == Some(true),
    });
    let tokenizer = tokenizer.map_err(|error| error.context(file.clone()))?;
    for (token, kind) in tokens.iter().zip(&kinds) {
        if [UNKNOWN, CONTROL].contains(kind) {
            declared.default_extra(added(token, true));
        }
    }
    let named = |id: i32| tokens.get(usize::try_from(id).ok()?);
    let unknown = kinds
        .iter()
        .position(|kind| *kind == UNKNOWN)
        .map(|at| &tokens[at]);
    for (name, token) in [
        ("unk_token", unknown),
        ("bos_token", named(trainer.bos_id.unwrap_or(1))),
        ("eos_token", named(trainer.eos_id.unwrap_or(2))),
    ] {
        if let Some(token) = token {
            declared.default_name(name, token);
        }
    }
    Ok(Vocabulary {
        tokenizer,
        bytes: None,
        patterns: Vec::new(),
        space: Space {
            added: prefix,
            of_bytes: false,
        },
        file,
    })
}
