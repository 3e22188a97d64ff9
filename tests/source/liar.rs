//! A hub that lies or hangs: nothing outside the cache is touched, and an end comes soon.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use spindle::error::{exit_code, message};
use spindle::source::{SourceOptions, resolve};

use crate::server::{Hub, Lie};

const FILES: [(&str, &[u8]); 3] = [
    ("config.json", b"{}"),
    ("tokenizer.json", b"{\"t\": 1}"),
    ("model.safetensors", b"0123456789 these are the weights"),
];
const PRECIOUS: &[u8] = b"precious data of the user";

/// What a lying hub said to `resolve`, in a folder where `EVIL` and `EVIL.gguf` must stay as they are.
fn told(hub: &Hub, folder: &Path) -> (i32, String) {
    for victim in ["EVIL", "EVIL.gguf"] {
        fs::write(folder.join(victim), PRECIOUS).unwrap();
    }
    let cache = folder.join("a/deep/cache");
    fs::create_dir_all(&cache).unwrap();
    let options = SourceOptions {
        endpoint: Some(hub.endpoint.clone()),
        token: Some("hf_secret".into()),
        hub_cache: Some(cache.join("hub")),
        cache: Some(cache.join("own")),
        offline: false,
        patience: Duration::from_secs(1),
        ..SourceOptions::default()
    };
    let start = Instant::now();
    let error = resolve("tiny/model", &options).expect_err("a lie");
    assert!(start.elapsed() < Duration::from_secs(20), "{error:#}");
    for victim in ["EVIL", "EVIL.gguf"] {
        let path = folder.join(victim);
        assert!(!path.is_symlink(), "{victim} became a link: {error:#}");
        assert_eq!(
            fs::read(path).unwrap(),
            PRECIOUS,
            "{victim} was changed: {error:#}"
        );
    }
    let mut left: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(
        left,
        ["EVIL", "EVIL.gguf", "a"],
        "something else was written"
    );
    (exit_code(&error), message(&error))
}

#[test]
fn answers_that_are_none_end_with_a_line() {
    for (lie, says) in [
        (
            Lie::Html,
            "it answers with what it says of a revision: expected value",
        ),
        (Lie::Redirect, "too many redirects"),
        (Lie::Close, "closed"),
        (Lie::Garbage, "invalid HTTP"),
        (Lie::Status(500), "HTTP status 500"),
        (Lie::Status(429), "HTTP status 429"),
        (Lie::Status(403), "refuses access"),
        (Lie::Status(401), "set HF_TOKEN"),
        (Lie::Endless, "more than 33554432 bytes"),
        (Lie::Headers, "message head is too large"),
        (Lie::Silent, "less than 1024 bytes in 1 s"),
        (Lie::Drip, "less than 1024 bytes in 1 s"),
        (Lie::FileDrip, "less than 1024 bytes in 1 s"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let hub = Hub::serve(&FILES);
        hub.lie(lie);
        let (_, said) = told(&hub, folder.path());
        assert!(said.contains(says), "{lie:?}: {said}");
        assert!(
            said.contains("no folder tiny/model here"),
            "{lie:?}: {said}"
        );
        assert!(
            said.contains("http://127.0.0.1") && !said.contains("hf_secret"),
            "{said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn names_and_hashes_from_a_hub_never_become_paths_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("EVIL").display().to_string();
    let climbs = format!("{}EVIL.gguf", "../".repeat(7));
    let entry = |path: &str, size: usize, rest: &str| {
        format!(r#"[{{"type":"file","oid":"0","size":{size},"path":"{path}"{rest}}}]"#)
    };
    let lfs = |oid: &str| format!(r#","lfs":{{"oid":"{oid}","size":5,"pointerSize":130}}"#);
    for (tree, says) in [
        (
            entry(&format!("{victim}.gguf"), 5, ""),
            "expected a path within the repository",
        ),
        (
            entry(&climbs, 5, ""),
            "expected a path within the repository",
        ),
        (
            entry("a/../../EVIL.gguf", 5, ""),
            "expected a path within the repository",
        ),
        (entry("m.gguf", 5, &lfs(&victim)), "as its SHA-256"),
        (
            entry("m.gguf", 5, &lfs("../../../../EVIL")),
            "as its SHA-256",
        ),
        (entry("m.gguf", 1 << 62, ""), "more than the"),
        (
            r#"{"error":"no"}"#.to_owned(),
            "it answers with a list of files: ",
        ),
        (
            "[".repeat(100_000),
            "it answers with a list of files: [0][0]: invalid type",
        ),
    ] {
        let hub = Hub::serve(&[("m.gguf", b"GGUF1")]);
        hub.list(&tree);
        let (code, said) = told(&hub, folder.path());
        assert!(said.contains(says) && code == 1, "{code} {said}");
    }
    for commit in ["../../../../EVIL", "", &victim, &"A".repeat(40)] {
        let hub = Hub::serve(&FILES);
        hub.name_commit(commit);
        let (_, said) = told(&hub, folder.path());
        assert!(said.contains("expected 40 hexadecimal digits"), "{said}");
    }
}

#[test]
fn an_etag_names_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let victim = folder.path().join("EVIL");
    fs::write(&victim, PRECIOUS).unwrap();
    let cache = folder.path().join("cache");
    let hub = Hub::serve(&FILES);
    hub.tag(&victim.display().to_string());
    hub.list_no_hashes();
    let options = SourceOptions {
        endpoint: Some(hub.endpoint.clone()),
        hub_cache: Some(cache.clone()),
        cache: Some(cache.join("own")),
        offline: false,
        ..SourceOptions::default()
    };
    let files = resolve("tiny/model", &options).unwrap();
    assert_eq!(fs::read(&files.kind.weights()[0]).unwrap(), FILES[2].1);
    assert_eq!(fs::read(&victim).unwrap(), PRECIOUS);
    // A file is what its name says: the hash that the hub lists.
    let blob = files.kind.weights()[0].canonicalize().unwrap();
    let listed = format!("{:x}", Sha256::digest(FILES[2].1));
    assert_eq!(blob.file_name().unwrap().to_str().unwrap(), &listed[..40]);
    assert_eq!(blob.parent().unwrap().file_name().unwrap(), "blobs");
}

#[test]
fn addresses_that_are_none_and_tokens_that_no_request_carries() {
    let folder = tempfile::tempdir().unwrap();
    let options = |endpoint: &str, token: &str| SourceOptions {
        endpoint: Some(endpoint.into()),
        token: Some(token.into()),
        hub_cache: Some(folder.path().join("hub")),
        offline: false,
        ..SourceOptions::default()
    };
    for endpoint in [
        "ftp://127.0.0.1",
        "nonsense",
        "http://",
        "file:///etc",
        "http//x",
    ] {
        let error = resolve("tiny/model", &options(endpoint, "t")).expect_err(endpoint);
        let said = message(&error);
        assert_eq!(exit_code(&error), 2, "{said}");
        assert!(
            said.contains(&format!(
                "HF_ENDPOINT is `{endpoint}`, expected an http(s) address"
            )),
            "{said}"
        );
    }
    let error = resolve("tiny/model", &options("http://127.0.0.1:9", "hf_a\nb")).unwrap_err();
    assert_eq!(
        (exit_code(&error), message(&error).contains("hf_a")),
        (2, false)
    );
}
