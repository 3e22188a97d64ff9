//! A model on the Hugging Face hub: downloads the files it needs into the hub cache that every
//! Hugging Face tool shares, or finds them there.
//!
//! Only configuration, tokenizer and weights are fetched. Each file is checked against the size the
//! hub states, and against its SHA-256 where the hub names it (large files), because the client
//! library stores whatever body arrives.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hf_hub::repository::{RepoTreeEntry, RepoTypeModel};
use hf_hub::{HFClient, HFClientSync, HFError, HFRepositorySync};

use super::hub_id::HubId;
use super::progress::FileBar;
use super::{ModelFiles, SourceOptions, folder, gguf, sha256_file};
use crate::bad_input;

pub(super) fn resolve(spec: &str, id: &HubId, options: &SourceOptions) -> Result<ModelFiles> {
    let client = client(options)?;
    let cache = client.cache_dir().join(id.cache_folder());
    if options.offline {
        return cached(spec, id, &cache);
    }
    let online = download(spec, id, &client, &cache);
    match online {
        Err(error) if is_transport(&error) => match cached(spec, id, &cache) {
            Ok(files) => {
                eprintln!(
                    "warning: {error:#}; using the cached revision {}",
                    files.revision
                );
                Ok(files)
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
    let absent = |what: &str| {
        bad_input!(
            "model `{spec}`: {what} in the hub cache {}, and the hub is not asked \
             (offline or unreachable)",
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
    let mut names = Vec::new();
    list_files(&snapshot, "", &mut names)
        .map_err(|_| absent(&format!("no snapshot of commit {commit}")))?;
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
    let endpoint = client.endpoint().to_string();
    let explain = |error| explain(error, id, &endpoint);
    let repo = HFClientSync::from_inner(client.clone())
        .map_err(explain)?
        .model(&id.owner, &id.name);
    let info = repo.info().revision(&id.revision).send().map_err(explain)?;
    let commit = info.sha.filter(|sha| is_commit(sha)).with_context(|| {
        format!(
            "{endpoint} names no commit for {}@{}",
            id.repository(),
            id.revision
        )
    })?;
    let tree = repo
        .list_tree()
        .revision(&commit)
        .recursive(true)
        .send()
        .map_err(explain)?;
    let files: Vec<_> = tree
        .into_iter()
        .filter_map(|entry| match entry {
            RepoTreeEntry::File { path, size, .. } => Some((path, size)),
            RepoTreeEntry::Directory { .. } => None,
        })
        .collect();
    let snapshot = cache.join("snapshots").join(&commit);
    let remote = Remote {
        id,
        endpoint: &endpoint,
        repo,
        commit: &commit,
        files: &files,
    };

    let names: Vec<_> = files.iter().map(|(name, _)| name.clone()).collect();
    let kind = match choose(spec, id, &names)? {
        Choice::Gguf(file) => gguf::inspect(&remote.fetch(&file)?)?,
        Choice::Folder => {
            for name in [folder::CONFIG, folder::TOKENIZER]
                .iter()
                .chain(&folder::OPTIONAL)
            {
                if remote.size(name).is_some() {
                    remote.fetch(name)?;
                }
            }
            if remote.size(folder::WEIGHTS).is_some() {
                remote.fetch(folder::WEIGHTS)?;
            } else {
                for shard in folder::shards(&remote.fetch(folder::INDEX)?)? {
                    remote.fetch(&shard)?;
                }
            }
            folder::inspect(&snapshot)?
        }
    };
    // Last, so that a name points only to a snapshot that is complete.
    if !is_commit(&id.revision) {
        write_ref(&cache.join("refs").join(&id.revision), &commit)?;
    }
    Ok(ModelFiles {
        spec: spec.to_string(),
        revision: commit,
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
    if has(folder::CONFIG) && has(folder::TOKENIZER) && weights {
        return Ok(Choice::Folder);
    }
    match ggufs.as_slice() {
        [single] => Ok(Choice::Gguf(single.clone())),
        [] => {
            let missing: Vec<_> = [folder::CONFIG, folder::TOKENIZER]
                .into_iter()
                .filter(|name| !has(name))
                .chain((!weights).then_some(folder::WEIGHTS))
                .collect();
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

/// One commit of a repository on the hub.
struct Remote<'a> {
    id: &'a HubId,
    endpoint: &'a str,
    repo: HFRepositorySync<RepoTypeModel>,
    commit: &'a str,
    /// Path and bytes of every file.
    files: &'a [(String, u64)],
}

impl Remote<'_> {
    fn size(&self, name: &str) -> Option<u64> {
        self.files
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, size)| *size)
    }

    /// Downloads `name` unless this commit's copy is cached. A copy that is not what the hub
    /// describes is removed and fetched once more.
    fn fetch(&self, name: &str) -> Result<PathBuf> {
        let Some(size) = self.size(name) else {
            return Err(bad_input!(
                "{}@{}: no {name} there",
                self.id.repository(),
                self.commit
            ));
        };
        let mut last = String::new();
        for _ in 0..2 {
            let bar = FileBar::new(name, size);
            let request = self
                .repo
                .download_file()
                .filename(name)
                .revision(self.commit);
            let started = std::time::SystemTime::now();
            let result = request.progress(bar.clone()).send();
            bar.clear();
            let path = result.map_err(|error| explain(error, self.id, self.endpoint))?;
            match damage(&path, size, started)? {
                None => return Ok(path),
                Some(found) => last = found,
            }
            // Blob first: a pointer without a blob is not taken as a cached file.
            let blob = path.canonicalize();
            blob.and_then(std::fs::remove_file)
                .and_then(|()| std::fs::remove_file(&path))
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        bail!(
            "{}@{}: {name} arrived damaged: {last}",
            self.id.repository(),
            self.commit
        )
    }
}

/// What is wrong with a downloaded file, if anything. The cache names a large file by its SHA-256;
/// it is hashed only when it was written since `started`.
fn damage(path: &Path, size: u64, started: std::time::SystemTime) -> Result<Option<String>> {
    let reading = || format!("cannot read {}", path.display());
    let blob = path.canonicalize().with_context(reading)?;
    let metadata = blob.metadata().with_context(reading)?;
    if metadata.len() != size {
        return Ok(Some(format!("{} bytes, expected {size}", metadata.len())));
    }
    let name = blob.file_name().unwrap_or_default().to_string_lossy();
    let is_digest = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
    if is_digest && metadata.modified().with_context(reading)? >= started {
        let found = sha256_file(&blob)?;
        return Ok((found != name).then(|| format!("SHA-256 is {found}, expected {name}")));
    }
    Ok(None)
}

/// Writes the commit of a branch or tag through a temporary file.
fn write_ref(path: &Path, commit: &str) -> Result<()> {
    let folder = path.parent().context("a ref has a folder")?;
    std::fs::create_dir_all(folder)
        .and_then(|()| tempfile::NamedTempFile::new_in(folder))
        .and_then(|file| std::fs::write(file.path(), commit).map(|()| file))
        .and_then(|file| file.persist(path).map_err(|error| error.error))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}

fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_transport(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| matches!(cause.downcast_ref(), Some(HFError::Request { .. })))
}

fn explain(error: HFError, id: &HubId, endpoint: &str) -> anyhow::Error {
    let repository = id.repository();
    let revision = &id.revision;
    match error {
        HFError::RepoNotFound { .. } | HFError::RevisionNotFound { .. } => bad_input!(
            "model `{repository}`: no such folder here, and {endpoint} has no repository \
             `{repository}` with revision `{revision}`"
        ),
        HFError::AuthRequired { .. } => bad_input!(
            "model `{repository}`: {endpoint} has no such repository or it is private; \
             for a private one set HF_TOKEN"
        ),
        HFError::Forbidden { .. } => bad_input!(
            "model `{repository}`: {endpoint} refuses access; accept the model's terms there and \
             set HF_TOKEN"
        ),
        other => anyhow::Error::new(other).context(format!(
            "cannot fetch {repository}@{revision} from {endpoint}"
        )),
    }
}
