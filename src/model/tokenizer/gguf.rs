//! The tokenizer in the metadata of a `.gguf` file.
//!
//! Byte-level BPE goes through candle, which knows the pre-tokenizers of Qwen2 and Llama 3 but takes
//! every other name for GPT-2's, with a space put in front of the text. llama.cpp, which writes these
//! files, says `llama-bpe` for Llama 3 and `smollm` for SmolLM2, so both are corrected here and a
//! name that is not known is refused.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::tokenizer::TokenizerFromGguf;
use sha2::{Digest, Sha256};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::digits::Digits;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::{AddedToken, PreTokenizerWrapper, Tokenizer};

use super::{Definition, sentencepiece};
use crate::bad_input;
use crate::model::weights::cause;

/// Kinds of token that llama.cpp tells apart (`llama_token_type`).
pub(super) const NORMAL: i64 = 1;
pub(super) const UNKNOWN: i64 = 2;
pub(super) const CONTROL: i64 = 3;
pub(super) const USER_DEFINED: i64 = 4;

pub(super) fn load(path: &Path) -> Result<Definition> {
    let reading = || format!("cannot read {}", path.display());
    let mut reader = BufReader::new(File::open(path).with_context(reading)?);
    let content = Content::read(&mut reader)
        .map_err(|error| bad_input!("{}: not a GGUF file: {}", path.display(), cause(error)))?;
    let metadata = Metadata(content.metadata);
    let tokens = metadata.strings("tokens").with_context(reading)?;
    let token = |key: &str| {
        let id = metadata
            .integer(key)
            .and_then(|id| u32::try_from(id).ok())?;
        tokens.get(id as usize).map(|token| (id, token.clone()))
    };
    let (bos, eos, eot) = (
        token("bos_token_id"),
        token("eos_token_id"),
        token("eot_token_id"),
    );
    let eos_ids = eos.iter().chain(&eot).map(|(id, _)| *id).collect();
    let chat_template = metadata.template();

    let tokenizer = match metadata.string("model").unwrap_or_default() {
        "gpt2" => byte_level(metadata, &tokens),
        "llama" => sentencepiece::build(&metadata, &tokens),
        other => Err(bad_input!(
            "tokenizer.ggml.model is `{other}`, expected `gpt2` (byte-level BPE) or `llama` \
             (SentencePiece)"
        )),
    };
    let tokenizer = tokenizer.with_context(reading)?;
    let definition = tokenizer
        .to_string(false)
        .map_err(|error| anyhow!("{error}"))?;
    Ok(Definition {
        tokenizer,
        bos_token: bos.map(|(_, token)| token),
        eos_token: eos.map(|(_, token)| token),
        eos_ids,
        chat_template,
        sha256: format!("{:x}", Sha256::digest(definition)),
    })
}

/// The `tokenizer.*` part of a GGUF file's metadata; keys here are without `tokenizer.ggml.`.
pub(super) struct Metadata(HashMap<String, Value>);

