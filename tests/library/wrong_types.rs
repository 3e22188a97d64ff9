//! Values of a wrong type, for each key of each file: the error names file and key, and no type of the program.

use std::fs;
use std::sync::LazyLock;

use anyhow::Result;
use candle_core::Device;
use regex::Regex;
use serde_json::{Value, json};
use spindle::dataset::documents::{read_hotpotqa, read_squad};
use spindle::dataset::longbench::{LongBenchRecord, read_lines};
use spindle::error::{exit_code, message};
use spindle::experiment::{Experiment, ExperimentFile};
use spindle::load::load;
use spindle::model::chat::ChatOptions;
use spindle::record::Provenance;
use spindle::source::{SourceOptions, resolve};
use spindle::task::kinds::kinds;

use crate::common::small;

static TYPES: LazyLock<Regex> = LazyLock::new(|| {
    let names = r"\b(struct|enum|variant|untagged|tuple|newtype|unit|[iu](8|16|32|64|size)|f64|\w+Wrapper)\b";
    Regex::new(names).unwrap()
});

/// One of each type, and more of those of which some fit.
fn values() -> Vec<Value> {
    let texts = [json!("text"), json!(""), json!(true)];
    let numbers = [json!(7), json!(-1), json!(1.5), json!(1e300)];
    let others = [
        json!([]),
        json!([7]),
        json!([[]]),
        json!({}),
        json!({"a": 1}),
    ];
    texts.into_iter().chain(numbers).chain(others).collect()
}

/// Puts each value at each of `places`, JSON pointers, and gives it to `read`. An error must say `says` and, where the type
/// is another than the good one, the last part of its place; at least one value of each place must be an error.
fn tried(good: &Value, places: &[&str], says: &str, read: impl Fn(&Value) -> Result<()>) {
    if let Err(error) = read(good) {
        panic!("{says}: {}", message(&error));
    }
    let mut others = Vec::new();
    for place in places {
        let (parent, key) = place.rsplit_once('/').unwrap();
        let old = good.pointer(place).unwrap_or(&Value::Null);
        let mut refused = 0;
        for value in values() {
            let mut changed = good.clone();
            changed.pointer_mut(parent).unwrap()[key] = value.clone();
            let Err(error) = read(&changed) else {
                continue;
            };
            refused += 1;
            let said = message(&error);
            let same = std::mem::discriminant(old) == std::mem::discriminant(&value);
            // In a table an error may be about the inner key.
            let named = said.contains(key) || (value.is_object() && said.contains("`a`"));
            let named = named && said.contains(says);
            let line = !said.contains('\n') && said.len() < 1200;
            if exit_code(&error) != 2 || !(named || same) || TYPES.is_match(&said) || !line {
                others.push(format!("{place} = {value}: {said}"));
            }
        }
        if refused == 0 {
            others.push(format!("{place} takes everything"));
        }
    }
    assert!(others.is_empty(), "{says}:\n{}", others.join("\n"));
}

/// The places of all keys of an object.
fn keys(value: &Value) -> Vec<String> {
    let map = value.as_object().unwrap();
    map.keys().map(|key| format!("/{key}")).collect()
}

/// Writes a file of the small model's folder, and reads the model.
fn of_model(name: &str, good: &Value, places: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    small::write(folder.path()).unwrap();
    let options = SourceOptions {
        cache: Some(folder.path().join("cache")),
        offline: true,
        ..SourceOptions::default()
    };
    tried(good, places, name, |value| {
        fs::write(folder.path().join(name), value.to_string())?;
        let files = resolve(&folder.path().display().to_string(), &options)?;
        load(&files, &ChatOptions::default(), &Device::Cpu).map(drop)
    });
}

