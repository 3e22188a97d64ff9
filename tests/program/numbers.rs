//! Numbers that must not be silently wrong: values that are not finite, sizes that cannot be met, draws that no seed
//! reaches, samples that cannot be scored.

use std::fs;

use candle_core::{Device, Tensor};
use serde_json::{Value, json};

use crate::world::World;

/// Replaces the elements of one tensor of the world's model.
fn change(world: &World, name: &str, with: impl Fn(usize, f32) -> f32) {
    let file = world.path("model/model.safetensors");
    let mut tensors = candle_core::safetensors::load(&file, &Device::Cpu).unwrap();
    let old = &tensors[name];
    let elements: Vec<f32> = old.flatten_all().unwrap().to_vec1().unwrap();
    let elements = elements.into_iter().enumerate().map(|(i, x)| with(i, x));
    let new = Tensor::from_vec(elements.collect(), old.shape(), &Device::Cpu).unwrap();
    tensors.insert(name.into(), new);
    // Written beside and moved: the old file is mapped.
    let partial = world.path("model/partial");
    candle_core::safetensors::save(&tensors, &partial).unwrap();
    fs::rename(partial, file).unwrap();
}

const FEW: [&str; 9] = [
    "eval",
    "tiny.toml",
    "--lengths",
    "500",
    "--depths",
    "20",
    "--threads",
    "1",
    "--out",
];

/// `FEW` with the folder and more flags.
fn few<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&FEW[..], &[out], more].concat()
}

#[test]
fn a_weight_that_is_not_finite_is_refused_by_name() {
    for bad in [f32::NAN, f32::INFINITY] {
        let world = World::new();
        change(
            &world,
            "lm_head.weight",
            |i, x| if i == 325 { bad } else { x },
        );
        let says = [
            "model/model.safetensors: tensor lm_head.weight: element 325",
            "expected finite weights",
        ];
        world.refused(&["eval", "tiny.toml"], &says);
    }
}

#[test]
fn keys_beyond_f16_end_their_sample_and_bf16_runs() {
    let world = World::new();
    let name = "model.layers.1.self_attn.k_proj.weight";
    change(&world, name, |_, x| x * 1e6);
    let done = world.run(&few("f16", &[]));
    assert_eq!(done.code, 1, "{done:?}");
    let records = world.records("f16");
    assert_eq!(records.len(), 8);
    for record in records {
        assert_eq!(
            record.error,
            "prefill: layer 1, keys of token 0: beyond 65504, the most that f16 holds; kv-dtype = \"bf16\" holds more"
        );
        let numbers = [record.nll, record.kl, record.agreement, record.score];
        assert_eq!(numbers, [None; 4]);
        assert!(record.prompt_tokens > 400);
    }
    world.good(&few("bf16", &["--kv-dtype", "bf16"]));
    let done = world.run(&["inspect", "--model", "model", "--length", "500", "--json"]);
    assert_eq!((done.code, done.stdout.as_str()), (1, ""), "{done:?}");
    assert!(
        done.stderr
            .starts_with("error: prefill: layer 1, keys of token 0: beyond 65504"),
        "{done:?}"
    );
    assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
}

/// The same function, with values that f16 makes 0: every cache would equal the full one.
#[test]
fn values_that_f16_makes_zero_end_their_sample_and_bf16_runs() {
    let world = World::new();
    let projection = |name: &str| format!("model.layers.1.self_attn.{name}_proj.weight");
    change(&world, &projection("v"), |_, x| x * 2f32.powi(-40));
    change(&world, &projection("o"), |_, x| x * 2f32.powi(40));
    assert_eq!(world.run(&few("f16", &[])).code, 1);
    for record in world.records("f16") {
        assert_eq!(
            record.error,
            "prefill: layer 1, values of token 0: up to 2.9802322e-8 and not 0, but all 0 in f16; kv-dtype = \"bf16\" \
             holds less"
        );
    }
    world.good(&few("bf16", &["--kv-dtype", "bf16"]));
}

