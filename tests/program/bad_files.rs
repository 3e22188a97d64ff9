//! Models that cannot be loaded.

use std::fs::{self, File};
use std::io::Read;

use candle_core::quantized::gguf_file::{Value, write};
use spindle::source::{DEFAULT_MODEL, SourceOptions, resolve};

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
