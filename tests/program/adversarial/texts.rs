//! Texts that are none, or not what they are said to be.

use std::fs;
use std::process::Command;

use super::{clean, refused, refused_in};
use crate::world::{EXPERIMENT, World};

const LATIN: &[u8] = b"caf\xe9\n";
const DATA: &[&str] = &[
    "eval",
    "--suite",
    "longbench",
    "--tasks",
    "qasper",
    "--model",
    "model",
    "--methods",
    "full",
    "--data",
];

#[test]
fn files_that_are_not_utf_8() {
    let data = [DATA, &["data", "--templates", "t.json"]].concat();
    refused(&[
        (
            &[("x.toml", b"name = 'x'\n# \xe9")],
            &["eval", "x.toml"],
            &["x.toml:2: not UTF-8"],
        ),
        (
            &[("p.txt", LATIN)],
            &["inspect", "p.txt", "--model", "model"],
            &["p.txt:1: not UTF-8"],
        ),
        (
            &[("r/records.csv", LATIN)],
            &["report", "r"],
            &["r/records.csv"],
        ),
        (
            &[("r/records.csv", LATIN)],
            &["figures", "r"],
            &["r/records.csv"],
        ),
        (
            &[("data/qasper.jsonl", b"{}\n"), ("t.json", LATIN)],
            &data,
            &["t.json", "UTF-8"],
        ),
        (
            &[("data/qasper.jsonl", b"\xff\n")],
            &[DATA, &["data"]].concat(),
            &["data/qasper.jsonl:1: "],
        ),
    ]);
}

#[test]
fn a_model_whose_index_is_no_text() {
    let world = World::new();
    fs::remove_file(world.path("model/model.safetensors")).unwrap();
    for (index, says) in [
        (LATIN, "index.json:1: not UTF-8"),
        (b"[", "index.json: not JSON"),
        (b"[]", "no `weight_map`"),
    ] {
        world.write("model/model.safetensors.index.json", index);
        refused_in(&world, &["fetch", "model"], &[says]);
    }
    let deep = "[".repeat(1_000_000);
    world.write("model/model.safetensors.index.json", deep);
    refused_in(
        &world,
        &["fetch", "model"],
        &["index.json: not JSON: recursion limit"],
    );
}

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
    refused(
        &[DATA, &["d.zip"]].concat(),
        &["data d.zip: no such folder or file"],
    );
    refused(&[DATA, &["pipes"]].concat(), &["no qasper.jsonl in it"]);
    refused(&["eval", "tiny.toml", "--model", "d.zip"], &["d.zip"]);
    refused(
        &["eval", "tiny.toml", "--out", "r"],
        &["r/run.json: ", found],
    );
    world.good(&[
        "eval",
        "tiny.toml",
        "--methods",
        "full",
        "--limit",
        "1",
        "--out",
        "good",
    ]);
    refused(&["report", "good", "--splice", "s.md"], &["s.md: ", found]);
    for name in ["good/records.csv", "good/layers.csv"] {
        fs::remove_file(world.path(name)).unwrap();
        pipe(name);
    }
    refused(&["report", "good"], &["good: no records.csv"]);
    fs::remove_file(world.path("good/records.csv")).unwrap();
    world.write("good/records.csv", "");
    refused(&["report", "good"], &["good/records.csv: no rows"]);
}

#[test]
fn control_characters_and_long_lines_are_shown_and_cut() {
    let long = "x".repeat(200_000);
    let experiment = |old: &str, new: &str| EXPERIMENT.replacen(old, new, 1).into_bytes();
    let escape = experiment("description", "\"a\\u001b[31mb\" = 1\ndescription");
    let name = experiment("name = \"tiny\"", "name = \"\\u001b]0;title\\u0007\"");
    let method = experiment("\"full\"", "\"\\u001b[2J\\nfull\"");
    let direction = experiment("\"needle\"", "\"needle\u{202e}\"");
    let line = experiment("description = ", &format!("description = {long} "));
    let value = experiment("[500, 700]", &format!("\"{long}\""));
    let long_name = experiment("name = \"tiny\"", &format!("name = \"{long}\""));
    let bad = &["eval", "bad.toml"][..];
    refused(&[
        (
            &[("bad.toml", &escape)],
            bad,
            &["bad.toml:2: ", "\\u001b[31mb"],
        ),
        (
            &[("bad.toml", &name)],
            bad,
            &["\\u001b]0;title\\u0007", "expected letters"],
        ),
        (&[("bad.toml", &method)], bad, &["\\u001b[2J", "full"]),
        (&[("bad.toml", &direction)], bad, &["needle\\u202e"]),
        (
            &[("bad.toml", &line)],
            bad,
            &["bad.toml:2: `description = xxx", " ... "],
        ),
        (&[("bad.toml", &value)], bad, &["bad.toml", "lengths"]),
        (
            &[("bad.toml", &long_name)],
            bad,
            &["bad.toml: name = \"xxx", "at most 200"],
        ),
    ]);
}

#[test]
fn tables_show_what_would_steer_a_terminal() {
    let world = World::new();
    world.good(&[
        "eval",
        "tiny.toml",
        "--methods",
        "full",
        "--limit",
        "1",
        "--out",
        "out",
    ]);
    let rows = world.read("out/records.csv");
    world.write(
        "out/records.csv",
        rows.replace(",needle,", ",needle\u{1b}[31m\u{9b}1m,"),
    );
    let table = world.good(&["report", "out"]);
    assert!(table.contains("needle\\u001b[31m\\u009b1m"), "{table}");
    assert!(
        !table.chars().any(|c| c.is_control() && c != '\n'),
        "{table}"
    );
    world.write("p\u{1b}[31m.txt", "a text of some words ".repeat(20));
    let args = [
        "inspect",
        "p\u{1b}[31m.txt",
        "--model",
        "model",
        "--json",
        "--method",
        "full",
    ];
    let json = world.good(&args);
    let facts: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(facts.to_string().contains("p\\u001b[31m.txt"), "{json}");
}

#[test]
fn archives_that_mean_harm() {
    use std::io::Write;

    use zip::write::{SimpleFileOptions, ZipWriter};
    let world = World::new();
    let pack = |name: &str, entries: &[(&str, &[u8])]| {
        let mut zip = ZipWriter::new(fs::File::create(world.path(name)).unwrap());
        for (name, bytes) in entries {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap();
    };
    let line = format!("{{\"input\": \"{}\"}}\n", "a".repeat(64 << 20));
    pack("bomb.zip", &[("data/qasper.jsonl", line.as_bytes())]);
    let names: Vec<String> = (0..10_001).map(|i| i.to_string()).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    pack("many.zip", &many);
    pack("out.zip", &[("../qasper.jsonl", b"{}")]);
    world.write("none.zip", "PK");
    let empty: Vec<u8> = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
    world.write("empty.zip", empty);
    for (name, says) in [
        (
            "bomb.zip",
            "bomb.zip: data/qasper.jsonl: unpacks to more than 400 times",
        ),
        (
            "many.zip",
            "many.zip: 10001 entries, expected at most 10000",
        ),
        ("out.zip", "leads out of the archive"),
        ("none.zip", "none.zip: "),
        ("empty.zip", "empty.zip: 0 files qasper.jsonl in it"),
    ] {
        refused_in(&world, &[DATA, &[name]].concat(), &[says]);
    }
}
