//! A repository on the Hugging Face hub: downloads the files that are needed into the hub cache that
//! every Hugging Face tool shares, or finds them there.
//!
//! Of a model only configuration, tokenizer and weights are fetched, of a dataset one file.

mod dataset;
mod http;
mod id;
mod listing;
mod place;
mod remote;
mod store;

use anyhow::{Context, Result};

use super::files::ModelFiles;
use super::kept::Kept;
use super::options::SourceOptions;
use super::{folder, gguf};
use crate::bad_input;
use crate::terminal;
use http::Http;
use id::is_commit;
use place::HubSettings;
use remote::{Remote, is_unreachable};
use store::Store;

pub(super) use dataset::fetch_file;
pub(super) use id::HubId;

pub(super) fn resolve(spec: &str, id: &HubId, options: &SourceOptions) -> Result<ModelFiles> {
    let hub = Hub::new(id, options)?;
    hub.online_or_cached(|remote| download(spec, remote, &hub), || cached(spec, &hub))
}

/// What helps against a damaged file.
const FETCH_AGAIN: &str = "with the hub in reach it is fetched anew";

/// A repository's hub and the folder of its files here.
struct Hub<'a> {
    id: &'a HubId,
    offline: bool,
    http: Http,
    store: Store,
    kept: Kept,
}

impl<'a> Hub<'a> {
    fn new(id: &'a HubId, options: &SourceOptions) -> Result<Self> {
        let place = HubSettings::new(options)?;
        Ok(Self {
            id,
            offline: options.offline,
            store: Store {
                folder: place.cache.join(id.cache_folder()),
            },
            http: Http::new(place)?,
            kept: Kept::new(options),
        })
    }

    /// What `download` brings or, offline and where the hub is out of reach, what `cached` finds.
    fn online_or_cached<T>(
        &self,
        download: impl FnOnce(&Remote) -> Result<T>,
        cached: impl Fn() -> Result<T>,
    ) -> Result<T> {
        if self.offline {
            return cached();
        }
        let Self {
            id,
            http,
            store,
            kept,
            ..
        } = self;
        let brought = Remote::look_up(id, http, store, kept).and_then(|remote| {
            let brought = download(&remote)?;
            // Last, so that a name points only to a snapshot that is complete.
            if !is_commit(&id.revision) {
                store.note_revision(&id.revision, &remote.commit)?;
            }
            Ok(brought)
        });
        match brought {
            Err(error) if is_unreachable(&error) => match cached() {
                Ok(found) => {
                    terminal::warn(&format!("{error:#}; using what the hub cache holds"));
                    Ok(found)
                }
                Err(_) => Err(error),
            },
            other => other,
        }
    }

    /// The commit that the id named when it was last looked up.
    fn cached_commit(&self, spec: &str) -> Result<String> {
        let id = self.id;
        let absent = |what: &str| {
            bad_input!(
                "{} `{spec}`: {}{what} in the hub cache {}, and the hub is not asked (offline or unreachable)",
                id.kind.singular(),
                id.not_here(),
                self.store.folder.display()
            )
        };
        let commit = match is_commit(&id.revision) {
            true => Some(id.revision.clone()),
            false => self.store.revision(&id.revision),
        };
        let commit = commit.ok_or_else(|| absent(&format!("no revision `{}`", id.revision)))?;
        match self.store.snapshot(&commit).is_dir() {
            true => Ok(commit),
            false => Err(absent(&format!("no snapshot of commit {commit}"))),
        }
    }
}

/// What the cache holds, without a request.
fn cached(spec: &str, hub: &Hub) -> Result<ModelFiles> {
    let commit = hub.cached_commit(spec)?;
    let snapshot = hub.store.snapshot(&commit);
    let kind = match choose(spec, hub.id, &hub.store.files(&commit)?)? {
        Wanted::Folder => folder::inspect(&snapshot)?,
        Wanted::Gguf(file) => gguf::inspect(&snapshot.join(file))?,
    };
    hub.kept.check(&kind.files()).context(FETCH_AGAIN)?;
    Ok(ModelFiles {
        spec: spec.to_string(),
        revision: commit,
        kind,
    })
}

fn download(spec: &str, remote: &Remote, hub: &Hub) -> Result<ModelFiles> {
    let kind = match choose(spec, hub.id, &remote.names())? {
        Wanted::Gguf(file) => {
            let mut first = None;
            for part in gguf::parts(&file) {
                let path = remote.fetch_weights(&part)?;
                first.get_or_insert(path);
            }
            gguf::inspect(&first.context("a GGUF file has a part")?)?
        }
        Wanted::Folder => {
            for name in folder::small_files(&remote.names()) {
                remote.fetch(name)?;
            }
            if remote.has(folder::WEIGHTS) {
                remote.fetch_weights(folder::WEIGHTS)?;
            } else {
                for shard in folder::shards(&remote.fetch(folder::INDEX)?)? {
                    remote.fetch_weights(&shard)?;
                }
            }
            folder::inspect(&hub.store.snapshot(&remote.commit))?
        }
    };
    Ok(ModelFiles {
        spec: spec.to_string(),
        revision: remote.commit.clone(),
        kind,
    })
}

/// What to take from a repository.
enum Wanted {
    Folder,
    Gguf(String),
}

fn choose(spec: &str, id: &HubId, names: &[String]) -> Result<Wanted> {
    let has = |name: &str| names.iter().any(|other| other == name);
    let mut ggufs: Vec<_> = names
        .iter()
        .filter(|name| name.ends_with(".gguf"))
        .cloned()
        .collect();
    ggufs.sort_unstable();
    let listed = || match ggufs.as_slice() {
        [] => "none".to_string(),
        some => some.join(", "),
    };
    if let Some(file) = &id.file {
        if has(file) {
            return Ok(Wanted::Gguf(file.clone()));
        }
        return Err(bad_input!(
            "model `{spec}`: no {file}; .gguf files there: {}",
            listed()
        ));
    }
    let weights = has(folder::WEIGHTS) || has(folder::INDEX);
    let tokenizer = folder::has_tokenizer(has);
    if has(folder::CONFIG) && tokenizer && weights {
        return Ok(Wanted::Folder);
    }
    match ggufs.as_slice() {
        // All of them parts of one.
        [first, ..] if gguf::parts(first) == ggufs => Ok(Wanted::Gguf(first.clone())),
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
