//! Tokenizers as people save them, against Python `transformers` and SentencePiece. The values and their script are
//! named in `golden/folders.json`.

use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value, json};
use spindle::error::exit_code;
use spindle::model::chat::{ChatOptions, Message};
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{SourceOptions, resolve};
use spindle::task::kinds;

static GOLDEN: LazyLock<Value> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/folders.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
});

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

/// Writes a folder's files: JSON, or text as it is. A tokenizer.json that is null is the one that most have.
fn write(folder: &Path, files: &Map<String, Value>) {
    fs::write(folder.join("config.json"), r#"{"model_type": "llama"}"#).unwrap();
    fs::write(folder.join("model.safetensors"), "").unwrap();
    for (name, content) in files {
        let content = match content.is_null() {
            true => &GOLDEN["tokenizer.json"],
            false => content,
        };
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let content = content
            .as_str()
            .map_or_else(|| content.to_string(), str::to_owned);
        fs::write(path, content).unwrap();
    }
}

fn load_with(folder: &Path, chat: &ChatOptions) -> anyhow::Result<ModelTokenizer> {
    let cache = tempfile::tempdir()?;
    let options = SourceOptions {
        cache: Some(cache.path().to_path_buf()),
        ..SourceOptions::default()
    };
    ModelTokenizer::load_with(&resolve(&folder.display().to_string(), &options)?, chat)
}

fn load(folder: &Path) -> anyhow::Result<ModelTokenizer> {
    load_with(folder, &ChatOptions::default())
}

/// The tokenizer of a folder with these files beside the usual tokenizer.json.
fn made(files: Value) -> anyhow::Result<ModelTokenizer> {
    let folder = tempfile::tempdir()?;
    let mut all = Map::from_iter([("tokenizer.json".to_owned(), Value::Null)]);
    all.extend(files.as_object().unwrap().clone());
    write(folder.path(), &all);
    load(folder.path())
}

#[test]
fn folders_give_the_ids_and_chats_of_transformers() {
    let folders = list(&GOLDEN["folders"]);
    assert!(folders.len() > 20);
    for case in folders {
        let name = text(&case["name"]);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), case["files"].as_object().unwrap());
        let tokenizer = load(folder.path()).unwrap_or_else(|error| panic!("{name}: {error:#}"));
        for case in list(&case["texts"]) {
            let source = text(&case["text"]);
            let found = tokenizer.encode(source, false).unwrap();
            assert_eq!(found, ids(&case["ids"]), "{name}: {source:?}");
            let around = [
                &tokenizer.encode(source, true).unwrap(),
                tokenizer.closing(),
            ]
            .concat();
            assert_eq!(around, ids(&case["around"]), "{name}: {source:?}");
            let (with_spans, spans) = tokenizer.encode_spans(source, true).unwrap();
            assert_eq!(with_spans, tokenizer.encode(source, true).unwrap());
            assert_eq!(spans.len(), with_spans.len());
            let decoded = tokenizer.decode_cleaned(&found).unwrap();
            assert_eq!(decoded, text(&case["decoded"]), "{name}: {source:?}");
        }
        for case in list(&case["chats"]) {
            let chat = ChatOptions {
                template: case["which"].as_str().map(str::to_owned),
                arguments: case["arguments"].as_object().unwrap().clone(),
                ..ChatOptions::default()
            };
            let tokenizer = load_with(folder.path(), &chat).unwrap();
            let message = |pair: &Value| Message {
                role: text(&pair[0]).to_owned(),
                content: text(&pair[1]).to_owned(),
            };
            let messages: Vec<_> = list(&case["messages"]).iter().map(message).collect();
            let prompt = case["prompt"].as_bool().unwrap();
            let rendered = tokenizer.render_chat(&messages, prompt).unwrap();
            assert_eq!(rendered, text(&case["text"]), "{name}");
            assert_eq!(
                tokenizer.encode_chat(&messages, prompt).unwrap(),
                ids(&case["ids"]),
                "{name}"
            );
        }
    }
}

