//! The hub source against a loopback hub: what is asked for, what is kept, what is recorded.

use std::path::{Path, PathBuf};

use crate::server::{COMMIT, Fault, Hub, OTHER_COMMIT};
use crate::{bad_input, resolve_in_child};
use spindle::error::exit_code;
use spindle::source::{ModelFileKind, ModelFiles, SourceOptions, dataset_file, resolve};

const FILES: [(&str, &[u8]); 6] = [
    ("README.md", b"not needed"),
    ("config.json", b"{}"),
    ("tokenizer.json", b"{\"t\": 1}"),
    ("tokenizer_config.json", b"{\"c\": 1}"),
    ("model.safetensors", b"0123456789 these are the weights"),
    ("pytorch_model.bin", b"not needed either"),
];

fn options(hub: &Hub, cache: &Path) -> SourceOptions {
    SourceOptions {
        endpoint: Some(hub.endpoint.clone()),
        token: Some("hf_secret".to_string()),
        hub_cache: Some(cache.to_path_buf()),
        offline: false,
        ..SourceOptions::default()
    }
}

fn offline(hub: &Hub, cache: &Path) -> SourceOptions {
    SourceOptions {
        offline: true,
        ..options(hub, cache)
    }
}

fn weights(files: &ModelFiles) -> Vec<u8> {
    std::fs::read(&files.kind.weights()[0]).unwrap()
}

fn snapshot(cache: &Path, commit: &str) -> PathBuf {
    cache
        .join("models--tiny--model")
        .join("snapshots")
        .join(commit)
}

#[test]
fn downloads_what_is_needed_once() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&FILES);
    let files = resolve("tiny/model", &options(&hub, cache.path())).unwrap();
    assert_eq!(files.revision, COMMIT);
    assert_eq!(weights(&files), FILES[4].1);
    let ModelFileKind::HfFolder {
        config,
        tokenizer,
        generation_config,
        ..
    } = &files.kind
    else {
        panic!("not a folder")
    };
    assert_eq!(*config, snapshot(cache.path(), COMMIT).join("config.json"));
    assert!(tokenizer.config.is_some() && generation_config.is_none());
    let seen = hub.take_seen();
    let blobs = |name: &str| {
        let path = format!("/tiny/model/resolve/{COMMIT}/{name}");
        seen.iter()
            .filter(|seen| seen.method == "GET" && seen.path == path)
            .count()
    };
    for name in [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors",
    ] {
        assert_eq!(blobs(name), 1, "{name}");
    }
    assert_eq!(blobs("README.md") + blobs("pytorch_model.bin"), 0);
    let bearer = Some("Bearer hf_secret".to_string());
    assert!(
        seen.iter().all(|seen| seen.authorization == bearer),
        "{seen:?}"
    );

    assert_eq!(
        resolve("tiny/model", &options(&hub, cache.path())).unwrap(),
        files
    );
    let again = hub.take_seen();
    assert!(
        again.iter().all(|seen| seen.path.starts_with("/api/")),
        "{again:?}"
    );

    assert_eq!(
        resolve("tiny/model", &offline(&hub, cache.path())).unwrap(),
        files
    );
    let commit = format!("tiny/model@{COMMIT}");
    assert_eq!(
        resolve(&commit, &offline(&hub, cache.path()))
            .unwrap()
            .revision,
        COMMIT
    );
    assert!(hub.take_seen().is_empty(), "offline asks nothing");
}

#[test]
fn revision_is_asked_for_and_recorded() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&FILES);
    let files = resolve("tiny/model@v1", &options(&hub, cache.path())).unwrap();
    assert_eq!(
        (files.spec.as_str(), files.revision.as_str()),
        ("tiny/model@v1", OTHER_COMMIT)
    );
    let paths: Vec<_> = hub.take_seen().into_iter().map(|seen| seen.path).collect();
    assert!(
        paths.iter().any(|path| path.ends_with("/revision/v1")),
        "{paths:?}"
    );
    assert!(
        paths
            .iter()
            .any(|path| path.contains(&format!("/resolve/{OTHER_COMMIT}/")))
    );
    assert_eq!(
        resolve("tiny/model@v1", &offline(&hub, cache.path())).unwrap(),
        files
    );
    let message = bad_input("tiny/model", &offline(&hub, cache.path()));
    assert!(
        message.contains("no revision `main` in the hub cache"),
        "{message}"
    );
    let message = bad_input("tiny/model@v9", &options(&hub, cache.path()));
    assert!(message.contains("with revision `v9`"), "{message}");
}

