//! Token ids and chat prompts against other programs: llama.cpp, `transformers`, `tokenizers` and
//! SentencePiece. The values and their script are named in `golden/tokenizer.json`.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{self, Value as Gguf};
use serde_json::{Value, json};
use spindle::error::exit_code;
use spindle::model::chat::Message;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{DEFAULT_MODEL, SourceOptions, resolve};

fn golden() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/tokenizer.json");
    serde_json::from_reader(File::open(path).unwrap()).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_u64().unwrap() as u32)
        .collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn messages(value: &Value) -> Vec<Message> {
    let message = |pair: &Value| Message {
        role: text(&pair[0]).to_string(),
        content: text(&pair[1]).to_string(),
    };
    list(value).iter().map(message).collect()
}

fn load(path: &Path) -> anyhow::Result<ModelTokenizer> {
    let cache = tempfile::tempdir().unwrap();
    let options = SourceOptions {
        cache: Some(cache.path().to_path_buf()),
        ..SourceOptions::default()
    };
    ModelTokenizer::load(&resolve(&path.display().to_string(), &options)?)
}

fn default_model() -> ModelTokenizer {
    ModelTokenizer::load(&resolve(DEFAULT_MODEL, &SourceOptions::default()).unwrap()).unwrap()
}

/// A GGUF file with a tokenizer and no tensors.
fn write_gguf(dir: &Path, metadata: &[(&str, Gguf)]) -> PathBuf {
    let path = dir.join("model.gguf");
    let keys: Vec<_> = metadata
        .iter()
        .map(|(key, _)| format!("tokenizer.{key}"))
        .collect();
    let pairs: Vec<_> = keys
        .iter()
        .zip(metadata)
        .map(|(k, (_, v))| (k.as_str(), v))
        .collect();
    gguf_file::write(&mut File::create(&path).unwrap(), &pairs, &[]).unwrap();
    path
}

fn string(text: &str) -> Gguf {
    Gguf::String(text.to_string())
}

fn strings(value: &Value) -> Gguf {
    Gguf::Array(list(value).iter().map(|item| string(text(item))).collect())
}

#[test]
fn default_model_gives_the_ids_of_llama_cpp() {
    let (golden, tokenizer) = (&golden()["default_model"], default_model());
    for case in list(&golden["texts"]) {
        let source = text(&case["text"]);
        let found = tokenizer.encode(source, true).unwrap();
        assert_eq!(found, ids(&case["ids"]), "{source:?}");
        assert_eq!(
            tokenizer.decode(&found, true).unwrap(),
            text(&case["visible"]),
            "{source:?}"
        );
        assert_eq!(tokenizer.decode(&found, false).unwrap(), source);
    }
    // <|endoftext|> and <|im_end|>; <|im_start|> opens a turn.
    assert_eq!(tokenizer.stop_ids(), [0, 2]);
    assert_eq!(tokenizer.bos(), Some(1));
    assert_eq!(tokenizer.vocab_size(), 49_152);
    assert_eq!(
        tokenizer.sha256(),
        default_model().sha256(),
        "the digest is of the content"
    );
}

#[test]
fn default_model_renders_chats_as_transformers_does() {
    let (golden, tokenizer) = (&golden()["default_model"], default_model());
    assert!(tokenizer.has_chat_template());
    for case in list(&golden["chats"]) {
        let (chat, prompt) = (
            messages(&case["messages"]),
            case["prompt"].as_bool().unwrap(),
        );
        assert_eq!(
            tokenizer.render_chat(&chat, prompt).unwrap(),
            text(&case["text"])
        );
        assert_eq!(
            tokenizer.encode_chat(&chat, prompt).unwrap(),
            ids(&case["ids"])
        );
    }
}

