//! The files of a model, and that they are the ones expected.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::digest;
use super::options::SourceOptions;
use crate::bad_input;

/// The files of one model, all present on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// The model as it was asked for.
    pub spec: String,
    /// Hub commit for a hub id, else the SHA-256 of the weights: of the file if there is one, of
    /// the list of `digest  name` lines if there are several.
    pub revision: String,
    /// The layout, with the path of each file.
    pub kind: ModelFileKind,
}

/// The two layouts a model is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelFileKind {
    /// A folder in Hugging Face layout.
    HfFolder {
        /// `config.json`.
        config: PathBuf,
        /// `generation_config.json`. None where the folder has no such file.
        generation_config: Option<PathBuf>,
        /// The files of tokenizer and chat template.
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
    /// The files that the vocabulary is read from.
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
    /// The two files of a byte-level BPE.
    Merges {
        /// `vocab.json`: the id of each token.
        vocab: PathBuf,
        /// `merges.txt`: which pairs of tokens are merged, the first ones first.
        merges: PathBuf,
    },
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
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
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
    pub(super) fn files(&self) -> Vec<&Path> {
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

/// Files that are already on this machine: the revision is the digest of the weights.
pub(super) fn local(
    spec: &str,
    kind: ModelFileKind,
    options: &SourceOptions,
) -> Result<ModelFiles> {
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

pub(super) fn check_sha256(kind: &ModelFileKind, found: &str, expected: &str) -> Result<()> {
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