#[test]
fn of_a_model() {
    let mut config = small::config();
    for known in ["architectures", "bos_token_id"] {
        config.as_object_mut().unwrap().remove(known);
    }
    let mut places = keys(&config);
    config["rope_parameters"] = json!({"rope_type": "default"});
    places.push("/rope_parameters/rope_theta".into());
    places.push("/rope_parameters/partial_rotary_factor".into());
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    of_model("config.json", &config, &places);
    of_model("generation_config.json", &json!({}), &["/eos_token_id"]);
    let tokens = [
        "/bos_token",
        "/eos_token",
        "/unk_token",
        "/pad_token",
        "/mask_token",
        "/extra_special_tokens",
        "/additional_special_tokens",
    ];
    let others = [
        "/added_tokens_decoder",
        "/chat_template",
        "/split_special_tokens",
        "/clean_up_tokenization_spaces",
        "/add_prefix_space",
        "/bos_token/lstrip",
        "/bos_token/normalized",
        "/extra_special_tokens/x",
    ];
    let mut config = small::tokenizer_config();
    of_model(
        "tokenizer_config.json",
        &config,
        &[&tokens[..], &others[..5]].concat(),
    );
    config["bos_token"] = json!({"content": "<s>"});
    config["extra_special_tokens"] = json!({"y": "<s>"});
    of_model("tokenizer_config.json", &config, &others[5..]);
    of_model("special_tokens_map.json", &json!({}), &tokens);
    of_model("added_tokens.json", &json!({}), &["/xyz"]);
    let tokenizer = small::tokenizer();
    of_model(
        "tokenizer.json",
        &tokenizer,
        &[
            "/added_tokens",
            "/normalizer",
            "/pre_tokenizer",
            "/post_processor",
            "/decoder",
            "/model",
            "/truncation",
            "/padding",
        ],
    );
    of_model("tokenizer.json", &tokenizer, &["/model/dropout"]);
}

