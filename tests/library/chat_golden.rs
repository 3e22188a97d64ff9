//! Chat templates against Python `transformers`. The values and their script are named in `golden/templates.json`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use spindle::model::chat::Message;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{SourceOptions, resolve};

/// What a folder with this template makes of `messages`.
fn rendered(template: &str, messages: &Value) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let tokenizer = json!({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": []}});
    for (name, content) in [
        ("config.json", json!({"model_type": "llama"})),
        ("model.safetensors", json!("")),
        ("tokenizer.json", tokenizer),
        ("tokenizer_config.json", json!({"chat_template": template})),
    ] {
        fs::write(folder.path().join(name), content.to_string())?;
    }
    let options = SourceOptions {
        cache: Some(folder.path().join("cache")),
        ..SourceOptions::default()
    };
    let files = resolve(&folder.path().display().to_string(), &options)?;
    let messages: Vec<_> = messages
        .as_array()
        .expect("a list")
        .iter()
        .map(|message| Message {
            role: message["role"].as_str().expect("a role").to_owned(),
            content: message["content"].as_str().expect("a text").to_owned(),
        })
        .collect();
    ModelTokenizer::load(&files)?.render_chat(&messages, false)
}

#[test]
fn templates_render_as_in_jinja() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/templates.json");
    let golden: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let mut others = Vec::new();
    for case in golden["templates"].as_array().unwrap() {
        let made = rendered(case["template"].as_str().unwrap(), &golden["messages"]);
        let made = made.unwrap_or_else(|error| format!("{error:#}"));
        if made != case["text"].as_str().unwrap() {
            others.push(format!(
                "{}\n  {made:?}\n  {:?}",
                case["name"], case["text"]
            ));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
}
