//! The `tokenizer.*` part of a GGUF file's metadata.

use std::collections::HashMap;

use anyhow::Result;
use candle_core::quantized::gguf_file::Value;

use crate::bad_input;
use crate::model::tokenizer::ends::Token;
use crate::model::tokenizer::sentencepiece::NORMAL;

/// Keys are without `tokenizer.ggml.`, but for those of templates.
pub(super) struct Metadata(pub HashMap<String, Value>);

impl Metadata {
    fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(&format!("tokenizer.ggml.{key}"))
    }

    /// The text of a template, by its whole key.
    pub(super) fn template(&self, key: &str) -> Option<String> {
        self.0.get(key)?.to_string().ok().cloned()
    }

    /// Names of templates beside the one without a name.
    pub(super) fn template_names(&self) -> Vec<String> {
        let names = self.0.get("tokenizer.chat_templates");
        let names = names.and_then(|names| names.to_vec().ok());
        let name = |value: &Value| value.to_string().ok().cloned();
        names.into_iter().flatten().filter_map(name).collect()
    }

    pub(super) fn string(&self, key: &str) -> Option<&str> {
        self.get(key)?.to_string().ok().map(String::as_str)
    }

    pub(super) fn boolean(&self, key: &str) -> Option<bool> {
        self.get(key)?.to_bool().ok()
    }

    /// The token whose id stands under `key`; none for an id that is not in the vocabulary.
    pub(super) fn token(&self, key: &str, tokens: &[String]) -> Option<Token> {
        let id = u32::try_from(integer(self.get(key)?)?).ok()?;
        Some((tokens.get(id as usize)?.clone(), id))
    }

    fn list(&self, key: &str) -> Result<&[Value]> {
        let list = self.get(key).and_then(|value| value.to_vec().ok());
        list.map(Vec::as_slice)
            .ok_or_else(|| bad_input!("no array tokenizer.ggml.{key} in it"))
    }

    pub(super) fn strings(&self, key: &str) -> Result<Vec<String>> {
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