impl Metadata {
    fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(&format!("tokenizer.ggml.{key}"))
    }

    fn set(&mut self, key: &str, value: Value) {
        self.0.insert(format!("tokenizer.ggml.{key}"), value);
    }

    fn template(&self) -> Option<String> {
        self.0
            .get("tokenizer.chat_template")?
            .to_string()
            .ok()
            .cloned()
    }

    fn string(&self, key: &str) -> Option<&str> {
        self.get(key)?.to_string().ok().map(String::as_str)
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        self.get(key)?.to_bool().ok()
    }

    pub(super) fn integer(&self, key: &str) -> Option<i64> {
        integer(self.get(key)?)
    }

    fn list(&self, key: &str) -> Result<&[Value]> {
        let list = self.get(key).and_then(|value| value.to_vec().ok());
        list.map(Vec::as_slice)
            .ok_or_else(|| bad_input!("no array tokenizer.ggml.{key} in it"))
    }

    fn strings(&self, key: &str) -> Result<Vec<String>> {
        let texts = self
            .list(key)?
            .iter()
            .map(|value| value.to_string().cloned());
        texts
            .collect::<Result<_, _>>()
            .map_err(|e| bad_input!("tokenizer.ggml.{key}: {e}"))
    }

    pub(super) fn floats(&self, key: &str) -> Result<Vec<f32>> {
        let numbers = self.list(key)?.iter().map(Value::to_f32);
        numbers
            .collect::<Result<_, _>>()
            .map_err(|e| bad_input!("tokenizer.ggml.{key}: {e}"))
    }

    /// The kind of each token; all are [`NORMAL`] in a file that does not say.
    pub(super) fn kinds(&self, count: usize) -> Vec<i64> {
        let list = self.list("token_type").unwrap_or_default();
        let mut kinds: Vec<_> = list
            .iter()
            .map(|value| integer(value).unwrap_or(NORMAL))
            .collect();
        kinds.resize(count, NORMAL);
        kinds
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::I8(v) => Some((*v).into()),
        Value::U8(v) => Some((*v).into()),
        Value::I16(v) => Some((*v).into()),
        Value::U16(v) => Some((*v).into()),
        Value::I32(v) => Some((*v).into()),
        Value::U32(v) => Some((*v).into()),
        Value::I64(v) => Some(*v),
        Value::U64(v) => i64::try_from(*v).ok(),
        _ => None,
    }
}

fn byte_level(mut metadata: Metadata, tokens: &[String]) -> Result<Tokenizer> {
    let pre = metadata.string("pre").unwrap_or_default().to_string();
    let replacement: Option<PreTokenizerWrapper> = match pre.as_str() {
        // Split pattern and NFC as in the published tokenizer.json of Qwen2, 2.5 and 3.
        "qwen2" | "deepseek-r1-qwen" => {
            metadata.set("pre", Value::String("qwen2".to_string()));
            None
        }
        "llama3" | "llama-v3" | "llama-bpe" => {
            metadata.set("pre", Value::String("llama3".to_string()));
            // Neither is in the file: llama.cpp derives both from the name, and the published
            // tokenizer.json has both.
            metadata.set("ignore_merges", Value::Bool(true));
            if metadata.boolean("add_bos_token").is_none() {
                metadata.set("add_bos_token", Value::Bool(true));
            }
            None
        }
        "smollm" => {
            let parts = vec![
                Digits::new(true).into(),
                ByteLevel::new(false, true, true).into(),
            ];
            Some(Sequence::new(parts).into())
        }
        "gpt-2" | "gpt2" => Some(ByteLevel::new(false, true, true).into()),
        other => {
            return Err(bad_input!(
                "tokenizer.ggml.pre is `{other}`, expected smollm, llama-bpe, qwen2 or gpt-2"
            ));
        }
    };

    // Candle marks user-defined tokens (`<think>`) as special, so they would vanish from decoded
    // text. They are found in text like special ones but stay visible.
    let mut kinds = metadata.kinds(tokens.len());
    let mut visible = Vec::new();
    for (kind, token) in kinds.iter_mut().zip(tokens) {
        if *kind == USER_DEFINED {
            *kind = NORMAL;
            visible.push(AddedToken::from(token.as_str(), false).normalized(false));
        }
    }
    metadata.set(
        "token_type",
        Value::Array(kinds.into_iter().map(Value::I64).collect()),
    );

    let content = Content {
        magic: candle_core::quantized::gguf_file::VersionedMagic::GgufV3,
        metadata: metadata.0,
        tensor_infos: HashMap::new(),
        tensor_data_offset: 0,
    };
    let mut tokenizer = Tokenizer::from_gguf(&content)
        .map_err(|error| bad_input!("the tokenizer in it cannot be built: {error}"))?;
    tokenizer
        .add_tokens(visible)
        .map_err(|error| anyhow!("{error}"))?;
    if let Some(pre_tokenizer) = replacement {
        tokenizer.with_pre_tokenizer(Some(pre_tokenizer));
    }
    Ok(tokenizer)
}