/// What contradicts is found before the run, whatever the prompt.
#[test]
fn settings_that_are_not_heeded_are_refused() {
    let world = World::new();
    for (method, says) in [
        (
            "snapkv:budget=31",
            "method snapkv: budget = 31: fewer than the window = 32 that are always kept",
        ),
        (
            "snapkv:budget=8;window=9",
            "budget = 8: fewer than the window = 9",
        ),
        (
            "pyramidkv:budget=7",
            "budget = 7: fewer than the window = 8",
        ),
        (
            "streaming-llm:budget=3",
            "budget = 3: fewer than the sinks = 4",
        ),
        (
            "h2o:budget=8;recent=9",
            "budget = 8: fewer than the recent = 9",
        ),
        (
            "snapkv:budget=0",
            "budget = 0: expected a whole number from 1",
        ),
        (
            "snapkv:budget=64;pool=none;kernel=5",
            "kernel is given, but pool = none does not heed it: expected pool = max or avg",
        ),
        (
            "snapkv:budget=64;kernel=4",
            "method snapkv: pooling kernel is 4, expected an odd number",
        ),
        (
            "spindle-evict:share=0.5;shape=uniform;beta=0.1",
            "beta is given, but shape = uniform does not heed it",
        ),
        (
            "spindle:share=0.5;codewords=0.5",
            "codewords is given, but learner = greedy does not heed it",
        ),
        (
            "spindle:share=0.5;learner=spherical-k-means;codeword=member",
            "codeword is given, but learner = spherical-k-means",
        ),
        (
            "spindle:share=0.5;learner=spherical-k-means;decode=whole;theta-k=0.9",
            "theta-k is given, but learner = spherical-k-means",
        ),
        (
            "spindle-code:codewords=0.5",
            "codewords is given, but learner = greedy goes by theta-scale",
        ),
        ("snapkv:budget=64;retention=0.5", "two sizes are given"),
        (
            "pyramidinfer:recent-ratio=1",
            "recent-ratio = 1: every token always goes on",
        ),
    ] {
        world.refused(
            &["eval", "tiny.toml", "--method", method],
            &["error: tiny.toml", says],
        );
        world.refused(
            &["inspect", "--model", "model", "--method", method],
            &[says],
        );
    }
    for method in [
        "snapkv:budget=32",
        "streaming-llm:budget=4",
        "h2o:budget=9;recent=9",
    ] {
        world.good(&["eval", "tiny.toml", "--dry-run", "--method", method]);
    }
}

/// What a prompt does not allow is an error row in `eval` and refused by `inspect`, both with the range.
#[test]
fn sizes_out_of_a_prompts_reach_name_the_range() {
    let world = World::new();
    world.write("q.txt", "The cat sat on the mat. What sat on the mat?");
    for (method, says) in [
        (
            "streaming-llm:retention=0.005",
            "out of reach: 0.091 to 1.000",
        ),
        ("knorm:retention=0.005", "out of reach: 0.023 to 1.000"),
        ("random:retention=0.005", "out of reach: 0.023 to 1.000"),
        ("tova:retention=0.005", "out of reach: 0.023 to 1.000"),
        // Less than a percentage point above what is asked for.
        ("tova:retention=0.02", "out of reach: 0.023 to 1.000"),
        ("h2o:retention=0.005", "out of reach: 0.045 to 2.000"),
        ("cam:retention=0.005", "out of reach: 0.023 to 1.000"),
        ("snapkv:retention=0.005", "out of reach: 1.455 to 2.000"),
        (
            "spindle-evict:share=0.1",
            "share=0.1: out of reach: share 0.182 to 1.000",
        ),
    ] {
        let args = [
            "inspect", "q.txt", "--json", "--model", "model", "--method", method,
        ];
        world.refused(&args, &[says]);
    }
    let flags = [
        "--method",
        "spindle:share=0.001",
        "--method",
        "streaming-llm:budget=4",
    ];
    let done = world.run(&few("out", &flags));
    assert_eq!(done.code, 0, "{done:?}");
    let records = world.records("out");
    let [full, spindle, streaming] = &records[..] else {
        panic!("{records:?}")
    };
    assert!(
        spindle.error.starts_with("out of reach: share 0.0"),
        "{spindle:?}"
    );
    assert_eq!((full.error.as_str(), streaming.error.as_str()), ("", ""));
    assert_eq!(streaming.entries, Some(4 * 3 * 2));
}

const DRAWN: &str = r#"name = "drawn"
[model]
source = "model"
[[task]]
name = "hotpotqa"
data = "data"
[[method]]
name = "random"
budget = 60
[[method]]
name = "cam"
budget = 60
[[method]]
name = "spindle-code"
learner = "spherical-k-means"
codewords = 0.2
[[method]]
name = "tova"
budget = 60
"#;

