//! Models that cannot be loaded.

use std::fs::{self, File};
use std::io::Read;

use candle_core::quantized::gguf_file::{Value, write};
use spindle::source::{DEFAULT_MODEL, SourceOptions, resolve};

use crate::common::small;
use crate::world::World;

fn refused(world: &World, model: &str, says: &[&str]) {
    world.refused(&["eval", "tiny.toml", "--model", model], says);
}

#[test]
fn what_is_no_model() {
    let world = World::new();
    world.write("text.gguf", "version https://git-lfs");
    for model in ["nonsense", "./absent", "absent.gguf", "a/b/c/d", "wheel:x"] {
        refused(&world, model, &[model, "expected"]);
        world.refused(&["fetch", model], &[model, "expected"]);
    }
    refused(&world, "text.gguf", &["text.gguf", "not a GGUF file"]);
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let path = world.path("model").join(file);
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        refused(&world, "model", &["model", &format!("no {file}")]);
        fs::write(&path, bytes).unwrap();
    }
    fs::rename(world.path("model/model.safetensors"), world.path("whole")).unwrap();
    world.write("model/adapter_config.json", "{}");
    refused(
        &world,
        "model",
        &[
            "model: no model.safetensors",
            "an adapter (LoRA) is not read by itself",
        ],
    );
    fs::rename(world.path("whole"), world.path("model/model.safetensors")).unwrap();
    let short = crate::world::EXPERIMENT.replace("[model]", "[model]\nsha256 = 'b179c952...'");
    world.write("short.toml", short);
    world.refused(
        &["eval", "short.toml", "--dry-run"],
        &["short.toml: model.sha256 = \"b179c952...\": expected 64 hexadecimal digits"],
    );
    world.write(
        "sum.toml",
        crate::world::EXPERIMENT.replace(
            "[model]",
            &format!("[model]\nsha256 = '{}'", "0".repeat(64)),
        ),
    );
    world.refused(
        &["eval", "sum.toml"],
        &["model.safetensors", "SHA-256", &"0".repeat(64)],
    );
}

#[test]
fn damaged_safetensors() {
    let world = World::new();
    let path = world.path("model/model.safetensors");
    let bytes = fs::read(&path).unwrap();
    for length in [0, 4, 100, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&path, &bytes[..length]).unwrap();
        refused(
            &world,
            "model",
            &["model/model.safetensors", "expected a complete"],
        );
    }
    fs::write(&path, &bytes).unwrap();
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        let name = format!("model/{file}");
        let text = world.read(&name);
        world.write(&name, &text.as_bytes()[..text.len() / 2]);
        refused(&world, "model", &[&name]);
        world.write(&name, text);
    }
}

#[test]
fn configurations_that_do_not_fit() {
    let world = World::new();
    let text = world.read("model/config.json");
    for (old, new, says) in [
        (
            "\"llama\"",
            "\"mamba\"",
            &["model_type is \"mamba\"", "expected llama, mistral"][..],
        ),
        (
            "\"silu\"",
            "\"gelu\"",
            &["hidden_act is \"gelu\"", "expected silu"],
        ),
        (
            "\"head_dim\":16",
            "\"head_dim\":\"x\"",
            &["head_dim is \"x\"", "whole number"],
        ),
        ("\"hidden_size\":64,", "", &["hidden_size is missing"]),
    ] {
        assert!(text.contains(old), "{old} in {text}");
        world.write("model/config.json", text.replacen(old, new, 1));
        let says = [&["model/config.json"][..], says].concat();
        refused(&world, "model", &says);
    }
    let wider = text.replacen("\"intermediate_size\":96", "\"intermediate_size\":97", 1);
    world.write("model/config.json", wider);
    refused(
        &world,
        "model",
        &["model.safetensors", "has shape [96, 64], expected [97, 64]"],
    );
}

#[test]
fn damaged_gguf() {
    let world = World::new();
    let files = resolve(DEFAULT_MODEL, &SourceOptions::default()).unwrap();
    let mut start = Vec::new();
    let file = File::open(&files.kind.weights()[0]).unwrap();
    file.take(4 << 20).read_to_end(&mut start).unwrap();
    for length in [4, 20, 1000, 200_000, start.len()] {
        world.write("cut.gguf", &start[..length]);
        refused(
            &world,
            "cut.gguf",
            &["cut.gguf", &format!("{length} bytes")],
        );
    }
    fs::remove_file(world.path("cut.gguf")).unwrap();

    let mut made = File::create(world.path("mamba.gguf")).unwrap();
    let mamba = Value::String("mamba".into());
    write(&mut made, &[("general.architecture", &mamba)], &[]).unwrap();
    let says = ["mamba.gguf", "general.architecture", "mamba", "llama"];
    refused(&world, "mamba.gguf", &says);
    let mut made = File::create(world.path("zero.gguf")).unwrap();
    write(&mut made, &[("general.alignment", &Value::U32(0))], &[]).unwrap();
    refused(&world, "zero.gguf", &["zero.gguf", "general.alignment"]);
}

