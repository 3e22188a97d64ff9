//! A repository on the Hugging Face hub: downloads the files that are needed into the hub cache that
//! every Hugging Face tool shares, or finds them there.
//!
//! Of a model only configuration, tokenizer and weights are fetched, of a dataset one file.

mod dataset;
mod id;
mod remote;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hf_hub::repository::RepoType;
use hf_hub::{HFClient, HFError};

use super::{ModelFiles, SourceOptions, folder, gguf};
use crate::bad_input;
use id::is_commit;
use remote::Remote;

pub(super) use dataset::fetch_file;
pub(super) use id::HubId;

pub(super) fn resolve(spec: &str, id: &HubId, options: &SourceOptions) -> Result<ModelFiles> {
    let client = client(options)?;
    let cache = client.cache_dir().join(id.cache_folder());
    online_or_cached(
        options,
        || download(spec, id, &client, &cache),
        || cached(spec, id, &cache),
    )
}

/// What `download` brings or, offline and where the hub is out of reach, what `cached` finds.
fn online_or_cached<T>(
    options: &SourceOptions,
    download: impl FnOnce() -> Result<T>,
    cached: impl Fn() -> Result<T>,
) -> Result<T> {
    if options.offline {
        return cached();
    }
    match download() {
        Err(error) if is_transport(&error) => match cached() {
            Ok(found) => {
                eprintln!("warning: {error:#}; using what the hub cache holds");
                Ok(found)
            }
            Err(_) => Err(error),
        },
        other => other,
    }
}

fn client(options: &SourceOptions) -> Result<HFClient> {
    let mut builder = HFClient::builder();
    if let Some(endpoint) = &options.endpoint {
        builder = builder.endpoint(endpoint);
    }
    if let Some(token) = &options.token {
        builder = builder.token(token);
    }
    if let Some(folder) = &options.hub_cache {
        builder = builder.cache_dir(folder);
    }
    builder.build().map_err(|error| match error {
        HFError::Url(error) => bad_input!("HF_ENDPOINT: {error}, expected an http(s) address"),
        other => anyhow::Error::new(other).context("cannot set up the hub client"),
    })
}

/// What the cache holds for `id`, without a request.
fn cached(spec: &str, id: &HubId, cache: &Path) -> Result<ModelFiles> {
    let (commit, snapshot) = cached_snapshot(spec, id, cache)?;
    let mut names = Vec::new();
    list_files(&snapshot, "", &mut names)
        .with_context(|| format!("cannot read {}", snapshot.display()))?;
    let kind = match choose(spec, id, &names)? {
        Choice::Folder => folder::inspect(&snapshot)?,
        Choice::Gguf(file) => gguf::inspect(&snapshot.join(file))?,
    };
    Ok(ModelFiles {
        spec: spec.to_string(),
        revision: commit,
        kind,
    })
}

/// The commit that `id` named when it was last looked up, and the folder of its files.
fn cached_snapshot(spec: &str, id: &HubId, cache: &Path) -> Result<(String, PathBuf)> {
    let absent = |what: &str| {
        bad_input!(
            "{} `{spec}`: {what} in the hub cache {}, and the hub is not asked \
             (offline or unreachable)",
            id.kind.singular(),
            cache.display()
        )
    };
    let commit = if is_commit(&id.revision) {
        id.revision.clone()
    } else {
        std::fs::read_to_string(cache.join("refs").join(&id.revision))
            .map(|text| text.trim().to_string())
            .map_err(|_| absent(&format!("no revision `{}`", id.revision)))?
    };
    let snapshot = cache.join("snapshots").join(&commit);
    match snapshot.is_dir() {
        true => Ok((commit, snapshot)),
        false => Err(absent(&format!("no snapshot of commit {commit}"))),
    }
}

fn list_files(dir: &Path, prefix: &str, names: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{prefix}{name}");
        match path.is_dir() {
            true => list_files(&path, &format!("{name}/"), names)?,
            false => names.push(name),
        }
    }
    Ok(())
}

fn download(spec: &str, id: &HubId, client: &HFClient, cache: &Path) -> Result<ModelFiles> {
    let remote = Remote::look_up(id, client, cache)?;
    let kind = match choose(spec, id, &remote.names())? {
        Choice::Gguf(file) => gguf::inspect(&remote.fetch(&file)?)?,
        Choice::Folder => {
            for name in folder::small_files(&remote.names()) {
                remote.fetch(name)?;
            }
            if remote.size(folder::WEIGHTS).is_some() {
                remote.fetch(folder::WEIGHTS)?;
            } else {
                for shard in folder::shards(&remote.fetch(folder::INDEX)?)? {
                    remote.fetch(&shard)?;
                }
            }
            folder::inspect(&remote.snapshot)?
        }
    };
    note_revision(id, &remote.commit, cache)?;
    Ok(ModelFiles {
        spec: spec.to_string(),
        revision: remote.commit,
        kind,
    })
}

/// What to take from a repository.
enum Choice {
    Folder,
    Gguf(String),
}

fn choose(spec: &str, id: &HubId, names: &[String]) -> Result<Choice> {
    let has = |name: &str| names.iter().any(|other| other == name);
    let ggufs: Vec<_> = names
        .iter()
        .filter(|name| name.ends_with(".gguf"))
        .cloned()
        .collect();
    let listed = || match ggufs.as_slice() {
        [] => "none".to_string(),
        some => some.join(", "),
    };
    if let Some(file) = &id.file {
        if has(file) {
            return Ok(Choice::Gguf(file.clone()));
        }
        return Err(bad_input!(
            "model `{spec}`: no {file}; .gguf files there: {}",
            listed()
        ));
    }
    let weights = has(folder::WEIGHTS) || has(folder::INDEX);
    let tokenizer = folder::has_tokenizer(has);
    if has(folder::CONFIG) && tokenizer && weights {
        return Ok(Choice::Folder);
    }
    match ggufs.as_slice() {
        [single] => Ok(Choice::Gguf(single.clone())),
        [] => {
            let missing = [
                (has(folder::CONFIG), folder::CONFIG),
                (tokenizer, folder::NO_TOKENIZER),
                (weights, folder::WEIGHTS),
            ];
            let missing: Vec<_> = missing.into_iter().filter(|(there, _)| !there).collect();
            let missing: Vec<_> = missing.into_iter().map(|(_, name)| name).collect();
            Err(bad_input!(
                "model `{spec}`: no {} and no .gguf file there",
                missing.join(", ")
            ))
        }
        _ => Err(bad_input!(
            "model `{spec}`: several .gguf files, name one as `{}/FILE`: {}",
            id.repository(),
            listed()
        )),
    }
}

/// Writes the commit of a branch or tag through a temporary file. To be done last, so that a name points only to a
/// snapshot that is complete.
fn note_revision(id: &HubId, commit: &str, cache: &Path) -> Result<()> {
    if is_commit(&id.revision) {
        return Ok(());
    }
    let path = &cache.join("refs").join(&id.revision);
    let folder = path.parent().context("a ref has a folder")?;
    std::fs::create_dir_all(folder)
        .and_then(|()| tempfile::NamedTempFile::new_in(folder))
        .and_then(|file| std::fs::write(file.path(), commit).map(|()| file))
        .and_then(|file| file.persist(path).map_err(|error| error.error))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

fn is_transport(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| matches!(cause.downcast_ref(), Some(HFError::Request { .. })))
}
