//! `spindle inspect`: a table, figures or JSON for one prompt, and what it refuses.

use std::fs::{self, File};

use serde_json::Value;

use crate::world::{Done, World};

const FIGURES: [&str; 5] = [
    "attention",
    "pairs",
    "pairs-keys",
    "pairs-values",
    "spindle",
];
const PARTS: [&str; 7] = [
    "entries",
    "codewords",
    "indices",
    "magnitudes",
    "positions",
    "lists",
    "scales",
];
/// Of the tiny model.
const LAYERS: usize = 3;
const HEADS: usize = 4;
const KV_HEADS: usize = 2;

fn essay() -> String {
    include_str!("../../datasets/haystack/01-harbour-walls.txt")
        .chars()
        .filter(char::is_ascii)
        .take(600)
        .collect()
}

/// `spindle inspect` on the tiny model.
fn inspect<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    [&["inspect", "--model", "model"][..], rest].concat()
}

fn json(world: &World, rest: &[&str]) -> Value {
    let out = world.good(&inspect(&[rest, &["--json"]].concat()));
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
}

fn array<'a>(value: &'a Value, key: &str) -> &'a Vec<Value> {
    value[key]
        .as_array()
        .unwrap_or_else(|| panic!("no list {key} in {value}"))
}

fn number(value: &Value, key: &str) -> u64 {
    value[key]
        .as_u64()
        .unwrap_or_else(|| panic!("no number {key} in {value}"))
}

fn real(value: &Value, key: &str) -> f64 {
    value[key]
        .as_f64()
        .unwrap_or_else(|| panic!("no number {key} in {value}"))
}

fn numbers(value: &Value, key: &str) -> Vec<u64> {
    let all = array(value, key).iter();
    all.map(|number| number.as_u64().unwrap()).collect()
}

#[test]
fn a_needle_sample_has_a_table_for_each_method_and_figures() {
    let world = World::new();
    let methods = [
        "--method",
        "spindle:share=0.5",
        "--method",
        "snapkv:retention=0.4,0.7",
    ];
    let args = [&["--length", "500", "--out", "figures"][..], &methods].concat();
    let out = world.good(&inspect(&args));
    assert!(
        out.starts_with("model, f16, prompt needle length=500;depth=50;"),
        "{out}"
    );
    let lines = |start: &str| out.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!((lines("spindle "), lines("snapkv ")), (1, 2), "{out}");
    let headers = out.lines().filter(|line| line.starts_with("layer "));
    assert_eq!(headers.count(), 3, "{out}");
    for first in ["0", "1", "2", "all"] {
        let rows = out
            .lines()
            .filter(|line| line.split_whitespace().next() == Some(first));
        let widths: Vec<usize> = rows.map(str::len).collect();
        assert_eq!(widths.len(), 3, "{first} in {out}");
    }
    assert!(out.ends_with("figures in figures\n"), "{out}");
    assert!(out.lines().all(|line| line.len() <= 110), "{out}");
    for stem in FIGURES {
        let svg = world.read(&format!("figures/{stem}.svg"));
        assert!(svg.trim_end().ends_with("</svg>"), "{stem}");
        let png = fs::read(world.path(&format!("figures/{stem}.png"))).unwrap();
        assert!(
            png.starts_with(b"\x89PNG") && png.len() > 10_000,
            "{stem}: an all but empty PNG"
        );
    }
    let spindle = world.read("figures/spindle.svg");
    for text in [
        "spindle",
        "share=0.5",
        "snapkv",
        "retention=0.7",
        "codewords",
    ] {
        assert!(spindle.lines().any(|line| line == text), "no {text}");
    }
    let count = fs::read_dir(world.path("figures")).unwrap().count();
    assert_eq!(count, 2 * FIGURES.len());
}

