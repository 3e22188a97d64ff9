//! One commit of a repository on the hub: what it holds, and fetching it into the cache.
//!
//! Each file is checked against the size the hub states, and against its SHA-256 where the hub names
//! it (large files), because the client library stores whatever body arrives, an error page included.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use hf_hub::repository::{RepoTreeEntry, RepoTypeAny};
use hf_hub::{HFClient, HFClientSync, HFError, HFRepositorySync};

use super::id::{HubId, is_commit};
use crate::bad_input;
use crate::source::progress::FileBar;
use crate::source::sha256_file;

/// One commit of a repository on the hub.
pub(super) struct Remote<'a> {
    id: &'a HubId,
    endpoint: &'a str,
    repo: HFRepositorySync<RepoTypeAny>,
    /// The commit that the id's revision names now.
    pub commit: String,
    /// Where the cache keeps this commit's files.
    pub snapshot: PathBuf,
    /// Path and bytes of every file.
    files: Vec<(String, u64)>,
}

impl<'a> Remote<'a> {
    /// Asks the hub for the commit and its files. `cache` is the repository's cache folder.
    pub(super) fn look_up(id: &'a HubId, client: &'a HFClient, cache: &Path) -> Result<Self> {
        let endpoint = client.endpoint();
        let explain = |error| explain(error, id, endpoint);
        let client = HFClientSync::from_inner(client.clone()).map_err(explain)?;
        // What a repository says of itself depends on its kind; its files do not.
        let commit = match id.kind {
            RepoTypeAny::Dataset => {
                let repo = client.dataset(&id.owner, &id.name);
                let info = repo.info().revision(&id.revision).send();
                info.map_err(explain)?.sha
            }
            _ => {
                let repo = client.model(&id.owner, &id.name);
                let info = repo.info().revision(&id.revision).send();
                info.map_err(explain)?.sha
            }
        };
        let repo = client.repository(id.kind, &id.owner, &id.name);
        let commit = commit.filter(|sha| is_commit(sha)).with_context(|| {
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
        let files = tree
            .into_iter()
            .filter_map(|entry| match entry {
                RepoTreeEntry::File { path, size, .. } => Some((path, size)),
                RepoTreeEntry::Directory { .. } => None,
            })
            .collect();
        let snapshot = cache.join("snapshots").join(&commit);
        Ok(Self {
            id,
            endpoint,
            repo,
            commit,
            snapshot,
            files,
        })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.files.iter().map(|(name, _)| name.clone()).collect()
    }

    pub(super) fn size(&self, name: &str) -> Option<u64> {
        self.files
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, size)| *size)
    }

    /// Downloads `name` unless this commit's copy is cached. A copy that is not what the hub
    /// describes is removed and fetched once more.
    pub(super) fn fetch(&self, name: &str) -> Result<PathBuf> {
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
                .revision(&self.commit);
            let fresh = !self.snapshot.join(name).exists();
            let result = request.progress(bar.clone()).send();
            bar.clear();
            let path = result.map_err(|error| explain(error, self.id, self.endpoint))?;
            match damage(&path, size, fresh)? {
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

/// What is wrong with a cached file, if anything. The cache names a large file by its SHA-256, which
/// is checked when the file is `fresh`: it takes as long as reading it.
fn damage(path: &Path, size: u64, fresh: bool) -> Result<Option<String>> {
    let reading = || format!("cannot read {}", path.display());
    let blob = path.canonicalize().with_context(reading)?;
    let metadata = blob.metadata().with_context(reading)?;
    if metadata.len() != size {
        return Ok(Some(format!("{} bytes, expected {size}", metadata.len())));
    }
    let name = blob.file_name().unwrap_or_default().to_string_lossy();
    let is_digest = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
    if is_digest && fresh {
        let found = sha256_file(&blob)?;
        return Ok((found != name).then(|| format!("SHA-256 is {found}, expected {name}")));
    }
    Ok(None)
}

fn explain(error: HFError, id: &HubId, endpoint: &str) -> anyhow::Error {
    let (named, repository, revision) = (id.named(), id.repository(), &id.revision);
    // What is no folder is taken for a model of the hub.
    let here = match id.kind {
        RepoTypeAny::Model => "no such folder here, and ",
        _ => "",
    };
    match error {
        HFError::RepoNotFound { .. } | HFError::RevisionNotFound { .. } => bad_input!(
            "{named}: {here}{endpoint} has no repository `{repository}` with revision `{revision}`"
        ),
        HFError::AuthRequired { .. } => bad_input!(
            "{named}: {endpoint} has no such repository or it is private; \
             for a private one set HF_TOKEN"
        ),
        HFError::Forbidden { .. } => bad_input!(
            "{named}: {endpoint} refuses access; accept its terms there and set HF_TOKEN"
        ),
        other => anyhow::Error::new(other).context(format!(
            "cannot fetch {repository}@{revision} from {endpoint}"
        )),
    }
}
