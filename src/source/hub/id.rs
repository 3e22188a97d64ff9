//! The grammar of a hub id: `owner/name[/path/file.gguf][@revision]`.

use hf_hub::repository::{RepoType, RepoTypeAny};

/// A parsed hub id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) struct HubId {
    /// A model or a dataset.
    pub kind: RepoTypeAny,
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
        Self::of(RepoTypeAny::Model, spec)
    }

    /// Parses the name of a dataset, `owner/name[@revision]`.
    pub(in crate::source) fn parse_dataset(spec: &str) -> Option<Self> {
        Self::of(RepoTypeAny::Dataset, spec).filter(|id| id.file.is_none())
    }

    fn of(kind: RepoTypeAny, spec: &str) -> Option<Self> {
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
        format!("{}--{}--{}", self.kind.plural(), self.owner, self.name)
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