/// What the crate says of the inner parts of a definition names no key, but no type either.
#[test]
fn of_the_parts_of_a_tokenizer() {
    let folder = tempfile::tempdir().unwrap();
    small::write(folder.path()).unwrap();
    let good = small::tokenizer();
    let mut others = Vec::new();
    for part in [
        "normalizer",
        "pre_tokenizer",
        "post_processor",
        "decoder",
        "model",
    ] {
        for key in good[part].as_object().unwrap().keys() {
            for value in values() {
                let mut changed = good.clone();
                changed[part][key] = value.clone();
                fs::write(folder.path().join("tokenizer.json"), changed.to_string()).unwrap();
                let files = resolve(
                    &folder.path().display().to_string(),
                    &SourceOptions::default(),
                );
                let read = load(&files.unwrap(), &ChatOptions::default(), &Device::Cpu);
                let Err(error) = read else { continue };
                let said = message(&error);
                if TYPES.is_match(&said) || exit_code(&error) != 2 {
                    others.push(format!("{part}.{key} = {value}: {said}"));
                }
            }
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}

fn experiment(tables: &str) -> Value {
    let text = format!("name = 'x'\n{tables}");
    let table: toml::Table = toml::from_str(&text).unwrap();
    serde_json::to_value(table).unwrap()
}

fn read_experiment(value: &Value) -> Result<()> {
    let table = toml::Table::try_from(value)?;
    let text = toml::to_string(&table)?;
    let file = ExperimentFile::parse(&text, "x.toml")?;
    Experiment::new(file, text, "x.toml").map(drop)
}

#[test]
fn of_an_experiment() {
    let good = experiment(
        "[model]\nsource = 'model'\n[[task]]\nname = 'needle'\n[[method]]\nname = 'snapkv'\nretention = 0.5\n",
    );
    let places = [
        "/name",
        "/description",
        "/seed",
        "/kv-dtype",
        "/compress",
        "/fidelity",
        "/model",
        "/task",
        "/method",
        "/model/source",
        "/model/sha256",
        "/model/chat-template",
        "/model/date",
        "/model/template",
        "/method/0/name",
        "/method/0/retention",
        "/method/0/window",
        "/method/0/store",
        "/task/0/name",
    ];
    let places: Vec<String> = places.iter().map(|place| format!("/of{place}")).collect();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    tried(&json!({"of": good}), &places, "x.toml", |value| {
        read_experiment(&value["of"])
    });
}

#[test]
fn of_every_task() {
    for kind in kinds().filter(|kind| kind.name != "custom") {
        let good = json!({"name": kind.name});
        let places: Vec<String> = kind
            .keys
            .iter()
            .map(|key| format!("/{}", key.name))
            .collect();
        let places: Vec<&str> = places.iter().map(String::as_str).collect();
        tried(&good, &places, "", |table| {
            let table = toml::Table::try_from(table)?;
            spindle::task::kinds::parse(&table, "x.toml").map(drop)
        });
    }
}

#[test]
fn of_a_task_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("own.toml");
    let good = json!({
        "name": "own", "data": "own.jsonl", "metric": "qa_f1", "max-new-tokens": 5, "template": "{context} {input}",
        "fields": {}, "language": "en", "chat": true, "first-line": true, "stops": [], "min-new-tokens": 0,
        "max-length": 9,
    });
    let mut places = keys(&good);
    places.extend(
        ["context", "input", "answers", "id", "classes"].map(|key| format!("/fields/{key}")),
    );
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    tried(&good, &places, "own.toml", |value| {
        fs::write(&path, toml::to_string(&toml::Table::try_from(value)?)?)?;
        let table = toml::Table::from_iter([
            ("name".to_owned(), toml::Value::from("custom")),
            (
                "file".to_owned(),
                toml::Value::from(path.display().to_string()),
            ),
        ]);
        spindle::task::kinds::parse(&table, "x.toml").map(drop)
    });
}

#[test]
fn of_records() {
    let record = json!({
        "input": "q", "context": "c", "answers": ["a"], "length": 1, "dataset": "d", "language": "en",
        "all_classes": null, "_id": "1",
    });
    let places = keys(&record);
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    tried(&record, &places, "f.jsonl:1", |value| {
        let line = value.to_string();
        read_lines(line.as_bytes(), "f.jsonl", "_id", &|line, _| {
            LongBenchRecord::parse(line)
        })
        .map(drop)
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.json");
    let squad = json!({"data": [{"paragraphs": [
        {"context": "c", "qas": [{"question": "q", "answers": [{"text": "c"}], "is_impossible": false}]}
    ]}]});
    let of_squad = [
        "/data",
        "/data/0/paragraphs",
        "/data/0/paragraphs/0/context",
        "/data/0/paragraphs/0/qas",
        "/data/0/paragraphs/0/qas/0/question",
        "/data/0/paragraphs/0/qas/0/is_impossible",
        "/data/0/paragraphs/0/qas/0/answers/0/text",
    ];
    tried(&squad, &of_squad, "q.json", |value| {
        fs::write(&path, value.to_string())?;
        read_squad(&path).map(drop)
    });
    let hotpot = json!({"of": [{"question": "q", "answer": "a", "context": [["t", ["s"]]]}]});
    tried(
        &hotpot,
        &["/of/0/question", "/of/0/answer", "/of/0/context"],
        "q.json",
        |value| {
            fs::write(&path, value["of"].to_string())?;
            read_hotpotqa(&path).map(drop)
        },
    );
}

#[test]
fn of_a_results_folder() {
    let folder = tempfile::tempdir().unwrap();
    let run = json!({
        "program_version": "1", "program_dirty": false, "command_line": [], "experiment": "x",
        "experiment_sha256": "0", "model": "m", "model_revision": "", "tokenizer_sha256": "0", "template_sha256": "0",
        "template_date": "2024-07-26", "data_sha256": [["a", "b"]], "templates": [], "left_out": [], "chance": [],
        "notes": [], "methods": [], "seed": 0, "kv_dtype": "f16", "device": "cpu", "threads": 1, "cpu": "c", "cores": 1,
        "memory_bytes": 1, "os": "o", "start": "s", "end": "e",
    });
    let places = keys(&run);
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    tried(&run, &places, "run.json", |value| {
        fs::write(folder.path().join("run.json"), value.to_string())?;
        Provenance::read(folder.path()).map(drop)
    });
}
