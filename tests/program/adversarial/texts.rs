//! Texts that are none, or not what they are said to be.

use std::fs;

use super::{DATA, refused, refused_in};
use crate::world::World;

const LATIN: &[u8] = b"caf\xe9\n";

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
        (b"[", "index.json: not an index"),
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
        &["index.json: not an index: [0]: invalid type"],
    );
}

/// A pattern that is fast on the text that a tokenizer is tried on, and takes hours for this one.
#[test]
fn a_pattern_that_takes_hours_for_a_text() {
    let world = World::new();
    let mut tokenizer: serde_json::Value =
        serde_json::from_str(&world.read("model/tokenizer.json")).unwrap();
    let split = serde_json::json!({"type": "Split", "pattern": {"Regex": "[^~a]*[^~a]*~|[\\s\\S]"},
                                   "behavior": "Isolated", "invert": false});
    tokenizer["pre_tokenizer"] = serde_json::json!({"type": "Sequence", "pretokenizers": [split, tokenizer["pre_tokenizer"]]});
    world.write("model/tokenizer.json", tokenizer.to_string());
    let inspect = |file| {
        [
            "inspect", file, "--model", "model", "--method", "full", "--json",
        ]
    };
    world.write("fast.txt", "Some words and a mark. ".repeat(20));
    world.good(&inspect("fast.txt"));
    world.write("slow.txt", "e ".repeat(2000));
    let start = std::time::Instant::now();
    let says = [
        "model/tokenizer.json: the tokenizer takes longer than 8 s for a text of 4000 bytes; its patterns are `[^~a]*",
    ];
    world.assert_refused(&world.run(&inspect("slow.txt")), &says);
    assert!(start.elapsed() < std::time::Duration::from_secs(15));
}

#[test]
fn an_experiment_that_is_no_experiment() {
    let large = vec![b'#'; 17 << 20];
    let deep = format!("a = {}", "[".repeat(1_000_000));
    let tables = format!("[{}a]", "a.".repeat(100_000));
    let bad = &["eval", "bad.toml"][..];
    refused(&[
        (
            &[("bad.toml", b"")],
            bad,
            &["bad.toml", "missing field `name`"],
        ),
        (&[("bad.toml", b"\0\0")], bad, &["bad.toml:1: "]),
        (
            &[("bad.toml", &large)],
            bad,
            &["bad.toml: 17825792 bytes, expected at most 8388608"],
        ),
        (&[("bad.toml", deep.as_bytes())], bad, &["bad.toml:1: "]),
        (&[("bad.toml", tables.as_bytes())], bad, &["bad.toml"]),
    ]);
}
