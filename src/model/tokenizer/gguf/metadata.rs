//! The `tokenizer.*` part of a GGUF file's metadata. A value of another type than its key has is refused, as in
//! llama.cpp.

use std::collections::HashMap;

use anyhow::Result;
use candle_core::quantized::gguf_file::Value;

use crate::bad_input;
use crate::model::tokenizer::ends::Token;
use crate::model::tokenizer::sentencepiece::NORMAL;

/// Keys are without `tokenizer.ggml.`, but for those of templates.
pub(super) struct Metadata(pub HashMap<String, Value>);

impl Metadata {
    /// What `read` makes of the value of a whole key; none where there is no such key.
    fn get<'v, T>(
        &'v self,
        key: &str,
        expected: &str,
        read: impl Fn(&'v Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.0.get(key) else {
            return Ok(None);
        };
        let wrong = || bad_input!("{key} is {}, expected {expected}", shown(value));
        read(value).map(Some).ok_or_else(wrong)
    }

    /// The text of a template, by its whole key.
    pub(super) fn template(&self, key: &str) -> Result<Option<String>> {
        Ok(self.get(key, "a text", text)?.cloned())
    }

    /// Names of templates beside the one without a name.
    pub(super) fn template_names(&self) -> Result<Vec<String>> {
        let names = self.list("tokenizer.chat_templates", "texts", text)?;
        Ok(names.into_iter().flatten().cloned().collect())
    }

    pub(super) fn string(&self, key: &str) -> Result<Option<&str>> {
        let found = self.get(&whole(key), "a text", text)?;
        Ok(found.map(String::as_str))
    }

    pub(super) fn boolean(&self, key: &str) -> Result<Option<bool>> {
        self.get(&whole(key), "true or false", |value| value.to_bool().ok())
    }

    /// The token whose id stands under `key`, else the one of id `otherwise`, if any. An id that is not in the
    /// vocabulary is no token's, and noted.
    ///
    /// # Errors
    /// What is no id; one of BOS that is not in the vocabulary, which would stand in every prompt.
    pub(super) fn token(
        &self,
        key: &str,
        otherwise: Option<u32>,
        tokens: &[String],
        notes: &mut Vec<String>,
    ) -> Result<Option<Token>> {
        let id = self.get(&whole(key), "the id of a token", integer)?;
        let Some(id) = id.or(otherwise.map(i64::from)) else {
            return Ok(None);
        };
        let token = usize::try_from(id).ok().and_then(|id| tokens.get(id));
        match token {
            Some(token) => Ok(Some((token.clone(), id as u32))),
            None if key == BOS => Err(bad_input!(
                "{} is {id}, expected the id of one of {} tokens",
                whole(key),
                tokens.len()
            )),
            None => {
                let (key, count) = (whole(key), tokens.len());
                notes.push(format!(
                    "{key} is {id}, which none of {count} tokens has: left out"
                ));
                Ok(None)
            }
        }
    }

    /// The array under a whole key, each of its elements as `read` makes it.
    fn list<'v, T>(
        &'v self,
        key: &str,
        expected: &str,
        read: impl Fn(&'v Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>> {
        let array = self.get(key, &format!("an array of {expected}"), |value| {
            value.to_vec().ok()
        })?;
        let Some(array) = array else { return Ok(None) };
        let element = |(i, value)| {
            let wrong = || {
                bad_input!(
                    "{key}[{i}] is {}, expected an array of {expected}",
                    shown(value)
                )
            };
            read(value).ok_or_else(wrong)
        };
        array
            .iter()
            .enumerate()
            .map(element)
            .collect::<Result<_>>()
            .map(Some)
    }

    pub(super) fn strings(&self, key: &str) -> Result<Vec<String>> {
        let found = self.list(&whole(key), "texts", text)?;
        let found = found.ok_or_else(|| missing(key))?;
        Ok(found.into_iter().cloned().collect())
    }

    /// Finite numbers.
    pub(super) fn floats(&self, key: &str) -> Result<Vec<f32>> {
        let finite = |value: &Value| value.to_f32().ok().filter(|x| x.is_finite());
        let found = self.list(&whole(key), "finite numbers of type f32", finite)?;
        found.ok_or_else(|| missing(key))
    }

    /// The kind of each token; all are [`NORMAL`] in a file that does not say.
    pub(super) fn kinds(&self, count: usize) -> Result<Vec<i64>> {
        let found = self.list(&whole("token_type"), "whole numbers", integer)?;
        let mut kinds = found.unwrap_or_default();
        kinds.resize(count, NORMAL);
        Ok(kinds)
    }
}

/// The key of the token that begins a text.
pub(super) const BOS: &str = "bos_token_id";

fn whole(key: &str) -> String {
    format!("tokenizer.ggml.{key}")
}

fn missing(key: &str) -> anyhow::Error {
    bad_input!("no array {} in it", whole(key))
}

/// A value in few words.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", crate::terminal::cut(text, 40)),
        Value::Array(items) => format!("an array of {}", items.len()),
        Value::Bool(flag) => flag.to_string(),
        Value::F32(x) => x.to_string(),
        Value::F64(x) => format!("{x}, of type f64"),
        Value::U64(x) => x.to_string(),
        other => integer(other).unwrap_or_default().to_string(),
    }
}

fn text(value: &Value) -> Option<&String> {
    value.to_string().ok()
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