#[test]
fn broken_bodies_are_not_taken_for_files() {
    for fault in [Fault::CutShort, Fault::ErrorPage, Fault::Flipped] {
        let cache = tempfile::tempdir().unwrap();
        let hub = Hub::serve(&FILES);
        hub.fail(fault);
        let error = resolve("tiny/model", &options(&hub, cache.path())).unwrap_err();
        assert_eq!(exit_code(&error), 1, "{fault:?}: {error:#}");
        assert!(
            !snapshot(cache.path(), COMMIT)
                .join("model.safetensors")
                .exists(),
            "{fault:?}"
        );
        assert!(
            resolve("tiny/model", &offline(&hub, cache.path())).is_err(),
            "{fault:?}"
        );
        hub.fail(Fault::None);
        let files = resolve("tiny/model", &options(&hub, cache.path())).unwrap();
        assert_eq!(weights(&files), FILES[4].1, "{fault:?}");
    }
}

/// What a killed process left goes with the next download; what another is writing stays.
#[test]
fn downloads_that_were_killed_leave_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let blobs = cache.path().join("models--tiny--model/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    let [dead, live, other] = [".partial-dead", ".partial-live", "other"].map(|name| {
        let path = blobs.join(name);
        std::fs::write(&path, "some bytes").unwrap();
        path
    });
    let writer = std::fs::File::open(&live).unwrap();
    writer.lock().unwrap();
    let hub = Hub::serve(&FILES);
    resolve("tiny/model", &options(&hub, cache.path())).unwrap();
    assert_eq!(
        [dead.exists(), live.exists(), other.exists()],
        [false, true, true]
    );
    let partial = std::fs::read_dir(&blobs).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with(".partial-")
    });
    assert_eq!(partial.count(), 1);
}

#[test]
fn damaged_cache_is_repaired() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&FILES);
    let files = resolve("tiny/model", &options(&hub, cache.path())).unwrap();
    // What a killed download of another program may leave.
    std::fs::write(files.kind.weights()[0].canonicalize().unwrap(), "short").unwrap();
    let files = resolve("tiny/model", &options(&hub, cache.path())).unwrap();
    assert_eq!(weights(&files), FILES[4].1);
}

#[test]
fn damage_that_keeps_the_size_is_noticed_and_repaired() {
    let temporary = tempfile::tempdir().unwrap();
    let (cache, own) = (temporary.path().join("hub"), temporary.path().join("own"));
    // So large that its digest is remembered.
    let large = vec![7u8; 17 << 20];
    let hub = Hub::serve(&[
        ("config.json", b"{}"),
        ("tokenizer.json", b"{\"t\": 1}"),
        ("model.safetensors", &large),
    ]);
    let options = |verify: bool, offline: bool| SourceOptions {
        cache: Some(own.clone()),
        verify,
        offline,
        ..options(&hub, &cache)
    };
    let files = resolve("tiny/model", &options(false, false)).unwrap();
    let blob = files.kind.weights()[0].canonicalize().unwrap();
    let damage = |keep_time: bool| {
        let time = blob.metadata().unwrap().modified().unwrap();
        let mut bytes = large.clone();
        bytes[1 << 20] ^= 1;
        std::fs::write(&blob, bytes).unwrap();
        if keep_time {
            let file = std::fs::File::options().write(true).open(&blob).unwrap();
            file.set_modified(time).unwrap();
        }
    };
    damage(false);
    let message = bad_input("tiny/model", &options(false, true));
    assert!(
        message.contains("damaged since it was downloaded: SHA-256 is"),
        "{message}"
    );
    assert!(message.contains("model.safetensors"), "{message}");
    let again = resolve("tiny/model", &options(false, false)).unwrap();
    assert!(weights(&again) == large, "fetched anew");
    // Size and time as they were: only to read it shows.
    damage(true);
    resolve("tiny/model", &options(false, true)).unwrap();
    let message = bad_input("tiny/model", &options(true, true));
    assert!(
        message.contains("damaged since it was downloaded"),
        "{message}"
    );
    // It was seen once: from now on every run sees it.
    assert!(bad_input("tiny/model", &options(false, true)).contains("damaged"));
    assert!(weights(&resolve("tiny/model", &options(true, false)).unwrap()) == large);
    resolve("tiny/model", &options(true, true)).unwrap();
}

