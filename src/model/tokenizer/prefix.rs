//! `add_prefix_space` of `tokenizer_config.json` where the tokenizer's own file says otherwise.
//!
//! transformers 5 builds the tokenizers of some classes anew, as the key says. It reads those of all others as their
//! file has them, and the key is without effect. transformers 4 follows the key where the file's one step is of bytes.

use anyhow::Result;
use serde_json::Value;

use super::json::Object;
use crate::bad_input;

/// Classes whose tokenizers are built anew.
const BUILT: [&str; 3] = ["GPT2Tokenizer", "LlamaTokenizer", "Qwen2Tokenizer"];

/// Compares the key with what `file`, which the tokenizer is read from, says. Returns a note where the key is without
/// effect; `model`: `config.json`.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) where the two differ and the key counts.
pub(super) fn check(
    space: Space,
    file: &str,
    config: &Object,
    model: &Object,
) -> Result<Option<String>> {
    let Some(wanted) = config.flag("add_prefix_space")? else {
        return Ok(None);
    };
    if wanted == space.added {
        return Ok(None);
    }
    let says = format!(
        "{}: add_prefix_space is {wanted}, {file} says {}",
        config.file, space.added
    );
    match built(space, config, model)? {
        Some(class) => Err(bad_input!(
            "{says}: transformers follows the key for a {class}, expected both the same"
        )),
        None => Ok(Some(format!("{says}, which is used, as transformers does"))),
    }
}

/// What a tokenizer's file says of a space before a text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Space {
    pub added: bool,
    /// Whether the text is split into bytes.
    pub of_bytes: bool,
}

impl Space {
    /// Reads it from the normalizer and the pre-tokenizer of a `tokenizer.json`.
    pub(super) fn of(parts: &[&Value]) -> Self {
        let mut space = Self::default();
        parts.iter().for_each(|part| space.look(part));
        space
    }

    fn look(&mut self, part: &Value) {
        match part["type"].as_str() {
            Some("ByteLevel") => {
                self.of_bytes = true;
                self.added |= part["add_prefix_space"] == true;
            }
            Some("Metaspace") => {
                self.added |= part["prepend_scheme"] != "never";
            }
            Some("Prepend") => self.added = true,
            _ => {
                for key in ["pretokenizers", "normalizers"] {
                    let steps = part[key].as_array().into_iter().flatten();
                    steps.for_each(|step| self.look(step));
                }
            }
        }
    }
}

/// The class of tokenizers, where transformers builds it anew.
fn built(space: Space, config: &Object, model: &Object) -> Result<Option<&'static str>> {
    let kind = model.text("model_type")?.unwrap_or_default();
    let named = match config.text("tokenizer_class")? {
        None => model.text("tokenizer_class")?,
        named => named,
    };
    let class = match (kind, named) {
        ("mistral", _) => return Ok(None),
        ("qwen2", _) | ("qwen3", None) => "Qwen2Tokenizer",
        (_, named) => named.unwrap_or_default(),
    };
    let class = class.strip_suffix("Fast").unwrap_or(class);
    if class == "LlamaTokenizer" && space.of_bytes {
        return Ok(None);
    }
    Ok(BUILT.into_iter().find(|built| *built == class))
}
