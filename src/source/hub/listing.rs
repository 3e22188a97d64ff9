//! What a commit of a repository holds, as the hub says: read with care, as names become paths of the cache.

use crate::typed;
use std::path::{Component, Path};

use serde::Deserialize;

/// One file of a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HubFile {
    /// Its path in the repository, parts divided by slashes.
    pub path: String,
    /// Size of the file in bytes.
    pub size: u64,
    /// SHA-256 of a large file, lower-case hex. None: the file is small and stored in git itself.
    pub sha256: Option<String>,
    /// The name of its content in the cache, as other programs of the hub write it; none where the hub names none.
    pub blob: Option<String>,
}

/// An entry as the hub writes it.
#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    /// Git's hash of the content, or of the pointer to a large file.
    oid: Option<String>,
    lfs: Option<Large>,
}

#[derive(Deserialize)]
struct Large {
    oid: String,
}

/// The files of one page of a listing.
///
/// # Errors
/// What is not as expected: text that is no listing, a path that leads out of the repository, a hash that is none.
pub(super) fn read(text: &[u8]) -> Result<Vec<HubFile>, String> {
    let listed: Vec<Listed> =
        typed::json(text).map_err(|error| format!("a list of files: {error}"))?;
    let files = listed.into_iter().filter(|listed| listed.kind == "file");
    files.map(entry).collect()
}

fn entry(listed: Listed) -> Result<HubFile, String> {
    let Listed {
        path,
        size,
        oid,
        lfs,
        ..
    } = listed;
    if !is_inside(&path) {
        return Err(format!(
            "a file called {path:?}, expected a path within the repository"
        ));
    }
    let sha256 = match lfs {
        None => None,
        Some(Large { oid }) if is_hash(&oid, 64) => Some(oid),
        Some(Large { oid }) => return Err(format!("{path}: {oid:?} as its SHA-256")),
    };
    // A hub that is not the public one may have no hash to name here: the content then names itself.
    let git = oid.filter(|oid| is_hash(oid, 40));
    Ok(HubFile {
        blob: sha256.clone().or(git),
        path,
        size,
        sha256,
    })
}

/// The commit in what the hub says of a revision.
pub(super) fn commit(text: &[u8]) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Revision {
        sha: Option<String>,
    }
    let revision: Revision =
        typed::json(text).map_err(|error| format!("what it says of a revision: {error}"))?;
    match revision.sha {
        Some(sha) if is_hash(&sha, 40) => Ok(sha),
        other => Err(format!("commit {other:?}, expected 40 hexadecimal digits")),
    }
}

/// True for lower-case hexadecimal digits alone, so that it may be a file's name.
pub(super) fn is_hash(text: &str, length: usize) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == length && text.bytes().all(digit)
}

/// True for a path that stays where it is joined to, on every system.
fn is_inside(path: &str) -> bool {
    let strange = |c: char| c.is_control() || c == '\\' || c == ':';
    let mut parts = path.split('/');
    !path.chars().any(strange)
        && parts.all(|part| !part.is_empty() && part != "." && part != "..")
        && Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(path: &str) -> Result<Vec<HubFile>, String> {
        read(
            serde_json::json!([{"type": "file", "path": path, "size": 3, "oid": "0"}])
                .to_string()
                .as_bytes(),
        )
    }

    #[test]
    fn a_path_that_leads_out_is_refused() {
        for path in [
            "/etc/passwd",
            "../up",
            "a/../../up",
            "a//b",
            "a/./b",
            "",
            "/",
            "a/",
            "C:/windows",
            "a\\..\\b",
            "a\u{1b}[31m",
            "a\0b",
            "..",
        ] {
            assert!(of(path).is_err(), "{path:?}");
        }
        for path in ["a", ".gitattributes", "a b/c-1.gguf", "..a", "ä/字.txt"] {
            assert_eq!(of(path).unwrap()[0].path, path);
        }
    }

    #[test]
    fn hashes_are_names_only_if_they_are_hashes() {
        let sha256 = "0123456789abcdef".repeat(4);
        let list = |lfs: &str, oid: &str| {
            read(format!(r#"[{{"type":"file","path":"a","size":1,"oid":"{oid}","lfs":{{"oid":"{lfs}"}}}}]"#).as_bytes())
        };
        let git = "b".repeat(40);
        let entry = &list(&sha256, &git).unwrap()[0];
        assert_eq!(
            (&entry.sha256, &entry.blob),
            (&Some(sha256.clone()), &Some(sha256.clone()))
        );
        for lfs in ["/tmp/x", "", &sha256[1..], &sha256.to_uppercase()] {
            assert!(list(lfs, &git).is_err(), "{lfs}");
        }
        let small = |oid: &str| {
            let text = format!(r#"[{{"type":"file","path":"a","size":1,"oid":"{oid}"}}]"#);
            read(text.as_bytes()).unwrap()[0].blob.clone()
        };
        assert_eq!(small(&git), Some(git.clone()));
        assert_eq!(small("../../x"), None);
        assert!(commit(br#"{"sha":"../../x"}"#).is_err());
        assert_eq!(commit(format!(r#"{{"sha":"{git}"}}"#).as_bytes()), Ok(git));
    }

    proptest! {
        #[test]
        fn what_is_read_stays_inside(path in r"[./\\a:\x00-\x20]{0,12}", text in ".{0,200}") {
            let _ = read(text.as_bytes());
            if let Ok(entries) = of(&path) {
                let root = Path::new("/repository");
                let joined = root.join(&entries[0].path);
                let depth = joined.components().filter(|part| matches!(part, Component::Normal(_))).count();
                prop_assert!(joined.starts_with(root) && depth == joined.components().count() - 1);
            }
        }
    }
}
