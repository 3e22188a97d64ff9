//! One commit of a repository on the hub: what it holds, and fetching it into the cache.
//!
//! Names and hashes from the hub are checked before they become paths. Each file is checked against the size that the
//! hub lists, and against its SHA-256 where the hub lists one (large files).

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::http::{Failure, Http};
use super::id::HubId;
use super::listing::{self, HubFile};
use super::store::Store;
use crate::bad_input;
use crate::source::kept::Kept;
use crate::source::progress::{FileBar, Spinner};
use crate::terminal;

/// More files than any repository of a model has.
const MOST_FILES: usize = 100_000;

/// One commit of a repository on the hub.
pub(super) struct Remote<'a> {
    id: &'a HubId,
    http: &'a Http,
    store: &'a Store,
    kept: &'a Kept,
    /// The commit that the id's revision names now.
    pub commit: String,
    /// Every file.
    files: Vec<HubFile>,
}

impl<'a> Remote<'a> {
    /// Asks the hub for the commit and its files.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a repository that the hub does not have or does not show; any other
    /// error if it cannot be reached or its answer is not as expected.
    pub(super) fn look_up(
        id: &'a HubId,
        http: &'a Http,
        store: &'a Store,
        kept: &'a Kept,
    ) -> Result<Self> {
        let _spinner = Spinner::new(format!(
            "{}asking {} for {}",
            id.not_here(),
            http.place,
            id.named()
        ));
        let explain = |failure| explain(failure, id, http);
        let api = ["api", id.kind.plural(), &id.owner, &id.name];
        let about = http.url(&[&api[..], &["revision", &id.revision]].concat(), "");
        let (text, _) = http.text(&about).map_err(explain)?;
        let wrong = |what: String| explain(Failure::Wrong(format!("it answers with {what}")));
        let commit = listing::commit(&text).map_err(wrong)?;
        let mut tree = http.url(&[&api[..], &["tree", &commit]].concat(), "");
        tree.set_query(Some("recursive=true"));
        let mut page = Some(tree);
        let mut files = Vec::new();
        while let Some(url) = page {
            let (text, next) = http.text(&url).map_err(explain)?;
            let found = listing::read(&text).map_err(wrong)?;
            // A page without files that names a next one would never end.
            page = next.filter(|_| !found.is_empty());
            files.extend(found);
            if files.len() > MOST_FILES {
                return Err(wrong(format!("more than {MOST_FILES} files")));
            }
        }
        Ok(Self {
            id,
            http,
            store,
            kept,
            commit,
            files,
        })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.files.iter().map(|entry| entry.path.clone()).collect()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.files.iter().any(|entry| entry.path == name)
    }

    /// As [`fetch`](Self::fetch), of a file that decides the results: says so if the hub lists no SHA-256 of it.
    pub(super) fn fetch_weights(&self, name: &str) -> Result<PathBuf> {
        let listed = |entry: &&HubFile| entry.path == name && entry.sha256.is_none();
        if self.files.iter().any(|entry| listed(&entry)) {
            let place = &self.http.place;
            terminal::note(&format!(
                "{name} of {}: {place} lists no SHA-256 of it, so only its size is checked",
                self.id.named()
            ));
        }
        self.fetch(name)
    }

    /// Downloads `name` unless this commit's copy is cached. A copy that is damaged is fetched anew.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if there is no such file; any other error if it does not arrive whole or
    /// cannot be kept.
    pub(super) fn fetch(&self, name: &str) -> Result<PathBuf> {
        let entry = self.files.iter().find(|entry| entry.path == name);
        let Some(entry) = entry else {
            return Err(bad_input!(
                "{}@{}: no {name} there",
                self.id.repository(),
                self.commit
            ));
        };
        let path = self.store.snapshot(&self.commit).join(name);
        if path.is_file() {
            match self.damage(&path, entry)? {
                None => return Ok(path),
                Some(found) => terminal::warn(&format!(
                    "{}: damaged: {found}; it is fetched anew",
                    path.display()
                )),
            }
        }
        self.store.remove(&path)?;
        let mut fetched = self.obtain(entry);
        if fetched.as_ref().is_err_and(is_wrong) {
            // Once more: it may have been damaged on its way.
            fetched = self.obtain(entry);
        }
        fetched.map_err(|error| {
            let whose = format!("{}@{}: {name}", self.id.repository(), self.commit);
            match error.downcast() {
                Ok(failure @ Failure::Wrong(_)) => {
                    anyhow::Error::new(failure).context(format!("{whose} arrived damaged"))
                }
                Ok(failure) => explain(failure, self.id, self.http),
                Err(other) => other.context(whose),
            }
        })
    }

    /// The file, from what the cache holds for another commit or from the hub.
    fn obtain(&self, entry: &HubFile) -> Result<PathBuf> {
        if let Some(blob) = &entry.blob
            && self.store.blob(blob)?.is_file()
        {
            let path = self.store.link(&self.commit, &entry.path, blob)?;
            if self.damage(&path, entry)?.is_none() {
                return Ok(path);
            }
            self.store.remove(&path)?;
        }
        self.download(entry)
    }

    fn download(&self, entry: &HubFile) -> Result<PathBuf> {
        let HubFile { path, size, .. } = entry;
        let mut incoming = self.store.receive(*size)?;
        let bar = FileBar::new(path, *size);
        let parts = ["resolve", self.commit.as_str()];
        let url = self.http.url(&self.id.address(&parts), path);
        let mut received = 0;
        self.http.file(&url, *size, |bytes| {
            received += bytes.len() as u64;
            bar.reached(received);
            incoming.write(bytes)
        })?;
        let found = incoming.sha256();
        if let Some(expected) = entry.sha256.as_ref().filter(|&sha256| *sha256 != found) {
            let wrong = format!("SHA-256 is {found}, expected {expected}");
            return Err(Failure::Wrong(wrong).into());
        }
        let blob = entry.blob.as_ref().unwrap_or(&found);
        let content = self.store.keep(incoming, blob)?;
        self.kept.record(&content, &found);
        self.store.link(&self.commit, path, blob)
    }

    /// What is wrong with a cached file, if anything.
    fn damage(&self, path: &Path, entry: &HubFile) -> Result<Option<String>> {
        let metadata = path.metadata();
        let metadata = metadata.with_context(|| format!("cannot read {}", path.display()))?;
        if metadata.len() != entry.size {
            let (found, expected) = (metadata.len(), entry.size);
            return Ok(Some(format!("{found} bytes, expected {expected}")));
        }
        self.kept.damage(path, entry.sha256.as_deref())
    }
}

fn is_wrong(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Failure::Wrong(_)))
}

/// True if the hub could not be asked.
pub(super) fn is_unreachable(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Failure::Unreachable(_)))
}

fn explain(failure: Failure, id: &HubId, http: &Http) -> anyhow::Error {
    let (named, here, place) = (id.named(), id.not_here(), &http.place);
    let (repository, revision) = (id.repository(), &id.revision);
    match failure {
        Failure::Refused { status: 404, .. } => bad_input!(
            "{named}: {here}{place} has no repository `{repository}` with revision `{revision}`"
        ),
        Failure::Refused { status: 401, .. } => bad_input!(
            "{named}: {here}{place} has no such repository or it is private; for a private one set HF_TOKEN"
        ),
        Failure::Refused { status: 403, .. } => bad_input!(
            "{named}: {here}{place} refuses access; accept its terms there and set HF_TOKEN"
        ),
        other => anyhow::Error::new(other).context(format!(
            "{named}: {here}cannot fetch {repository}@{revision} from {place}"
        )),
    }
}