#[test]
fn json_holds_every_head_and_its_sums_agree() {
    let world = World::new();
    world.write("essay.txt", essay());
    let methods = [
        "--method",
        "full",
        "--method",
        "spindle:share=0.5;window-coded=false",
        "--method",
        "snapkv:budget=100",
        "--method",
        "streaming-llm:budget=100",
        "--method",
        "pyramidinfer:retention=0.95",
    ];
    let facts = json(&world, &[&["essay.txt"][..], &methods].concat());
    assert!(!world.path("results").exists(), "no figures were asked for");
    assert_eq!(number(&facts, "tokens"), 600);
    let dense = number(&facts, "bytes_dense");
    assert_eq!(dense, (LAYERS * KV_HEADS * 600 * 2 * 16 * 2) as u64);
    assert_eq!(array(&facts, "methods").len(), 5);
    for method in array(&facts, "methods") {
        let layers = array(method, "layers");
        assert_eq!(layers.len(), LAYERS);
        let sum = |key: &str| layers.iter().map(|row| number(row, key)).sum::<u64>();
        assert_eq!(sum("bytes_held"), number(method, "bytes_held"));
        assert_eq!(sum("entries"), number(method, "entries"));
        assert_eq!(sum("bytes_dense"), dense);
        let mut total = 0;
        for part in PARTS {
            let of_layers = layers.iter().map(|row| number(&row["bytes"], part));
            let whole = number(&method["bytes"], part);
            assert_eq!(of_layers.sum::<u64>(), whole, "{part}");
            total += whole;
        }
        assert_eq!(total, number(method, "bytes_held"));
        let retention = total as f64 / dense as f64;
        assert!((real(method, "retention") - retention).abs() < 1e-12);
        let errors = layers.iter().map(|row| real(row, "relative_error"));
        let mean = errors.sum::<f64>() / LAYERS as f64;
        assert!((mean - real(method, "relative_error")).abs() < 1e-12);
        for row in layers {
            let (kept, union) = (numbers(row, "kept"), numbers(row, "union"));
            assert_eq!((kept.len(), union.len()), (HEADS, KV_HEADS));
            for (heads, &union) in kept.chunks(HEADS / KV_HEADS).zip(&union) {
                let most = heads.iter().sum::<u64>().min(600);
                assert!(heads.iter().all(|&k| k <= union) && union <= most, "{row}");
            }
        }
    }
    let [full, spindle, snapkv, streaming, pruned] = &array(&facts, "methods")[..] else {
        panic!("five methods");
    };
    for row in array(full, "layers") {
        assert_eq!(numbers(row, "kept"), [600; HEADS]);
        assert_eq!((real(row, "relative_error"), real(row, "r1")), (0.0, 1.0));
        assert!(row["r2"].is_null() && row["cosine_min_k"].is_null());
    }
    assert!(full["codewords_k"].is_null());
    let layers = array(spindle, "layers");
    for key in ["codewords_k", "codewords_v"] {
        let of_layers = layers.iter().map(|row| number(row, key));
        assert_eq!(of_layers.sum::<u64>(), number(spindle, key));
    }
    for row in layers {
        assert!(real(row, "cosine_min_k") > 0.97 && real(row, "cosine_min_v") > 0.94);
        assert!(real(row, "cosine_mean_k") >= real(row, "cosine_min_k"));
        let error = real(row, "relative_error");
        assert!(error > 0.0 && error < 1.5, "{error}");
        // Query heads select apart: what they keep is counted for each, over one dense entry per KV head.
        let kept: u64 = numbers(row, "kept").iter().sum();
        assert_eq!(real(row, "r1"), kept as f64 / (KV_HEADS * 600) as f64);
    }
    for row in array(snapkv, "layers") {
        assert_eq!(numbers(row, "kept"), [100; HEADS]);
        assert_eq!(number(row, "entries"), 400, "stored for each query head");
        assert!(numbers(row, "union").iter().all(|&union| union > 100));
    }
    for row in array(streaming, "layers") {
        assert_eq!(numbers(row, "kept"), [100; HEADS]);
        assert_eq!(numbers(row, "union"), [100; KV_HEADS]);
        assert_eq!(real(row, "r1"), 100.0 / 600.0);
    }
    let held: Vec<u64> = array(pruned, "layers")
        .iter()
        .flat_map(|row| numbers(row, "union"))
        .collect();
    assert!(held.is_sorted_by(|a, b| a >= b) && held.last() < held.first());
}

/// In the first layer keys before RoPE, and values, follow from the token alone.
#[test]
fn equal_tokens_are_alike_and_attention_adds_up() {
    let world = World::new();
    world.write("same.txt", "a".repeat(200));
    let facts = json(
        &world,
        &["same.txt", "--kv-dtype", "f32", "--method", "full"],
    );
    let most = 200 * 199 / 2;
    let first_layer = |vectors: &str, theta: f64| {
        let all = array(&facts, "similar").iter();
        let own =
            all.filter(|s| s["vectors"] == vectors && (real(s, "theta") - theta).abs() < 1e-6);
        let [found] = &own.collect::<Vec<_>>()[..] else {
            panic!("{vectors} {theta}");
        };
        assert_eq!(number(found, "most"), most);
        assert_eq!(array(found, "pairs").len(), LAYERS);
        serde_json::from_value::<[u64; KV_HEADS]>(found["pairs"][0].clone()).unwrap()
    };
    for theta in [0.98, 0.9] {
        assert_eq!(first_layer("keys", theta), [most; KV_HEADS]);
    }
    for theta in [0.95, 0.6] {
        assert_eq!(first_layer("values", theta), [most; KV_HEADS]);
    }
    let [loose, strict] = [0.9, 0.98].map(|theta| first_layer("rotated_keys", theta));
    assert!(
        strict[0] <= loose[0] && loose[0] < most,
        "{strict:?} {loose:?}"
    );

    let attention = &facts["attention"];
    let ranks = numbers(attention, "ranks");
    assert_eq!((ranks[0], ranks[ranks.len() - 1]), (0, 192));
    for layer in array(attention, "layers") {
        let shares: Vec<f64> = array(layer, "cumulative")
            .iter()
            .map(|share| share.as_f64().unwrap())
            .collect();
        assert_eq!(shares.len(), ranks.len());
        assert!(shares[0] == 0.0 && (shares[shares.len() - 1] - 1.0).abs() < 1e-6);
        for (share, &rank) in shares.iter().zip(&ranks) {
            assert!(*share <= rank as f64 / 192.0 + 1e-6, "least attended first");
        }
        let before = real(layer, "before_window");
        assert!(before > 0.5 && before < 1.0, "{before}");
    }
}

