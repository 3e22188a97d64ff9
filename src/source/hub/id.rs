//! The grammar of a hub id: `owner/name[/path/file.gguf][@revision]`.

use hf_hub::{Repo, RepoType};

/// What a repository is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Kind {
    Model,
    Dataset,
}

impl Kind {
    pub(super) fn singular(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Dataset => "dataset",
        }
    }

    /// As addresses and folders of the cache have it.
    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
        }
    }
}

/// A parsed hub id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct HubId {
    /// A model or a dataset.
    pub kind: Kind,
    pub owner: String,
    pub name: String,
    /// A single `.gguf` file in the repository, path from its root.
    pub file: Option<String>,
    /// Branch, tag or commit; `main` unless given.
    pub revision: String,
}

impl HubId {
    /// Parses the name of a model, or `None` if it cannot name a hub repository. Names become folders
    /// of the cache, so nothing that could lead out of it is taken.
    pub(in crate::source) fn parse(spec: &str) -> Option<Self> {
        Self::of(Kind::Model, spec)
    }

    /// Parses the name of a dataset, `owner/name[@revision]`.
    pub(in crate::source) fn parse_dataset(spec: &str) -> Option<Self> {
        Self::of(Kind::Dataset, spec).filter(|id| id.file.is_none())
    }

    fn of(kind: Kind, spec: &str) -> Option<Self> {
        let (id, revision) = spec.split_once('@').unwrap_or((spec, "main"));
        let mut parts = id.splitn(3, '/');
        let (owner, name, file) = (parts.next()?, parts.next()?, parts.next());
        let file_fits = file.is_none_or(|file| file.ends_with(".gguf") && is_path(file));
        let fits = is_segment(owner)
            && is_segment(name)
            && (file.is_some() || !name.ends_with(".gguf"))
            && file_fits
            && is_path(revision);
        fits.then(|| Self {
            kind,
            owner: owner.to_string(),
            name: name.to_string(),
            file: file.map(str::to_string),
            revision: revision.to_string(),
        })
    }

    /// `owner/name`.
    pub(super) fn repository(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The repository's folder in the hub cache.
    pub(super) fn cache_folder(&self) -> String {
        let kind = match self.kind {
            Kind::Model => RepoType::Model,
            Kind::Dataset => RepoType::Dataset,
        };
        Repo::new(self.repository(), kind).folder_name()
    }

    /// The parts of an address below the repository's own, which a model has at the hub's root.
    pub(super) fn address<'a>(&'a self, parts: &[&'a str]) -> Vec<&'a str> {
        let repository = [self.owner.as_str(), &self.name];
        match self.kind {
            Kind::Model => [&repository[..], parts].concat(),
            Kind::Dataset => [&[self.kind.plural()][..], &repository, parts].concat(),
        }
    }

    /// What to say before the hub is spoken of: what is no folder or file is taken for a model of the hub.
    pub(super) fn not_here(&self) -> String {
        match self.kind {
            Kind::Model => format!("no folder {} here, and ", self.repository()),
            Kind::Dataset => String::new(),
        }
    }

    /// What it names, for messages: "model `owner/name`".
    pub(super) fn named(&self) -> String {
        format!("{} `{}`", self.kind.singular(), self.repository())
    }
}

fn is_path(path: &str) -> bool {
    path.split('/').all(is_segment)
}

/// Letters, digits, `-`, `_`, `.` and `+`; not led by a dot, which also excludes `.` and `..`.
fn is_segment(segment: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
    !segment.is_empty() && !segment.starts_with('.') && segment.chars().all(allowed)
}

/// True for a full commit hash, which needs no looking up.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit())
}
