//! The special and added tokens that a folder's smaller files name, as `transformers` reads them.
//!
//! `tokenizer_config.json` names special tokens and, in `added_tokens_decoder`, tokens with their ids. Without that key
//! `special_tokens_map.json` stands over its names, and `added_tokens.json` adds tokens.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::Value;
use tokenizers::{AddedToken, Tokenizer};

use super::byte_level::added;
use super::ends::{self, Token};
use super::json::Object;
use crate::bad_input;
use crate::model::config::short;
use crate::source::TokenizerFiles;

/// What the files name.
#[derive(Debug, Default)]
pub(super) struct Declared {
    /// Special tokens by name, `bos_token` and the like, in the order in which they are added.
    named: Vec<(String, AddedToken)>,
    /// Special tokens without a name.
    extra: Vec<AddedToken>,
    /// Added tokens by id, with the file and key they stand in.
    added: BTreeMap<u32, (AddedToken, String)>,
}

/// The names that every tokenizer may have, in the order in which they are added; others come after them.
const NAMES: [&str; 7] = [
    "bos_token",
    "eos_token",
    "unk_token",
    "sep_token",
    "pad_token",
    "cls_token",
    "mask_token",
];

/// Keys of special tokens beside those names. A list under the first stands for the second too.
const EXTRA: [&str; 2] = ["extra_special_tokens", "additional_special_tokens"];

/// Reads what `files` name; `config`: `tokenizer_config.json`.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) with file and key of a token that is none.
pub(super) fn read(files: &TokenizerFiles, config: &Object) -> Result<Declared> {
    let mut declared = Declared::default();
    declared.names(config)?;
    if let Some(decoder) = config.value.get("added_tokens_decoder") {
        let Some(map) = decoder.as_object() else {
            return Err(config.wrong("added_tokens_decoder", "an object, tokens by id"));
        };
        let key = format!("{}: added_tokens_decoder", config.file);
        for (id, token) in map {
            let Ok(number) = id.parse() else {
                return Err(bad_input!("{key}.{id}: expected an id"));
            };
            let token = token_of(token, false, &format!("{key}.{id}"))?;
            declared.added.insert(number, (token, key.clone()));
        }
        return Ok(declared);
    }
    if let Some(path) = &files.special_tokens_map {
        declared.names(&Object::read(path)?)?;
    }
    if let Some(path) = &files.added_tokens {
        let tokens = Object::read(path)?;
        let file = &tokens.file;
        let extra = declared.extra.iter().map(|token| token.content.clone());
        let special: BTreeSet<_> = declared.texts().into_values().chain(extra).collect();
        for (text, id) in tokens.value.as_object().into_iter().flatten() {
            let Some(number) = id.as_u64().and_then(|id| u32::try_from(id).ok()) else {
                return Err(bad_input!(
                    "{file}: `{text}` is {}, expected the id of a token",
                    short(id)
                ));
            };
            let special = special.contains(text);
            let token = AddedToken::from(text.as_str(), special).normalized(!special);
            declared.added.insert(number, (token, file.clone()));
        }
    }
    Ok(declared)
}

impl Declared {
    /// The special tokens of a JSON object, in place of those known of the same name.
    fn names(&mut self, object: &Object) -> Result<()> {
        let file = &object.file;
        for (key, value) in object.value.as_object().into_iter().flatten() {
            // Some keys that end so name no token: `add_bos_token`.
            let names = match NAMES.contains(&key.as_str()) {
                true => !value.is_null(),
                false => key.ends_with("_token") && is_token(value),
            };
            if names {
                let token = token_of(value, true, &format!("{file}: {key}"))?;
                self.name(key, token);
            }
        }
        for key in EXTRA {
            let at = format!("{file}: {key}");
            match object.get(key) {
                Value::Null => {}
                Value::Array(list) if list.is_empty() => {}
                Value::Array(list) => {
                    let token = |value| token_of(value, true, &at);
                    self.extra = list.iter().map(token).collect::<Result<_>>()?;
                    break;
                }
                // Each has a name, whatever it is.
                Value::Object(map) => {
                    for (name, value) in map {
                        let token = token_of(value, true, &format!("{at}.{name}"))?;
                        self.name(name, token);
                    }
                }
                _ => return Err(object.wrong(key, "a list of tokens, or tokens by name")),
            }
        }
        Ok(())
    }

    /// Gives a name to a token, in place of another.
    fn name(&mut self, name: &str, token: AddedToken) {
        self.named.retain(|(known, _)| known != name);
        self.named.push((name.to_owned(), token));
        let rank = |name: &str| NAMES.iter().position(|known| *known == name);
        self.named
            .sort_by_key(|(name, _)| rank(name).unwrap_or(NAMES.len()));
    }