#[test]
fn a_lone_tokenizer_model_gives_the_ids_of_sentencepiece() {
    let golden = &GOLDEN["sentencepiece"];
    let model: Vec<u8> = text(&golden["model"])
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let folder = tempfile::tempdir().unwrap();
    for (kind, config) in [("legacy", json!({})), ("first", json!({"legacy": false}))] {
        let mut config = config;
        config["add_bos_token"] = true.into();
        let files = Map::from_iter([("tokenizer_config.json".to_owned(), config)]);
        write(folder.path(), &files);
        fs::write(folder.path().join("tokenizer.model"), &model).unwrap();
        let tokenizer = load(folder.path()).unwrap();
        for case in list(&golden[kind]) {
            let source = text(&case["text"]);
            let found = tokenizer.encode(source, false).unwrap();
            assert_eq!(found, ids(&case["ids"]), "{kind}: {source:?}");
            if kind == "legacy" {
                assert_eq!(tokenizer.decode(&found, true).unwrap(), source);
            }
        }
        assert_eq!((tokenizer.bos(), tokenizer.stop_ids()), (Some(1), &[2][..]));
        assert_eq!(
            (tokenizer.opening(), tokenizer.closing()),
            (&[1][..], &[][..])
        );
    }
    // Llama 3's is of another kind, and there are models that split otherwise.
    for bytes in ["IQ== 0\nIg== 1\n".as_bytes(), b"", &model[..40]] {
        fs::write(folder.path().join("tokenizer.model"), bytes).unwrap();
        let error = load(folder.path()).err().unwrap();
        assert_eq!(exit_code(&error), 2);
        assert!(
            error.to_string().contains("tokenizer.model: ")
                && error.to_string().contains("save_pretrained"),
            "{error}"
        );
    }
}

#[test]
fn ids_that_files_disagree_on_are_refused_or_noted() {
    let token = |content: &str| json!({"content": content, "special": true});
    let size = GOLDEN["tokenizer.json"]["model"]["vocab"]
        .as_object()
        .unwrap()
        .len();
    let decoder = |id: usize, content: &str| {
        made(
            json!({"tokenizer_config.json": {"added_tokens_decoder": {id.to_string(): token(content)}}}),
        )
    };
    let error = decoder(size + 7, "<x>").err().unwrap();
    let says = format!(
        "added_tokens_decoder: `<x>` has id {}, expected {size}",
        size + 7
    );
    assert!(
        exit_code(&error) == 2 && error.to_string().contains(&says),
        "{error}"
    );
    let tokenizer = decoder(size, "<x>").unwrap();
    assert_eq!(tokenizer.encode("<x>", false).unwrap(), [size as u32]);
    assert!(tokenizer.notes().is_empty());
    let tokenizer = decoder(3, "A").unwrap();
    assert!(
        tokenizer.notes()[0].contains("gives `A` the id 3"),
        "{:?}",
        tokenizer.notes()
    );
    for (files, says) in [
        (
            json!({"tokenizer_config.json": {"bos_token": 7}}),
            "tokenizer_config.json: bos_token is 7",
        ),
        (
            json!({"tokenizer_config.json": {"added_tokens_decoder": [1]}}),
            "added_tokens_decoder is [1], expected an object",
        ),
        (
            json!({"tokenizer_config.json": {"added_tokens_decoder": {"x": {}}}}),
            "added_tokens_decoder.x: expected an id",
        ),
        (
            json!({"tokenizer_config.json": {"additional_special_tokens": [null]}}),
            "additional_special_tokens is null",
        ),
        (
            json!({"added_tokens.json": {"<x>": "1"}}),
            "added_tokens.json: `<x>` is \"1\", expected the id",
        ),
        (
            json!({"special_tokens_map.json": []}),
            "special_tokens_map.json: not a JSON object",
        ),
        (
            json!({"chat_template.json": {"chat_template": 1}}),
            "chat_template.json: chat_template is a number",
        ),
    ] {
        let error = made(files).err().expect(says);
        assert!(
            exit_code(&error) == 2 && error.to_string().contains(says),
            "{error}"
        );
    }
    for name in ["messages", "add_generation_prompt", "tools", "documents"] {
        let config = json!({"extra_special_tokens": {name: "<x>"}, "chat_template": "T"});
        let error = made(json!({"tokenizer_config.json": config}))
            .err()
            .unwrap();
        let says = format!("chat_template: a special token is called {name}");
        assert!(
            exit_code(&error) == 2 && error.to_string().contains(&says),
            "{error}"
        );
    }
    let fallback = made(json!({"chat_template.json": {"chat_template": "J"}})).unwrap();
    assert_eq!(fallback.chat_template(), Some("J"));
}