/// A folder with a tokenizer of one word per token and these configuration files.
fn write_folder(dir: &Path, files: &[(&str, Value)]) {
    let added = |id: u32, content: &str, special: bool| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false,
               "rstrip": false, "normalized": false, "special": special})
    };
    let tokenizer = json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
        "padding": null, "normalizer": null, "decoder": null,
        "added_tokens": [added(0, "<s>", true), added(1, "</s>", true), added(2, "<|eot_id|>", true),
                         added(6, "<|im_end|>", false)],
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}},
        "model": {"type": "WordLevel", "unk_token": "?",
                  "vocab": {"<s>": 0, "</s>": 1, "<|eot_id|>": 2, "?": 3, "a": 4, "b": 5, "<|im_end|>": 6}},
    });
    let weights = ("model.safetensors", json!(""));
    let own = [
        ("tokenizer.json", tokenizer),
        ("config.json", json!({})),
        weights,
    ];
    for (name, value) in own.iter().chain(files) {
        let content = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_string);
        std::fs::write(dir.join(name), content).unwrap();
    }
}

#[test]
fn templates_render_as_in_transformers() {
    let golden = &golden()["default_model"];
    for case in list(&golden["templates"]) {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({
            "bos_token": golden["bos_token"],
            "eos_token": {"content": golden["eos_token"]},
            "chat_template": case["template"],
        });
        write_folder(folder.path(), &[("tokenizer_config.json", config)]);
        let tokenizer = load(folder.path()).unwrap();
        let result = tokenizer.render_chat(&messages(&case["messages"]), true);
        match case["text"].as_str() {
            Some(expected) => assert_eq!(result.unwrap(), expected, "{}", case["name"]),
            None => assert!(format!("{:#}", result.unwrap_err()).contains("system first")),
        }
    }
}

#[test]
fn folder_names_its_stop_tokens_and_template() {
    let folder = tempfile::tempdir().unwrap();
    write_folder(
        folder.path(),
        &[(
            "config.json",
            json!({"bos_token_id": 0, "eos_token_id": [1]}),
        )],
    );
    let plain = load(folder.path()).unwrap();
    // <|im_end|> is in this vocabulary, but not as a special token.
    assert_eq!((plain.bos(), plain.stop_ids()), (Some(0), &[1, 2][..]));
    assert!(!plain.has_chat_template());
    assert_eq!(
        plain
            .render_chat(&[Message::user("a"), Message::user("b")], true)
            .unwrap(),
        "a\nb"
    );
    assert_eq!(
        plain.encode_chat(&[Message::user("a b a")], true).unwrap(),
        [0, 4, 5, 4]
    );
    assert_eq!(
        plain.encode("a b a", false).unwrap(),
        [4, 5, 4],
        "truncation is off"
    );

    let named = json!([{"name": "tools", "template": "T"},
                       {"name": "default", "template": "{{ bos_token }}{{ messages[0].content }}"}]);
    let files = [
        (
            "tokenizer_config.json",
            json!({"bos_token": "<s>", "eos_token": "a", "chat_template": named}),
        ),
        ("generation_config.json", json!({"eos_token_id": 5})),
    ];
    write_folder(folder.path(), &files);
    let chat = load(folder.path()).unwrap();
    assert_eq!(chat.stop_ids(), [2, 4, 5]);
    assert_eq!(
        chat.encode_chat(&[Message::user("b")], true).unwrap(),
        [0, 5],
        "one BOS"
    );
    std::fs::write(folder.path().join("chat_template.jinja"), "from the file").unwrap();
    assert_eq!(
        load(folder.path()).unwrap().chat_template(),
        Some("from the file")
    );
    assert_eq!(chat.sha256(), plain.sha256());

    std::fs::write(folder.path().join("tokenizer.json"), "{}").unwrap();
    let error = load(folder.path()).err().unwrap();
    assert!(
        exit_code(&error) == 2
            && error
                .to_string()
                .contains("tokenizer.json: not a tokenizer")
    );
}

