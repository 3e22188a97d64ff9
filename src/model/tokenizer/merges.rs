//! `vocab.json` and `merges.txt`: byte-level BPE of a folder without `tokenizer.json`.

use std::path::Path;

use anyhow::Result;
use tokenizers::models::bpe::Vocab;

use super::byte_level;
use super::json::Object;
use super::pre::{OF_GPT2, OF_QWEN2, Pre};
use super::prefix::Space;
use super::special::Declared;
use super::vocabulary::Vocabulary;
use crate::bad_input;
use crate::files;
use crate::terminal;
use crate::typed;

/// Reads the vocabulary, and adds to `declared` the special tokens that its class has by default.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput): a file that is not what its name says; a class of tokenizers that is not
/// known.
pub(super) fn load(
    vocab: &Path,
    merges: &Path,
    config: &Object,
    model: &Object,
    declared: &mut Declared,
) -> Result<Vocabulary> {
    let file = vocab.display().to_string();
    let pre = class(&file, config, model, declared)?;
    let tokens: Vocab = typed::json(files::read_text(vocab)?.as_bytes())
        .map_err(|error| bad_input!("{file}: not a vocabulary, ids by token: {error}"))?;
    let merges = parse(&files::read_text(merges)?, &merges.display().to_string())?;
    let tokenizer = byte_level::build(tokens, merges, &pre);
    Ok(Vocabulary {
        tokenizer: tokenizer.map_err(|error| error.context(file.clone()))?,
        bytes: None,
        patterns: Vec::new(),
        space: Space {
            added: pre.space,
            of_bytes: true,
        },
        file,
    })
}

/// How a text is split, by the class of tokenizers that `tokenizer_config.json` names, else by the kind of model.
fn class(file: &str, config: &Object, model: &Object, declared: &mut Declared) -> Result<Pre> {
    let end = "<|endoftext|>";
    let kind = model.text("model_type")?.unwrap_or_default();
    let class = config.text("tokenizer_class")?.unwrap_or(match kind {
        "qwen2" | "qwen3" => "Qwen2Tokenizer",
        _ => "",
    });
    let (mut pre, names): (Pre, &[&str]) = match class.strip_suffix("Fast").unwrap_or(class) {
        "Qwen2Tokenizer" => (OF_QWEN2, &["unk_token", "eos_token", "pad_token"]),
        "GPT2Tokenizer" => (OF_GPT2, &["unk_token", "bos_token", "eos_token"]),
        other => {
            return Err(bad_input!(
                "{file}: its tokenizer_class is `{other}`, expected Qwen2Tokenizer or GPT2Tokenizer for vocab.json with \
                 merges.txt, or a tokenizer.json beside it ({WRITE_JSON})"
            ));
        }
    };
    for name in names {
        declared.default_name(name, end);
    }
    pre.space = config.flag("add_prefix_space")? == Some(true);
    Ok(pre)
}

/// What writes a `tokenizer.json`.
pub(super) const WRITE_JSON: &str = "python -c \"from transformers import AutoTokenizer as A; A.from_pretrained('.').save_pretrained('.')\"";

/// Pairs of `merges.txt`, a line each, after a line that names the version.
fn parse(text: &str, file: &str) -> Result<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("#version") || line.trim().is_empty() {
            continue;
        }
        let Some((left, right)) = pair(line) else {
            let shown = terminal::cut(line, 60);
            return Err(bad_input!(
                "{file}:{}: `{shown}`, expected two parts of a merge",
                number + 1
            ));
        };
        pairs.push((left, right));
    }
    Ok(pairs)
}

/// The two parts of a merge with one space between them.
pub(super) fn pair(merge: &str) -> Option<(String, String)> {
    let (left, right) = merge.split_once(' ')?;
    let whole = !left.is_empty() && !right.is_empty() && !right.contains(' ');
    whole.then(|| (left.to_owned(), right.to_owned()))
}
