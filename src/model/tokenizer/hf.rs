//! The tokenizer of a folder in Hugging Face layout.

use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokenizers::Tokenizer;

use super::definition::{FoundTokenizer, digest};
use super::json::Object;
use super::prefix::Space;
use super::vocabulary::Vocabulary;
use super::{merges, prefix, proto, special};
use crate::bad_input;
use crate::files;
use crate::guard::guarded;
use crate::model::chat::{NamedTemplate, of_json};
use crate::source::{TokenizerFiles, VocabularyFiles};
use crate::typed;

pub(super) fn load(
    config: &Path,
    generation_config: Option<&Path>,
    files: &TokenizerFiles,
) -> Result<FoundTokenizer> {
    let model = Object::read(config)?;
    let generation = Object::optional(generation_config)?;
    let of_tokenizer = Object::optional(files.config.as_deref())?;
    let mut declared = special::read(files, &of_tokenizer)?;
    let Vocabulary {
        mut tokenizer,
        bytes,
        patterns,
        space,
        file,
    } = match &files.vocabulary {
        VocabularyFiles::Json(path) => of_json_file(path)?,
        VocabularyFiles::Merges { vocab, merges } => {
            merges::load(vocab, merges, &of_tokenizer, &model, &mut declared)?
        }
        VocabularyFiles::SentencePiece(path) => proto::load(path, &of_tokenizer, &mut declared)?,
    };
    // Settings for batches of training examples; a prompt is never cut or filled up here.
    tokenizer.with_padding(None);
    tokenizer
        .with_truncation(None)
        .map_err(|error| bad_input!("{file}: {error}"))?;
    let mut notes = declared.add(&mut tokenizer, &file)?;
    notes.extend(prefix::check(space, &file, &of_tokenizer, &model)?);
    if !matches!(files.vocabulary, VocabularyFiles::Json(_)) {
        declared.surround(&mut tokenizer, &of_tokenizer)?;
    }
    if of_tokenizer.flag("split_special_tokens")? == Some(true) {
        tokenizer.set_encode_special_tokens(true);
    }

    let mut eos_ids = generation.ids("eos_token_id")?;
    eos_ids.extend(model.ids("eos_token_id")?);
    let mut special = declared.texts();
    // Without a file that names them the ids of config.json are all there is.
    if files.config.is_none() && files.special_tokens_map.is_none() {
        for name in ["bos_token", "eos_token"] {
            let id = model.ids(&format!("{name}_id"))?.first().copied();
            let token = id.and_then(|id| tokenizer.id_to_token(id));
            special.extend(token.map(|token| (name.to_owned(), token)));
        }
    }
    let sha256 = match bytes {
        Some(bytes) => format!("{:x}", Sha256::digest(bytes)),
        None => digest(&tokenizer)?,
    };
    Ok(FoundTokenizer {
        tokenizer,
        file,
        patterns,
        special,
        eos_ids,
        templates: templates(files, &of_tokenizer)?,
        clean_up: of_tokenizer.flag("clean_up_tokenization_spaces")? == Some(true),
        sha256,
        notes,
    })
}

fn of_json_file(path: &Path) -> Result<Vocabulary> {
    /// The parts of `tokenizer.json` that hold regular expressions.
    #[derive(Deserialize)]
    struct Parts {
        #[serde(default)]
        normalizer: Value,
        #[serde(default)]
        pre_tokenizer: Value,
        #[serde(default)]
        model: ModelPart,
    }
    #[derive(Deserialize, Default)]
    struct ModelPart {
        #[serde(default)]
        dropout: Option<f64>,
    }
    let file = path.display().to_string();
    let bytes = files::read(path)?;
    let parts: Parts =
        typed::json(&bytes).map_err(|error| bad_input!("{file}: not a tokenizer: {error}"))?;
    if let Some(dropout) = parts.model.dropout.filter(|dropout| *dropout != 0.0) {
        return Err(bad_input!(
            "{file}: model.dropout is {dropout}, expected null: it leaves out merges at random, so that a text has no \
             tokens of its own"
        ));
    }
    // The crate panics on some damaged definitions.
    let tokenizer = guarded(|| typed::json::<Tokenizer>(&bytes).map_err(|fault| fault.to_string()))
        .unwrap_or_else(Err)
        .map_err(|error| bad_input!("{file}: not a tokenizer: {}", typed::words(&error)))?;
    let mut patterns = Vec::new();
    for part in [&parts.normalizer, &parts.pre_tokenizer] {
        regexes(part, &mut patterns);
    }
    Ok(Vocabulary {
        tokenizer,
        bytes: Some(bytes),
        patterns,
        space: Space::of(&[&parts.normalizer, &parts.pre_tokenizer]),
        file,
    })
}

/// Every `{"Regex": ..}` in a part.
fn regexes(part: &Value, found: &mut Vec<String>) {
    match part {
        Value::Object(map) => {
            for (key, value) in map {
                match value.as_str().filter(|_| key == "Regex") {
                    Some(pattern) => found.push(format!("`{pattern}`")),
                    None => regexes(value, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| regexes(value, found)),
        _ => {}
    }
}

/// The templates of a model. As in `transformers`, files of their own stand before what `tokenizer_config.json` has;
/// `chat_template.json`, which it reads for processors alone, is the last resort.
fn templates(files: &TokenizerFiles, of_tokenizer: &Object) -> Result<Vec<NamedTemplate>> {
    let default = files
        .chat_template
        .iter()
        .map(|path| ("default".to_owned(), path));
    let more = files.more_chat_templates.iter().map(|path| {
        let name = path.file_stem().unwrap_or_default();
        (name.to_string_lossy().into_owned(), path)
    });
    let of_files: Vec<_> = default.chain(more).collect();
    if !of_files.is_empty() {
        let read = |(name, path): (String, &std::path::PathBuf)| {
            Ok(NamedTemplate {
                name,
                source: files::read_description(path)?,
                origin: path.display().to_string(),
            })
        };
        return of_files.into_iter().map(read).collect();
    }
    let of = |object: &Object| of_json(object.get("chat_template"), &object.file);
    let templates = of(of_tokenizer)?;
    match &files.chat_template_json {
        Some(path) if templates.is_empty() => of(&Object::read(path)?),
        _ => Ok(templates),
    }
}