/// A line of LongBench.
fn line(id: &str, context: &str, answers: &[&str]) -> String {
    json!({
        "input": "Who keeps it?", "context": context, "answers": answers, "length": 1, "dataset": "d",
        "language": "en", "all_classes": null, "_id": id,
    })
    .to_string()
        + "\n"
}

/// The likelihoods of a method's samples, by name of the sample.
fn nlls(world: &World, out: &str, method: &str) -> Vec<Option<f64>> {
    let mut records = world.records(out);
    records.retain(|record| record.method == method);
    records.sort_by(|a, b| a.sample.cmp(&b.sample));
    records.into_iter().map(|record| record.nll).collect()
}

#[test]
fn every_draw_follows_from_seed_method_and_sample() {
    let world = World::new();
    world.write("drawn.toml", DRAWN);
    let text = "The lamp on the quay is kept by Ines and by nobody else, whatever the weather is.";
    let copies = ["a", "b", "c"].map(|id| line(id, text, &["Ines"]));
    world.write("data/hotpotqa.jsonl", copies.concat());
    let run = |out: &str, flags: &[&str]| {
        world.good(&[&["eval", "drawn.toml", "--out", out][..], flags].concat());
    };
    run("s0", &["--seed", "0", "--threads", "1"]);
    run("again", &["--seed", "0", "--threads", "3"]);
    run("s1", &["--seed", "1", "--threads", "1"]);
    for method in ["random", "cam", "spindle-code"] {
        let of = |out| nlls(&world, out, method);
        let (zero, one) = (of("s0"), of("s1"));
        assert_eq!(zero, of("again"), "{method}");
        assert!(zero.iter().zip(&one).all(|(a, b)| a != b), "{method}");
        // The same text three times: what tells the samples apart is their names.
        assert!(
            zero[0] != zero[1] && zero[1] != zero[2],
            "{method} {zero:?}"
        );
    }
    let of = |out| nlls(&world, out, "tova");
    assert_eq!(of("s0"), of("s1"));
    assert_eq!(of("s0")[0], of("s0")[1]);

    // One sample alone, and one cell alone of a run that goes on.
    run("alone", &["--seed", "0", "--limit", "1"]);
    assert_eq!(
        nlls(&world, "alone", "random")[0],
        nlls(&world, "s0", "random")[0]
    );
    let rows = world.read("s0/records.csv");
    let kept = |row: &&str| !(row.contains(",b,random,") || row.contains(",c,cam,"));
    let cut: Vec<&str> = rows.lines().filter(kept).collect();
    assert_eq!(cut.len() + 2, rows.lines().count());
    world.write("s0/records.csv", cut.join("\n") + "\n");
    run("s0", &["--seed", "0", "--threads", "1"]);
    for method in ["random", "cam"] {
        assert_eq!(nlls(&world, "s0", method), nlls(&world, "again", method));
    }
}

const CONTEXT: &str = r#"name = "context"
compress = ["prompt", "context"]
[model]
source = "model"
[[task]]
name = "hotpotqa"
data = "data"
templates = "templates.json"
[[method]]
name = "full"
[[method]]
name = "tova"
budget = 5
"#;