#[test]
fn gguf_splits_text_as_the_published_tokenizers_do() {
    let golden = &golden()["byte_level"];
    let folder = tempfile::tempdir().unwrap();
    let mut kinds = vec![Gguf::I32(1); list(&golden["tokens"]).len()];
    kinds[..2].fill(Gguf::I32(3));
    let base = HashMap::from([
        ("ggml.model", string("gpt2")),
        ("ggml.tokens", strings(&golden["tokens"])),
        ("ggml.token_type", Gguf::Array(kinds)),
        ("ggml.merges", strings(&golden["merges"])),
        ("ggml.bos_token_id", Gguf::U32(0)),
        ("ggml.eos_token_id", Gguf::U32(1)),
        ("ggml.eot_token_id", Gguf::U32(5)),
    ]);
    for (pre, cases) in golden["cases"].as_object().unwrap() {
        let mut metadata = base.clone();
        metadata.insert("ggml.pre", string(pre));
        let tokenizer = load(&write_gguf(folder.path(), &Vec::from_iter(metadata))).unwrap();
        for (source, expected) in list(&golden["texts"]).iter().zip(list(cases)) {
            let found = tokenizer.encode(text(source), false).unwrap();
            assert_eq!(found, ids(expected), "{pre}: {source}");
        }
        // Only llama.cpp's knowledge of the name says that Llama 3 starts with BOS.
        let bos: &[u32] = if pre == "llama-bpe" { &[0] } else { &[] };
        assert_eq!(tokenizer.encode("", true).unwrap(), bos, "{pre}");
        assert_eq!(tokenizer.stop_ids(), [1, 5]);
    }
    let mut metadata = base.clone();
    metadata.insert("ggml.pre", string("falcon"));
    let error = load(&write_gguf(folder.path(), &Vec::from_iter(metadata)))
        .err()
        .unwrap();
    assert_eq!(exit_code(&error), 2);
    assert!(
        format!("{error:#}").contains("tokenizer.ggml.pre is `falcon`, expected default, gpt-2")
    );
}

#[test]
fn gguf_user_defined_tokens_stay_visible() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = json!(["<|end|>", "<think>", "a", "b", "<", "t", "h"]);
    let kinds = [3, 4, 1, 1, 1, 1, 1].map(Gguf::I32).to_vec();
    let metadata = [
        ("ggml.model", string("gpt2")),
        ("ggml.pre", string("qwen2")),
        ("ggml.tokens", strings(&tokens)),
        ("ggml.token_type", Gguf::Array(kinds)),
        ("ggml.merges", Gguf::Array(Vec::new())),
    ];
    let tokenizer = load(&write_gguf(folder.path(), &metadata)).unwrap();
    let found = tokenizer.encode("a<think>b<|end|>", false).unwrap();
    assert_eq!(found, [2, 1, 3, 0]);
    assert_eq!(tokenizer.decode(&found, true).unwrap(), "a<think>b");
}

#[test]
fn gguf_sentencepiece_gives_the_ids_of_sentencepiece() {
    let golden = &golden()["sentencepiece"];
    let folder = tempfile::tempdir().unwrap();
    let number = |value: &Value| Gguf::F32(value.as_f64().unwrap() as f32);
    let kind = |value: &Value| Gguf::I32(value.as_i64().unwrap() as i32);
    let metadata = [
        ("ggml.model", string("llama")),
        ("ggml.tokens", strings(&golden["tokens"])),
        (
            "ggml.scores",
            Gguf::Array(list(&golden["scores"]).iter().map(number).collect()),
        ),
        (
            "ggml.token_type",
            Gguf::Array(list(&golden["kinds"]).iter().map(kind).collect()),
        ),
        ("ggml.bos_token_id", Gguf::U32(1)),
        ("ggml.eos_token_id", Gguf::U32(2)),
    ];
    let tokenizer = load(&write_gguf(folder.path(), &metadata)).unwrap();
    for case in list(&golden["texts"]) {
        let source = text(&case["text"]);
        let found = tokenizer.encode(source, true).unwrap();
        assert_eq!(found, ids(&case["ids"]), "{source:?}");
        assert_eq!(tokenizer.decode(&found, true).unwrap(), source);
    }
    assert_eq!((tokenizer.bos(), tokenizer.stop_ids()), (Some(1), &[2][..]));
}