/// Where `add_prefix_space` and the tokenizer's own file differ, transformers 5 follows the key for some classes, and the
/// file for all others.
#[test]
fn a_space_before_a_text_is_not_said_twice() {
    let meta = |scheme: &str| json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false});
    let bytes = |space: bool| {
        json!({"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true},
            {"type": "ByteLevel", "add_prefix_space": space, "trim_offsets": true, "use_regex": true}]})
    };
    let (llama, gpt2, qwen2) = ("LlamaTokenizerFast", "GPT2Tokenizer", "Qwen2Tokenizer");
    let says = |wanted: bool| format!("tokenizer_config.json: add_prefix_space is {wanted}, ");
    // What is refused, what is noted, and what is the same twice: kind of model, class, the file's step, key.
    for (kind, class, step, wanted, refused) in [
        ("llama", gpt2, bytes(false), true, Some(true)),
        ("llama", gpt2, bytes(true), false, Some(true)),
        ("llama", gpt2, bytes(true), true, None),
        ("llama", gpt2, bytes(false), false, None),
        ("llama", llama, bytes(false), true, Some(false)),
        ("llama", llama, meta("never"), true, Some(true)),
        ("llama", llama, meta("first"), false, Some(true)),
        ("llama", llama, meta("always"), true, None),
        (
            "llama",
            "PreTrainedTokenizerFast",
            meta("first"),
            false,
            Some(false),
        ),
        ("llama", "", bytes(false), true, Some(false)),
        ("mistral", llama, meta("first"), false, Some(false)),
        (
            "qwen2",
            "PreTrainedTokenizerFast",
            bytes(false),
            true,
            Some(true),
        ),
        (
            "qwen3",
            "PreTrainedTokenizerFast",
            bytes(false),
            true,
            Some(false),
        ),
        ("qwen3", "", bytes(false), true, Some(true)),
        ("qwen3", qwen2, bytes(false), true, Some(true)),
    ] {
        let mut tokenizer = GOLDEN["tokenizer.json"].clone();
        tokenizer["pre_tokenizer"] = step.clone();
        let class = Some(class).filter(|class| !class.is_empty());
        let loaded = made(json!({
            "config.json": {"model_type": kind}, "tokenizer.json": tokenizer,
            "tokenizer_config.json": {"tokenizer_class": class, "add_prefix_space": wanted},
        }));
        let case = format!("{kind} {class:?} {step} {wanted}");
        match (loaded, refused) {
            (Ok(tokenizer), None) => assert!(tokenizer.notes().is_empty(), "{case}"),
            (Ok(tokenizer), Some(false)) => {
                assert!(tokenizer.notes()[0].contains(&says(wanted)), "{case}");
            }
            (Err(error), Some(true)) => {
                let said = exit_code(&error) == 2 && error.to_string().contains(&says(wanted));
                assert!(said, "{case}: {error}");
            }
            (Ok(_), Some(true)) => panic!("{case}: taken"),
            (Err(error), _) => panic!("{case}: {error}"),
        }
    }
}