#[test]
fn a_file_of_a_dataset_is_fetched_alone_and_once() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&[("data.zip", b"PK data"), ("README.md", b"not needed")]);
    let here = options(&hub, cache.path());
    let path = dataset_file("tiny/model", "data.zip", &here).unwrap();
    let home = cache.path().join("datasets--tiny--model");
    assert_eq!(path, home.join("snapshots").join(COMMIT).join("data.zip"));
    assert_eq!(std::fs::read(&path).unwrap(), b"PK data");
    let fetched = |name: &str| {
        let path = format!("/datasets/tiny/model/resolve/{COMMIT}/{name}");
        let seen = hub.take_seen();
        let got = |seen: &&crate::server::Seen| seen.method == "GET" && seen.path == path;
        seen.iter().filter(got).count()
    };
    assert_eq!(fetched("data.zip"), 1);
    assert_eq!(
        dataset_file("tiny/model@main", "data.zip", &here).unwrap(),
        path
    );
    assert_eq!(fetched("data.zip"), 0);
    let away = offline(&hub, cache.path());
    assert_eq!(dataset_file("tiny/model", "data.zip", &away).unwrap(), path);
    assert!(hub.take_seen().is_empty(), "offline asks nothing");
    let gone = SourceOptions {
        endpoint: Some("http://127.0.0.1:9".to_string()),
        ..here.clone()
    };
    assert_eq!(dataset_file("tiny/model", "data.zip", &gone).unwrap(), path);

    let message = |spec: &str, name: &str, options: &SourceOptions| {
        let error = dataset_file(spec, name, options).unwrap_err();
        assert_eq!(exit_code(&error), 2, "{error:#}");
        format!("{error:#}")
    };
    assert!(message("tiny/model", "other.zip", &here).contains("no other.zip there"));
    assert!(message("tiny/model", "other.zip", &away).contains("no other.zip in the hub cache"));
    assert!(
        message("tiny/model@v9", "data.zip", &away)
            .contains("dataset `tiny/model@v9`: no revision")
    );
    assert!(
        message("no/such", "data.zip", &here).starts_with("dataset `no/such`: http://127.0.0.1")
    );
    assert!(message("../up", "data.zip", &here).contains("expected `owner/name[@revision]`"));
}

#[test]
fn unreachable_hub_falls_back_to_the_cache() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&FILES);
    let files = resolve("tiny/model", &options(&hub, cache.path())).unwrap();
    let gone = SourceOptions {
        endpoint: Some("http://127.0.0.1:9".to_string()),
        ..options(&hub, cache.path())
    };
    assert_eq!(resolve("tiny/model", &gone).unwrap(), files);
    let error = resolve("tiny/other", &gone).unwrap_err();
    assert!(format!("{error:#}").contains("cannot fetch tiny/other@main from http://127.0.0.1:9"));
}

#[test]
fn unknown_repository_is_bad_input() {
    let cache = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&FILES);
    let message = bad_input("no/such", &options(&hub, cache.path()));
    assert!(
        message.contains("no folder no/such here, and http://127.0.0.1"),
        "{message}"
    );
    assert!(message.contains("has no repository `no/such`"), "{message}");
    assert!(!message.contains("hf_secret"));
    assert!(bad_input("no/such", &offline(&hub, cache.path())).contains("the hub is not asked"));
}

#[test]
fn gguf_repositories() {
    let cache = tempfile::tempdir().unwrap();
    let one = Hub::serve(&[("q/m.gguf", b"GGUF1"), ("README.md", b"")]);
    let files = resolve("tiny/model", &options(&one, cache.path())).unwrap();
    assert_eq!(
        files.kind,
        ModelFileKind::Gguf(vec![snapshot(cache.path(), COMMIT).join("q/m.gguf")])
    );
    assert_eq!(
        resolve("tiny/model", &offline(&one, cache.path())).unwrap(),
        files
    );

    let cache = tempfile::tempdir().unwrap();
    let two = Hub::serve(&[("a.gguf", b"GGUFa"), ("b.gguf", b"GGUFb")]);
    let message = bad_input("tiny/model", &options(&two, cache.path()));
    assert!(
        message.contains("name one as `tiny/model/FILE`: a.gguf, b.gguf"),
        "{message}"
    );
    let files = resolve("tiny/model/b.gguf@main", &options(&two, cache.path())).unwrap();
    assert_eq!(weights(&files), b"GGUFb");
    let message = bad_input("tiny/model/c.gguf", &options(&two, cache.path()));
    assert!(
        message.contains("no c.gguf; .gguf files there: a.gguf, b.gguf"),
        "{message}"
    );

    let cache = tempfile::tempdir().unwrap();
    let split = Hub::serve(&[
        ("q/m-00002-of-00002.gguf", b"GGUF2"),
        ("q/m-00001-of-00002.gguf", b"GGUF1"),
    ]);
    let part = |i| snapshot(cache.path(), COMMIT).join(format!("q/m-0000{i}-of-00002.gguf"));
    for spec in ["tiny/model", "tiny/model/q/m-00002-of-00002.gguf"] {
        let files = resolve(spec, &options(&split, cache.path())).unwrap();
        assert_eq!(files.kind, ModelFileKind::Gguf(vec![part(1), part(2)]));
        let files = resolve(spec, &offline(&split, cache.path())).unwrap();
        assert_eq!(files.kind, ModelFileKind::Gguf(vec![part(1), part(2)]));
    }

    let none = Hub::serve(&[("config.json", b"{}"), ("pytorch_model.bin", b"")]);
    let message = bad_input("tiny/model", &options(&none, cache.path()));
    assert!(
        message.contains("no tokenizer.json (or vocab.json with")
            && message.contains("tokenizer.model), model.safetensors and no .gguf"),
        "{message}"
    );
}

