//! The special and added tokens that a folder's smaller files name, as `transformers` reads them.
//!
//! `tokenizer_config.json` names special tokens and, in `added_tokens_decoder`, tokens with their ids. Without that key
//! `special_tokens_map.json` stands over its names, and `added_tokens.json` adds tokens.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;
use tokenizers::{AddedToken, Tokenizer};

use super::byte_level::added;
use super::ends::{self, Token};
use super::json::json;
use crate::bad_input;
use crate::source::TokenizerFiles;
use crate::terminal;

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

/// A token as an object of its text and how it is found in a text.
#[derive(Deserialize)]
struct Written {
    content: String,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    single_word: bool,
    normalized: Option<bool>,
    #[serde(default)]
    special: bool,
}

impl Written {
    fn token(self, special: bool) -> AddedToken {
        let special = special || self.special;
        AddedToken::from(self.content, special)
            .lstrip(self.lstrip)
            .rstrip(self.rstrip)
            .single_word(self.single_word)
            .normalized(self.normalized.unwrap_or(!special))
    }
}

/// Reads what `files` name; `config`: the content of `tokenizer_config.json`.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) with file and key of a token that is none.
pub(super) fn read(files: &TokenizerFiles, config: &Value) -> Result<Declared> {
    let mut declared = Declared::default();
    let file = files
        .config
        .as_deref()
        .map(|path| path.display().to_string());
    let file = file.unwrap_or_default();
    declared.names(config, &file)?;
    if let Some(decoder) = config.get("added_tokens_decoder") {
        let key = format!("{file}: added_tokens_decoder");
        let Some(map) = decoder.as_object() else {
            return Err(bad_input!("{key} is no object, expected tokens by id"));
        };
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
        declared.names(&json(path)?, &path.display().to_string())?;
    }
    if let Some(path) = &files.added_tokens {
        let file = path.display().to_string();
        let extra = declared.extra.iter().map(|token| token.content.clone());
        let special: BTreeSet<_> = declared.texts().into_values().chain(extra).collect();
        for (text, id) in json(path)?.as_object().into_iter().flatten() {
            let id = id.as_u64().and_then(|id| u32::try_from(id).ok());
            let Some(id) = id else {
                return Err(bad_input!("{file}: `{text}`: expected an id"));
            };
            let special = special.contains(text);
            let token = AddedToken::from(text.as_str(), special).normalized(!special);
            declared.added.insert(id, (token, file.clone()));
        }
    }
    Ok(declared)
}

impl Declared {
    /// The special tokens of a JSON object, in place of those known of the same name.
    fn names(&mut self, object: &Value, file: &str) -> Result<()> {
        for (key, value) in object.as_object().into_iter().flatten() {
            let at = || format!("{file}: {key}");
            match (key.as_str(), value) {
                (_, Value::Null | Value::Bool(_)) => {}
                ("additional_special_tokens" | "extra_special_tokens", Value::Array(list)) => {
                    let token = |value| token_of(value, true, &at());
                    self.extra = list.iter().map(token).collect::<Result<_>>()?;
                }
                ("extra_special_tokens", Value::Object(_)) => self.names(value, &at())?,
                (name, _) if name.ends_with("_token") => {
                    let token = token_of(value, true, &at())?;
                    self.name(name, token);
                }
                _ => {}
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
    pub fn default_name(&mut self, name: &str, token: &str) {
        if self.named(name).is_none() {
            self.name(name, added(token, true));
        }
    }

    fn named(&self, name: &str) -> Option<&AddedToken> {
        let found = self.named.iter().find(|(known, _)| known == name);
        found.map(|(_, token)| token)
    }

    /// The text of each token that has a name: what a chat template may ask for.
    pub fn texts(&self) -> BTreeMap<String, String> {
        let text = |(name, token): &(String, AddedToken)| (name.clone(), token.content.clone());
        self.named.iter().map(text).collect()
    }

    /// A special token without a name, where it is not known.
    pub fn default_extra(&mut self, token: AddedToken) {
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
    pub fn add(&self, tokenizer: &mut Tokenizer, file: &str) -> Result<Vec<String>> {
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
    /// As [`ends::set`].
    pub fn surround(&self, tokenizer: &mut Tokenizer, config: &Value) -> Result<()> {
        let wanted = |key: &str, name: &str| -> Option<Token> {
            let token = self.named(name).filter(|_| config[key] == true)?;
            Some((
                token.content.clone(),
                tokenizer.token_to_id(&token.content)?,
            ))
        };
        let bos = wanted("add_bos_token", "bos_token");
        let eos = wanted("add_eos_token", "eos_token");
        ends::set(tokenizer, bos, eos)
    }
}

/// A token as files write it: its text, or an object with its text.
fn token_of(value: &Value, special: bool, at: &str) -> Result<AddedToken> {
    if let Some(text) = value.as_str() {
        return Ok(AddedToken::from(text, special).normalized(!special));
    }
    let written = Written::deserialize(value).map_err(|error| {
        let shown = terminal::cut(&value.to_string(), 60);
        bad_input!(
            "{at} is {shown}, expected a token's text or an object with its `content`: {error}"
        )
    })?;
    Ok(written.token(special))
}