/// The metadata of a tokenizer by llama.cpp's types, with and without a backtrace in candle's errors.
#[test]
fn keys_of_a_gguf_tokenizer_that_are_wrong() {
    let world = World::new();
    let texts = |texts: &[&str]| {
        let texts = texts.iter().map(|text| Value::String((*text).into()));
        Value::Array(texts.collect())
    };
    let text = || Value::String("false".into());
    for (tokenizer, key, value, says) in [
        (
            "llama",
            "add_bos_token",
            text(),
            " is `false`, expected true or false",
        ),
        (
            "llama",
            "add_bos_token",
            Value::U8(0),
            " is 0, expected true or false",
        ),
        (
            "llama",
            "add_space_prefix",
            Value::U8(0),
            " is 0, expected true or false",
        ),
        (
            "llama",
            "bos_token_id",
            Value::U32(99_999),
            " is 99999, expected the id of one of",
        ),
        (
            "gpt2",
            "eot_token_id",
            text(),
            " is `false`, expected the id of a token",
        ),
        (
            "llama",
            "token_type",
            texts(&["1"]),
            "[0] is `1`, expected an array of whole numbers",
        ),
        (
            "llama",
            "scores",
            Value::Array(vec![Value::F32(f32::NAN)]),
            "[0] is NaN, expected an array of finite",
        ),
        (
            "llama",
            "scores",
            Value::Array(vec![Value::F64(0.5)]),
            "[0] is 0.5, of type f64",
        ),
        (
            "gpt2",
            "tokens",
            Value::Array(vec![Value::I32(3)]),
            "[0] is 3, expected an array of texts",
        ),
        (
            "gpt2",
            "merges",
            Value::Array(vec![Value::I32(3)]),
            "[0] is 3, expected an array of texts",
        ),
        (
            "gpt2",
            "tokens",
            Value::U32(3),
            " is 3, expected an array of texts",
        ),
        ("gpt2", "pre", Value::U32(3), " is 3, expected a text"),
        ("gpt2", "model", Value::U32(3), " is 3, expected a text"),
    ] {
        let key = format!("tokenizer.ggml.{key}");
        world.write("wrong.gguf", small::gguf(tokenizer, &[(&key, value)]));
        let says = ["wrong.gguf", &format!("{key}{says}")];
        refused(&world, "wrong.gguf", &says);
    }
    let spaces = [
        (
            "tokenizer.ggml.tokens",
            texts(&["<unk>", "<s>", "</s>", "▁", "a", "▁▁"]),
        ),
        (
            "tokenizer.ggml.scores",
            Value::Array(vec![Value::F32(0.0); 6]),
        ),
        (
            "tokenizer.ggml.token_type",
            Value::Array([2, 3, 3, 1, 1, 4].map(Value::I32).to_vec()),
        ),
    ];
    world.write("wrong.gguf", small::gguf("llama", &spaces));
    refused(
        &world,
        "wrong.gguf",
        &[
            "wrong.gguf",
            "its user-defined piece `▁▁` is of spaces alone",
        ],
    );
    let template = [("tokenizer.chat_template", Value::U32(3))];
    world.write("wrong.gguf", small::gguf("gpt2", &template));
    refused(
        &world,
        "wrong.gguf",
        &["tokenizer.chat_template is 3, expected a text"],
    );
}

/// A description is parsed into values that take many times the memory of its text.
#[test]
fn descriptions_that_are_too_long() {
    let world = World::new();
    let long = format!("{{\"a\":[{}0]}}", "0,".repeat(5 << 20));
    for name in [
        "config.json",
        "generation_config.json",
        "tokenizer_config.json",
        "added_tokens.json",
    ] {
        let name = format!("model/{name}");
        let old = world.path(&name).exists().then(|| world.read(&name));
        world.write(&name, &long);
        refused(
            &world,
            "model",
            &[&name, "10485769 bytes, expected at most 8388608"],
        );
        match old {
            Some(old) => world.write(&name, old),
            None => fs::remove_file(world.path(&name)).unwrap(),
        }
    }
    world.write("long.toml", &long);
    world.refused(&["eval", "long.toml"], &["long.toml: 10485769 bytes"]);
    let templates = [
        "eval",
        "longbench",
        "--model",
        "model",
        "--templates",
        "long.json",
    ];
    world.write("long.json", &long);
    world.refused(&templates, &["long.json: 10485769 bytes"]);
}

#[test]
fn prompts_that_do_not_fit() {
    let world = World::new();
    let eval = |lengths: &str, says: &[&str]| {
        world.refused(&["eval", "tiny.toml", "--lengths", lengths], says);
    };
    eval("2000", &["tiny", "needle", "2000", "context of 1024"]);
    eval("500,1020", &["tiny", "needle", "1020", "context of 1024"]);
    eval("500,50", &["tiny", "needle", "50", "too short"]);
}