    /// What a class of tokenizers has where no file says otherwise.
    pub(super) fn default_name(&mut self, name: &str, token: &str) {
        if self.named(name).is_none() {
            self.name(name, added(token, true));
        }
    }

    fn named(&self, name: &str) -> Option<&AddedToken> {
        let found = self.named.iter().find(|(known, _)| known == name);
        found.map(|(_, token)| token)
    }

    /// The text of each token that has a name: what a chat template may ask for.
    pub(super) fn texts(&self) -> BTreeMap<String, String> {
        let text = |(name, token): &(String, AddedToken)| (name.clone(), token.content.clone());
        self.named.iter().map(text).collect()
    }

    /// A special token without a name, where it is not known.
    pub(super) fn default_extra(&mut self, token: AddedToken) {
        if self
            .extra
            .iter()
            .all(|known| known.content != token.content)
        {
            self.extra.push(token);
        }
    }

    /// Adds to `tokenizer`, read from `file`, what it lacks. Returns what is to be noted.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput): a token that would get another id than the one given.
    pub(super) fn add(&self, tokenizer: &mut Tokenizer, file: &str) -> Result<Vec<String>> {
        let failed = |error: tokenizers::Error| bad_input!("{file}: {error}");
        let named: BTreeSet<_> = self.texts().into_values().collect();
        let mut notes = Vec::new();
        for (&id, (token, place)) in &self.added {
            let mut token = token.clone();
            token.special |= named.contains(&token.content);
            let text = token.content.clone();
            let before = tokenizer.token_to_id(&text);
            tokenizer.add_tokens([token]).map_err(failed)?;
            match (before, tokenizer.token_to_id(&text)) {
                (_, Some(found)) if found == id => {}
                (Some(found), _) => notes.push(format!(
                    "{place} gives `{text}` the id {id}, {file} {found}, which is used"
                )),
                (None, Some(found)) => {
                    return Err(bad_input!(
                        "{place}: `{text}` has id {id}, expected {found}, the next after those of {file}"
                    ));
                }
                // An empty text is no token.
                (None, None) => {}
            }
        }
        let known = tokenizer.get_added_vocabulary().get_vocab().clone();
        let missing = |token: &AddedToken| !known.contains_key(&token.content);
        let all = self.named.iter().map(|(_, token)| token);
        let all = all.chain(&self.extra).cloned();
        tokenizer
            .add_tokens(all.filter(missing).collect::<Vec<_>>())
            .map_err(failed)?;
        Ok(notes)
    }

    /// Puts BOS and EOS around every text where `config` asks for them.
    ///
    /// # Errors
    /// As [`ends::set`]; [`BadInput`](crate::error::BadInput) where `config` says neither yes nor no.
    pub(super) fn surround(&self, tokenizer: &mut Tokenizer, config: &Object) -> Result<()> {
        let wanted = |key: &str, name: &str| -> Result<Option<Token>> {
            let on = config.flag(key)? == Some(true);
            let token = self.named(name).filter(|_| on);
            let text = token.map(|token| token.content.clone());
            Ok(text.and_then(|text| Some((text.clone(), tokenizer.token_to_id(&text)?))))
        };
        let bos = wanted("add_bos_token", "bos_token")?;
        let eos = wanted("add_eos_token", "eos_token")?;
        ends::set(tokenizer, bos, eos)
    }
}

/// Whether a value is a token: its text, or an object with it.
fn is_token(value: &Value) -> bool {
    value.is_string() || value["content"].is_string()
}

/// A token as files write it: its text, or an object with its text and how it is found in a text.
fn token_of(value: &Value, special: bool, at: &str) -> Result<AddedToken> {
    if let Some(text) = value.as_str() {
        return Ok(AddedToken::from(text, special).normalized(!special));
    }
    let Some(content) = value["content"].as_str() else {
        return Err(bad_input!(
            "{at} is {}, expected a token's text or an object with its `content`",
            short(value)
        ));
    };
    let flag = |key: &str| match &value[key] {
        Value::Null => Ok(None),
        Value::Bool(on) => Ok(Some(*on)),
        other => Err(bad_input!(
            "{at}.{key} is {}, expected true or false",
            short(other)
        )),
    };
    let special = special || flag("special")? == Some(true);
    Ok(AddedToken::from(content, special)
        .lstrip(flag("lstrip")? == Some(true))
        .rstrip(flag("rstrip")? == Some(true))
        .single_word(flag("single_word")? == Some(true))
        .normalized(flag("normalized")?.unwrap_or(!special)))
}