#[test]
fn text_comes_from_a_file_or_standard_input_with_or_without_the_template() {
    let world = World::new();
    world.write("essay.txt", essay());
    let plain = json(&world, &["essay.txt", "--threads", "1"]);
    let args = inspect(&["-", "--json", "--threads", "2"]);
    let mut command = world.command(&args);
    command.stdin(File::open(world.path("essay.txt")).unwrap());
    let done = Done::new(&args, command.output().unwrap());
    assert_eq!(done.code, 0, "{done:?}");
    let mut piped: Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(piped["prompt"], "standard input");
    piped["prompt"] = plain["prompt"].clone();
    assert_eq!(piped, plain);

    let args = inspect(&["essay.txt", "--json", "--chat", "--out", "drawn"]);
    let done = world.run(&args);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.stderr, "figures in drawn\n");
    let chat: Value = serde_json::from_str(&done.stdout).unwrap();
    // `<s>user\n`, `</s>\n<s>` around the text.
    assert_eq!(number(&chat, "tokens"), 600 + 6 + 3);
    assert!(world.path("drawn/spindle.svg").exists());
}

#[test]
fn what_cannot_be_used_is_refused_before_the_model_is_asked_for() {
    let world = World::new();
    world.write("essay.txt", essay());
    world.write("empty.txt", " \n");
    world.write("bytes.txt", [0xff, 0xfe]);
    let early = |rest: &[&str], says: &[&str]| {
        world.refused(&[&["inspect", "--model", "absent"], rest].concat(), says);
    };
    early(&["missing.txt"], &["missing.txt", "No such file"]);
    early(&["model"], &["model: a folder, expected a regular file"]);
    early(&["empty.txt"], &["prompt empty.txt", "expected text"]);
    early(&["-"], &["prompt standard input", "expected text"]);
    early(&["bytes.txt"], &["bytes.txt:1: not UTF-8"]);
    early(
        &["--method", "spindel:retention=0.3"],
        &["\"spindel\"", "did you mean \"spindle\"?"],
    );
    early(
        &["--method", "spindle:retention=3"],
        &["--method spindle:retention=3", "retention = 3", "up to 1"],
    );
    early(
        &["--method", "spindle:retention"],
        &["--method", "expected KEY=VALUE"],
    );
    early(&["--method", "spindle"], &["spindle", "no size is given"]);
    early(
        &["--method", "full", "--method", "full"],
        &["method full", "twice"],
    );
    early(&["--kv-dtype", "f8"], &["f8", "f16"]);
    early(&["--device", "tpu"], &["--device tpu", "cpu or cuda"]);
    early(&["--out", "essay.txt"], &["essay.txt", "expected a folder"]);
}

#[test]
fn prompts_and_sizes_that_do_not_fit_the_model_are_refused() {
    let world = World::new();
    world.write("short.txt", "a word.\n");
    world.write("long.txt", "word ".repeat(300));
    world.write("essay.txt", essay());
    let late = |rest: &[&str], says: &[&str]| world.refused(&inspect(rest), says);
    late(
        &["short.txt"],
        &["prompt short.txt", "8 tokens", "more than"],
    );
    late(&["long.txt"], &["prompt long.txt", "1500", "at most 1024"]);
    late(&["--length", "2000"], &["length 2000", "1024"]);
    late(&["--length", "10"], &["length 10", "too short"]);
    late(
        &["essay.txt", "--method", "spindle:retention=0.001"],
        &["method spindle: retention=0.001: out of reach: 0."],
    );
    let mut config: Value =
        serde_json::from_str(&world.read("model/tokenizer_config.json")).unwrap();
    config["chat_template"] = "{% for m in messages %}{{ m.role }}{% endfor %}".into();
    let old = world.read("model/tokenizer_config.json");
    world.write("model/tokenizer_config.json", config.to_string());
    late(
        &["essay.txt", "--chat"],
        &[
            "model/tokenizer_config.json",
            "does not show what the user says",
        ],
    );
    world.write("model/tokenizer_config.json", old);
    for args in [&["--chat"][..], &["essay.txt", "--length", "500"]] {
        let done = world.run(&inspect(args));
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.stderr.starts_with("error: "), "{done:?}");
    }
}
