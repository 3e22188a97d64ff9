//! A folder in Hugging Face layout: which files it must have, and which it may.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use anyhow::Result;
use serde::Deserialize;

use super::{ModelFileKind, TokenizerFiles, VocabularyFiles};
use crate::bad_input;
use crate::files;
use crate::typed;

pub(super) const CONFIG: &str = "config.json";
pub(super) const WEIGHTS: &str = "model.safetensors";
pub(super) const INDEX: &str = "model.safetensors.index.json";
const TOKENIZER: &str = "tokenizer.json";
const VOCAB: &str = "vocab.json";
const MERGES: &str = "merges.txt";
const SENTENCEPIECE: &str = "tokenizer.model";
/// What tells of an adapter of PEFT.
const ADAPTER: [&str; 2] = ["adapter_config.json", "adapter_model.safetensors"];
/// Files read when they are there.
const OPTIONAL: [&str; 6] = [
    "generation_config.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
];
/// The folder of chat templates that have names.
pub(super) const TEMPLATES: &str = "additional_chat_templates";

/// Whether files of these names hold a tokenizer.
pub(super) fn has_tokenizer(has: impl Fn(&str) -> bool) -> bool {
    has(TOKENIZER) || (has(VOCAB) && has(MERGES)) || has(SENTENCEPIECE)
}

/// What is missing where [`has_tokenizer`] is false, in words.
pub(super) const NO_TOKENIZER: &str =
    "tokenizer.json (or vocab.json with merges.txt, or tokenizer.model)";

/// Those of `names` that are read of a folder in this layout, but for the weights.
pub(super) fn small_files(names: &[String]) -> impl Iterator<Item = &String> {
    let has = |name: &str| names.iter().any(|other| other == name);
    let vocabulary: &[&str] = match () {
        () if has(TOKENIZER) => &[TOKENIZER],
        () if has(VOCAB) && has(MERGES) => &[VOCAB, MERGES],
        () => &[SENTENCEPIECE],
    };
    names.iter().filter(move |name| {
        let name = name.as_str();
        let template = name
            .strip_prefix(TEMPLATES)
            .and_then(|rest| rest.strip_prefix('/'))
            .is_some_and(is_template);
        template || name == CONFIG || vocabulary.contains(&name) || OPTIONAL.contains(&name)
    })
}

fn is_template(name: &str) -> bool {
    name.ends_with(".jinja") && is_plain(name)
}

/// Reads the layout of `dir`.
///
/// # Errors
/// Names the first file that is missing.
pub(super) fn inspect(dir: &Path) -> Result<ModelFileKind> {
    let optional = |name: &str| -> Result<Option<PathBuf>> {
        let path = dir.join(name);
        Ok(files::is_there(&path)?.then_some(path))
    };
    let needed = |name: &str| {
        optional(name)?.ok_or_else(|| bad_input!("{}: no {name} in it{}", dir.display(), hint(dir)))
    };
    let config = needed(CONFIG)?;
    let vocabulary = match (optional(TOKENIZER)?, optional(VOCAB)?, optional(MERGES)?) {
        (Some(json), ..) => VocabularyFiles::Json(json),
        (None, Some(vocab), Some(merges)) => VocabularyFiles::Merges { vocab, merges },
        _ => VocabularyFiles::SentencePiece(optional(SENTENCEPIECE)?.ok_or_else(|| {
            bad_input!("{}: no {NO_TOKENIZER} in it{}", dir.display(), hint(dir))
        })?),
    };
    let [
        generation_config,
        config_of_tokenizer,
        special_tokens_map,
        added_tokens,
        chat_template,
        chat_template_json,
    ] = OPTIONAL.map(optional);
    let templates = templates(&dir.join(TEMPLATES))?;
    Ok(ModelFileKind::HfFolder {
        config,
        generation_config: generation_config?,
        tokenizer: Box::new(TokenizerFiles {
            vocabulary,
            config: config_of_tokenizer?,
            special_tokens_map: special_tokens_map?,
            added_tokens: added_tokens?,
            chat_template: chat_template?,
            more_chat_templates: templates,
            chat_template_json: chat_template_json?,
        }),
        weights: weights(dir)?,
    })
}

/// The templates of a folder, sorted; none where there is no such folder.
///
/// # Errors
/// Something else that is called like one.
fn templates(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "jinja"))
        .collect();
    paths.sort();
    for path in &paths {
        files::is_there(path)?;
    }
    Ok(paths)
}

fn weights(dir: &Path) -> Result<Vec<PathBuf>> {
    let single = dir.join(WEIGHTS);
    if files::is_there(&single)? {
        return Ok(vec![single]);
    }
    let index = dir.join(INDEX);
    if !files::is_there(&index)? {
        return Err(bad_input!(
            "{}: no {WEIGHTS} and no {INDEX} in it{}",
            dir.display(),
            hint(dir)
        ));
    }
    let mut paths = Vec::new();
    for name in shards(&index)? {
        let path = dir.join(&name);
        if !files::is_there(&path)? {
            return Err(bad_input!(
                "{}: no {name} in it, which {INDEX} names",
                dir.display()
            ));
        }
        paths.push(path);
    }
    Ok(paths)
}

/// Bytes of an index, at most; that of the largest models has ten million.
const INDEX_BYTES: u64 = 32 << 20;

/// The index of weights in several files.
#[derive(Deserialize)]
struct Index {
    /// The file of each tensor.
    #[serde(default)]
    weight_map: BTreeMap<String, String>,
}

/// The weight files that an index names, sorted.
pub(super) fn shards(index: &Path) -> Result<Vec<String>> {
    let text = files::read_text_within(index, INDEX_BYTES)?;
    let Index { weight_map } = typed::json(text.as_bytes())
        .map_err(|error| bad_input!("{}: not an index: {error}", index.display()))?;
    if weight_map.is_empty() {
        return Err(bad_input!(
            "{}: no `weight_map` with tensors in it",
            index.display()
        ));
    }
    let mut names = BTreeSet::new();
    for (tensor, file) in weight_map {
        if !is_plain(&file) {
            return Err(bad_input!(
                "{}: weight_map.{tensor} is \"{file}\", expected a file name",
                index.display()
            ));
        }
        names.insert(file);
    }
    Ok(names.into_iter().collect())
}

/// True for a bare file name: an index must not lead out of its folder.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    )
}

/// What else is in the folder that the user may have meant.
fn hint(dir: &Path) -> String {
    if ADAPTER.iter().any(|name| dir.join(name).exists()) {
        return "; an adapter (LoRA) is not read by itself, expected a model that it was merged into".into();
    }
    let Ok(entries) = std::fs::read_dir(dir) else {
        return String::new();
    };
    let mut names: Vec<_> = entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".gguf") || name.ends_with(".bin"))
        .collect();
    names.sort();
    if let Some(name) = names.iter().find(|name| name.ends_with(".gguf")) {
        return format!(
            "; to use a .gguf file, name it: {}",
            dir.join(name).display()
        );
    }
    match names.first() {
        Some(name) => format!("; {name} is not read, only safetensors and GGUF are"),
        None => String::new(),
    }
}