#[test]
fn shards_are_fetched_as_the_index_says() {
    let cache = tempfile::tempdir().unwrap();
    let index = br#"{"weight_map":{"a":"m-1.safetensors","b":"m-2.safetensors"}}"#;
    let hub = Hub::serve(&[
        ("config.json", b"{}"),
        ("tokenizer.json", b"{} "),
        ("model.safetensors.index.json", index),
        ("m-1.safetensors", b"1"),
        ("m-2.safetensors", b"2"),
        ("m-3.safetensors", b"3"),
    ]);
    let files = resolve("tiny/model", &options(&hub, cache.path())).unwrap();
    let home = snapshot(cache.path(), COMMIT);
    assert_eq!(
        files.kind.weights(),
        [home.join("m-1.safetensors"), home.join("m-2.safetensors")]
    );
    assert!(!home.join("m-3.safetensors").exists());
}

#[test]
fn environment_is_honoured() {
    let home = tempfile::tempdir().unwrap();
    let hub = Hub::serve(&FILES);
    let child = |variable: (&str, &str)| {
        let home = home.path().display().to_string();
        let fixed = [
            ("HF_HOME", home.as_str()),
            ("HF_ENDPOINT", hub.endpoint.as_str()),
        ];
        resolve_in_child("tiny/model", &[&fixed[..], &[variable]].concat())
    };
    let first = child(("HF_HUB_OFFLINE", "1"));
    assert!(
        first.contains("failed") && first.contains("the hub is not asked"),
        "{first}"
    );
    assert!(hub.take_seen().is_empty());
    let second = child(("HF_TOKEN", "hf_from_environment"));
    assert!(second.contains(&format!("resolved {COMMIT}")), "{second}");
    let bearer = Some("Bearer hf_from_environment".to_string());
    let seen = hub.take_seen();
    assert!(!seen.is_empty() && seen.iter().all(|seen| seen.authorization == bearer));
    assert!(
        snapshot(&home.path().join("hub"), COMMIT)
            .join("config.json")
            .exists()
    );
    let third = child(("HF_HUB_OFFLINE", "1"));
    assert!(third.contains(&format!("resolved {COMMIT}")), "{third}");
    assert!(hub.take_seen().is_empty());
}

#[test]
fn of_a_tokenizer_every_file_that_is_read_is_fetched_and_no_other() {
    let cache = tempfile::tempdir().unwrap();
    let wanted = [
        "added_tokens.json",
        "additional_chat_templates/rag.jinja",
        "chat_template.jinja",
        "config.json",
        "merges.txt",
        "model.safetensors",
        "special_tokens_map.json",
        "vocab.json",
    ];
    let other = [
        "additional_chat_templates/deep/rag.jinja",
        "additional_chat_templates/rag.txt",
        "sub/vocab.json",
        "tokenizer.model",
    ];
    let repository: Vec<(&str, &[u8])> = wanted
        .iter()
        .chain(&other)
        .map(|name| (*name, name.as_bytes()))
        .collect();
    let hub = Hub::serve(&repository);
    resolve("tiny/model", &options(&hub, cache.path())).unwrap();
    let prefix = format!("/tiny/model/resolve/{COMMIT}/");
    let mut fetched: Vec<_> = hub
        .take_seen()
        .iter()
        .filter(|seen| seen.method == "GET")
        .filter_map(|seen| seen.path.strip_prefix(&prefix).map(str::to_owned))
        .collect();
    fetched.sort();
    fetched.dedup();
    assert_eq!(fetched, wanted);
}