/// No sample's fault ends a run: its own rows say why, and the others are scored.
#[test]
fn samples_that_cannot_be_scored_end_alone() {
    let world = World::new();
    // No template and no token that texts begin with; and nothing at all for "#".
    world.write("model/tokenizer_config.json", "{}");
    let mut tokenizer: Value = serde_json::from_str(&world.read("model/tokenizer.json")).unwrap();
    tokenizer["normalizer"] = json!({"type": "Replace", "pattern": {"String": "#"}, "content": ""});
    world.write("model/tokenizer.json", tokenizer.to_string());
    world.write("templates.json", r#"{"hotpotqa": "{context}{input}"}"#);
    world.write("context.toml", CONTEXT);
    let lines = [
        line("empty", "", &["Ines"]),
        line("hashes", "###", &["Ines"]),
        line("next", "Ines keeps it.", &["##", "Ines"]),
        line("none", "Ines keeps it.", &["##"]),
        line("plain", "Ines keeps it.", &["Ines"]),
    ];
    world.write("data/hotpotqa.jsonl", lines.concat());
    let done = world.run(&["eval", "context.toml", "--out", "out"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("4 cells failed"), "{done:?}");
    let records = world.records("out");
    assert_eq!(records.len(), 5 * 2 * 2);
    for record in &records {
        let without_tokens = ["empty", "hashes"].contains(&record.sample.as_str());
        if without_tokens && record.compress_at == "context" {
            assert_eq!(
                record.error,
                "the context has no tokens, expected at least 1"
            );
            assert_eq!(record.score, None);
            continue;
        }
        assert_eq!(record.error, "", "{record:?}");
        assert!(record.score.is_some() && record.kl_greedy.is_some());
        let likelihoods = [record.nll, record.kl, record.agreement];
        match record.sample.as_str() {
            "none" => assert_eq!(likelihoods, [None; 3]),
            _ => assert!(likelihoods.iter().all(Option::is_some), "{record:?}"),
        }
    }
    // The next answer that has tokens is the one that is scored.
    let nll = |sample: &str| records.iter().find(|r| r.sample == sample).unwrap().nll;
    assert_eq!(nll("next"), nll("plain"));
    // Four of the five samples of the prompt have a likelihood, two of three of the context.
    assert!(
        done.stdout.contains(" of 4 ") && done.stdout.contains(" of 2 "),
        "{done:?}"
    );
    // The same again: what failed is tried again, and nothing else.
    assert_eq!(world.run(&["eval", "context.toml", "--out", "out"]).code, 1);
    assert_eq!(world.records("out").len(), 20);
}

#[test]
fn numbers_that_no_run_comes_to_are_refused_with_line_and_column() {
    let world = World::new();
    world.good(&few("out", &["--methods", "full"]));
    let absurd = |file: &str, column: &str, value: &str| {
        let name = format!("out/{file}.csv");
        let text = world.read(&name);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let at = reader.headers().unwrap().iter().position(|c| c == column);
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(reader.headers().unwrap()).unwrap();
        for (i, row) in reader.records().enumerate() {
            let row = row.unwrap();
            let put = |(j, old)| if i == 0 && Some(j) == at { value } else { old };
            writer
                .write_record(row.iter().enumerate().map(put))
                .unwrap();
        }
        world.write(&name, writer.into_inner().unwrap());
        let place = format!(
            "{name}:2: {column} is `{}`, expected a number from ",
            shown(value)
        );
        world.refused(&["figures", "out"], &[&place]);
        if file == "records" {
            world.refused(&["report", "out"], &[&place]);
        }
        world.write(&name, text);
    };
    for (column, value) in [
        ("score", "inf"),
        ("score", "NaN"),
        ("score", "-0.5"),
        ("score", "1e300"),
        ("nll", "-inf"),
        ("kl", "NaN"),
        ("agreement", "2"),
        ("retention", "1e9"),
        ("retention_paper", "inf"),
        ("decode_ms", "1e200"),
        ("bytes_held", "18446744073709551615"),
        ("prompt_tokens", "18446744073709551615"),
    ] {
        absurd("records", column, value);
    }
    // The lines of a file that another program has written with CR and LF.
    let text = world.read("out/records.csv");
    let mut lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let at = lines[0]
        .iter()
        .position(|column| *column == "score")
        .unwrap();
    let last = lines.len();
    lines[last - 1][at] = "NaN";
    let lines: String = lines.iter().map(|cells| cells.join(",") + "\r\n").collect();
    world.write("out/records.csv", lines);
    let place = format!("out/records.csv:{last}: score is `NaN`");
    world.refused(&["report", "out"], &[&place]);
    world.write("out/records.csv", &text);

    for (column, value) in [
        ("layer", "99999999"),
        ("r1", "inf"),
        ("bytes_entries", "18446744073709551615"),
        ("cosine_min_k", "7"),
    ] {
        absurd("layers", column, value);
    }
    let text = world.read("out/layers.csv");
    let mut lines: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    let at = lines[0]
        .iter()
        .position(|column| *column == "bytes_entries")
        .unwrap();
    for value in ["NaN", "-1", "x", ""] {
        lines[1][at] = value;
        let lines: String = lines.iter().map(|cells| cells.join(",") + "\n").collect();
        world.write("out/layers.csv", lines);
        let says = format!("out/layers.csv:2: bytes_entries is `{value}`, expected a whole number");
        world.refused(&["figures", "out"], &[&says]);
    }
}

/// As the program writes the number that `text` is.
fn shown(text: &str) -> String {
    match text.parse::<u64>() {
        Ok(count) => count.to_string(),
        Err(_) => match text.parse::<f64>().unwrap() {
            value if value.abs() < 1e15 => value.to_string(),
            value => format!("{value:e}"),
        },
    }
}