#[test]
fn tokens_that_the_model_has_no_embedding_for_are_refused_where_they_stand() {
    let config = json!({"tokenizer_config.json": {"pad_token": "<pad>"}});
    let mut tokenizer = made(config).unwrap();
    let size = tokenizer.vocab_size();
    tokenizer.set_embedding_rows(size).unwrap();
    assert!(tokenizer.encode("a<pad>", false).is_ok());
    tokenizer.set_embedding_rows(size - 1).unwrap();
    assert!(tokenizer.encode("a", false).is_ok());
    let error = tokenizer.encode_spans("a<pad>", false).unwrap_err();
    let says = format!("1 token id ({}) beyond the {} rows", size - 1, size - 1);
    assert!(
        exit_code(&error) == 2 && error.to_string().contains(&says),
        "{error}"
    );
}

/// A tokenizer that closes texts makes the prompts of one that does not.
#[test]
fn no_prompt_holds_the_token_that_ends_a_text() {
    let closing = list(&GOLDEN["folders"]).iter();
    let closing = closing.filter(|case| case["name"] == "closes with an end token");
    let files = closing
        .map(|case| case["files"].as_object().unwrap())
        .next()
        .unwrap();
    let mut open = files.clone();
    let single = open["tokenizer.json"]["post_processor"]["single"]
        .as_array_mut()
        .unwrap();
    assert_eq!(single.pop().unwrap()["SpecialToken"]["id"], "</s>");
    let tables = [
        "name = 'needle'\nlengths = [2000]\ndepths = [50]\ndistractors = [2]",
        "name = 'needle'\nlengths = [2000]\ndepths = [100]\ncue = false",
        "name = 'needle-published'\nlengths = [1500]\ndepths = [50]",
        "name = 'needle-original'\nlengths = [1500]\ndepths = [50]",
        "name = 'perplexity'\nat = [200, 400]\ncontinuation = 50\nsamples = 2",
        "name = 'ruler'\ntasks = ['vt', 'niah_single_2']\nlengths = [6000]\nseeds = 1",
        "name = 'mini-qa'\nlengths = [3000]\nsamples = 1",
    ];
    for template in [true, false] {
        let tokenizer = |files: &Map<String, Value>| {
            let folder = tempfile::tempdir().unwrap();
            let mut files = files.clone();
            if !template {
                let config = files["tokenizer_config.json"].as_object_mut().unwrap();
                config.remove("chat_template").unwrap();
            }
            write(folder.path(), &files);
            Arc::new(load(folder.path()).unwrap())
        };
        let (closed, open) = (tokenizer(files), tokenizer(&open));
        let [end] = *closed.closing() else {
            panic!("{:?}", closed.closing())
        };
        assert_eq!(
            (closed.opening(), open.closing()),
            (open.opening(), &[][..])
        );
        for table in tables {
            let table: toml::Table = toml::from_str(table).unwrap();
            let spec =
                kinds::parse(&table, "x").unwrap_or_else(|error| panic!("{table}: {error:#}"));
            let build = |tokenizer: &Arc<ModelTokenizer>| {
                let built = spec.build(tokenizer, 50_000, 0);
                built.unwrap_or_else(|error| panic!("{table}: {error:#}"))
            };
            let mut samples = 0;
            for (a, b) in build(&closed).iter().zip(build(&open)) {
                for i in 0..a.task.len() {
                    let (a, b) = (a.task.sample(i).unwrap(), b.task.sample(i).unwrap());
                    assert_eq!(a.context, b.context, "{table}");
                    assert_eq!(a.question, b.question, "{table}");
                    assert_eq!(a.reference, b.reference, "{table}");
                    assert!(
                        !a.context.contains(&end) && !a.question.contains(&end),
                        "{table}"
                    );
                    samples += 1;
                }
            }
            assert!(samples > 0, "{table}");
        }
    }
}
