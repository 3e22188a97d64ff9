//! The tokenizer of a folder in Hugging Face layout.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokenizers::Tokenizer;

use super::Definition;
use crate::bad_input;

/// The files that say something about tokens.
pub(super) struct Files<'a> {
    pub config: &'a Path,
    pub tokenizer: &'a Path,
    pub tokenizer_config: &'a Option<PathBuf>,
    pub generation_config: &'a Option<PathBuf>,
    pub chat_template: &'a Option<PathBuf>,
}

impl Files<'_> {
    pub(super) fn load(&self) -> Result<Definition> {
        let bytes = std::fs::read(self.tokenizer)
            .with_context(|| format!("cannot read {}", self.tokenizer.display()))?;
        let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(|error| {
            bad_input!("{}: not a tokenizer: {error}", self.tokenizer.display())
        })?;
        // Settings for batches of training examples; a prompt is never cut or filled up here.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|error| bad_input!("{}: {error}", self.tokenizer.display()))?;

        let config = json(self.config)?;
        let of = |path: &Option<PathBuf>| path.as_deref().map_or(Ok(Value::Null), json);
        let tokenizer_config = of(self.tokenizer_config)?;
        let generation_config = of(self.generation_config)?;

        let mut eos_ids = ids(&generation_config["eos_token_id"]);
        eos_ids.extend(ids(&config["eos_token_id"]));
        let first = |key: &str| {
            let id = *ids(&config[key]).first()?;
            tokenizer.id_to_token(id)
        };
        // Without a tokenizer_config.json the ids of config.json are all there is.
        let alone = self.tokenizer_config.is_none();
        let name = |token: &str, id: &str| {
            text(&tokenizer_config[token]).or_else(|| if alone { first(id) } else { None })
        };
        Ok(Definition {
            bos_token: name("bos_token", "bos_token_id"),
            eos_token: name("eos_token", "eos_token_id"),
            eos_ids,
            chat_template: self.chat_template(&tokenizer_config["chat_template"])?,
            sha256: format!("{:x}", Sha256::digest(&bytes)),
            tokenizer,
        })
    }

    /// `chat_template.jinja` if there is one, else the template of `tokenizer_config.json`; of
    /// several named ones `default`.
    fn chat_template(&self, configured: &Value) -> Result<Option<String>> {
        if let Some(path) = self.chat_template {
            let source = std::fs::read_to_string(path);
            return Ok(Some(
                source.with_context(|| format!("cannot read {}", path.display()))?,
            ));
        }
        let Some(named) = configured.as_array() else {
            return Ok(configured.as_str().map(str::to_string));
        };
        let default = named
            .iter()
            .find(|entry| entry["name"] == "default")
            .or(named.first());
        Ok(default
            .and_then(|entry| entry["template"].as_str())
            .map(str::to_string))
    }
}

fn json(path: &Path) -> Result<Value> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| bad_input!("{}: not JSON: {error}", path.display()))
}

/// One id or a list of ids.
fn ids(value: &Value) -> Vec<u32> {
    let one = |value: &Value| value.as_u64().and_then(|id| u32::try_from(id).ok());
    match value.as_array() {
        Some(list) => list.iter().filter_map(one).collect(),
        None => one(value).into_iter().collect(),
    }
}

/// A token as `tokenizer_config.json` writes it: its text, or an object with its text.
fn text(value: &Value) -> Option<String> {
    value
        .as_str()
        .or_else(|| value["content"].as_str())
        .map(str::to_string)
}
