//! What never ends, or waits for ever.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::Instant;

use super::{DATA, SOON, clean};
use crate::world::{World, short_run};

/// A pipe or a device never ends, or waits for ever.
#[test]
fn pipes_and_devices_are_no_files() {
    let world = World::new();
    let pipe = |name: &str| {
        let path = world.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    };
    let refused = |args: &[&str], says: &[&str]| {
        let done = world.run(args);
        world.assert_refused(&done, says);
        clean(&done);
    };
    for name in [
        "x.toml",
        "p.txt",
        "t.json",
        "d.zip",
        "r/run.json",
        "s.md",
        "q.json",
        "pipes/qasper.jsonl",
    ] {
        pipe(name);
    }
    let found = "a pipe or a device, expected a regular file";
    refused(&["eval", "x.toml"], &["x.toml: ", found]);
    refused(&["eval", "/dev/zero"], &["/dev/zero: ", found]);
    refused(
        &["inspect", "p.txt", "--model", "model"],
        &["p.txt: ", found],
    );
    refused(
        &["inspect", "/dev/zero", "--model", "model"],
        &["/dev/zero: ", found],
    );
    world.write("data/qasper.jsonl", "{}");
    let templates = [DATA, &["data", "--templates", "t.json"]].concat();
    refused(&templates, &["t.json: ", found]);
    for (key, file) in [("squad", "q.json"), ("hotpotqa", "q.json")] {
        world.write("q.toml", format!(
            "name = 'q'\n[model]\nsource = 'model'\n[[task]]\nname = 'ruler'\n{key} = '{file}'\n[[method]]\nname = 'full'\n"
        ));
        refused(&["eval", "q.toml"], &["q.json: ", found]);
    }
    refused(
        &[DATA, &["pipes"]].concat(),
        &["pipes/qasper.jsonl: a pipe or a device"],
    );
    refused(
        &["eval", "tiny.toml", "--out", "r"],
        &["r/run.json: ", found],
    );
    world.good(&short_run("good"));
    refused(&["report", "good", "--splice", "s.md"], &["s.md: ", found]);
    for name in ["good/records.csv", "good/layers.csv"] {
        fs::remove_file(world.path(name)).unwrap();
        pipe(name);
    }
    refused(
        &["report", "good"],
        &["good/records.csv: a pipe or a device, expected a regular file"],
    );
    fs::remove_file(world.path("good/records.csv")).unwrap();
    world.write("good/records.csv", "");
    refused(&["report", "good"], &["good/records.csv: no rows"]);
}

/// Wherever a folder or a file may be named.
#[test]
fn no_path_is_a_pipe_a_device_or_a_socket() {
    let world = World::new();
    let made = Command::new("mkfifo").arg(world.path("pipe.txt")).status();
    assert!(made.unwrap().success());
    let _socket = UnixListener::bind(world.path("socket.txt")).unwrap();
    world.write(
        "own.toml",
        "name = 'own'\ndata = 'pipe.txt'\nmetric = 'qa_f1'\nmax-new-tokens = 5\ntemplate = '{context} {input}'\n",
    );
    world.write(
        "text.toml",
        "name = 't'\n[model]\nsource = 'model'\n[[task]]\nname = 'perplexity'\ntext = 'socket.txt'\n[[method]]\nname = 'full'\n",
    );
    world.write("folder/a.txt", "Prose.");
    std::os::unix::fs::symlink(world.path("pipe.txt"), world.path("folder/b.txt")).unwrap();
    let refused = |args: &[&str], says: &[&str]| {
        let start = Instant::now();
        let done = world.run(args);
        assert!(start.elapsed() < SOON, "{args:?}");
        world.assert_refused(&done, says);
        clean(&done);
    };
    let found = "a pipe or a device, expected a regular file";
    for path in ["pipe.txt", "socket.txt", "/dev/zero"] {
        for args in [
            &[DATA, &[path]].concat()[..],
            &[DATA, &["folder", "--templates", path]].concat(),
            &["eval", path],
            &["eval", "tiny.toml", "--haystack", path],
            &["eval", "tiny.toml", "--model", path],
            &["eval", "--task-file", path, "--model", "model"],
            &["inspect", path, "--model", "model"],
            &["inspect", "--model", path],
            &["fetch", path],
            &["fetch", "--verify", path],
            &["report", path],
            &["figures", path],
        ] {
            refused(args, &[&format!("{path}: {found}")]);
        }
        for args in [
            &["eval", "tiny.toml", "--out", path][..],
            &["eval", "tiny.toml", "--results", path],
            &["inspect", "--model", "model", "--out", path],
        ] {
            refused(args, &[path, "expected a folder"]);
        }
    }
    refused(&["eval", "text.toml"], &["socket.txt: ", found]);
    refused(
        &["eval", "tiny.toml", "--haystack", "folder"],
        &["folder/b.txt: ", found],
    );
    refused(
        &["eval", "--task-file", "own.toml", "--model", "model"],
        &["pipe.txt: ", found],
    );
}

/// What a model's folder may lack is not to be something else: another template would be used without a word.
#[test]
fn what_is_optional_is_a_file_or_nothing() {
    let world = World::new();
    for name in [
        "chat_template.jinja",
        "special_tokens_map.json",
        "generation_config.json",
        "additional_chat_templates/x.jinja",
        "model.safetensors",
    ] {
        let path = world.path("model").join(name);
        let kept = fs::read(&path).ok();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        for kind in 0..3 {
            let _ = fs::remove_file(&path);
            let found = match kind {
                0 => {
                    assert!(
                        Command::new("mkfifo")
                            .arg(&path)
                            .status()
                            .unwrap()
                            .success()
                    );
                    "a pipe or a device"
                }
                1 => {
                    std::os::unix::fs::symlink("nowhere", &path).unwrap();
                    "a link that leads nowhere"
                }
                _ => {
                    fs::create_dir(&path).unwrap();
                    "a folder"
                }
            };
            let says = format!("{name}: {found}, expected a regular file");
            let done = world.run(&short_run("out"));
            world.assert_refused(&done, &[&says]);
        }
        fs::remove_dir(&path).unwrap();
        if let Some(kept) = kept {
            fs::write(&path, kept).unwrap();
        }
    }
}
