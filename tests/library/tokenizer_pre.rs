//! Byte-level tokenizers of GGUF files, by the name of their pre-tokenizer, against the published tokenizers and
//! llama.cpp. The values and their script are named in `golden/pre.json`.

use std::fs::File;
use std::path::Path;

use candle_core::quantized::gguf_file::{self, Value as Gguf};
use serde_json::Value;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{ModelFileKind, ModelFiles};

fn load(path: &Path, metadata: &[(&str, Gguf)]) -> anyhow::Result<ModelTokenizer> {
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    gguf_file::write(&mut File::create(path)?, &metadata, &[])?;
    ModelTokenizer::load(&ModelFiles {
        spec: "model".to_owned(),
        revision: String::new(),
        kind: ModelFileKind::Gguf(vec![path.to_owned()]),
    })
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

fn strings(value: &Value) -> Gguf {
    let list: Vec<String> = serde_json::from_value(value.clone()).unwrap();
    Gguf::Array(list.into_iter().map(Gguf::String).collect())
}

#[test]
fn names_split_as_they_do_elsewhere() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pre.json");
    let golden: Value = serde_json::from_reader(File::open(path).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let count = golden["tokens"].as_array().unwrap().len();
    let kinds = (0..count).map(|id| Gguf::I32(if id < 2 { 3 } else { 1 }));
    let base = vec![
        ("tokenizer.ggml.model", Gguf::String("gpt2".to_owned())),
        ("tokenizer.ggml.tokens", strings(&golden["tokens"])),
        ("tokenizer.ggml.merges", strings(&golden["merges"])),
        ("tokenizer.ggml.token_type", Gguf::Array(kinds.collect())),
        ("tokenizer.ggml.bos_token_id", Gguf::U32(0)),
        ("tokenizer.ggml.eos_token_id", Gguf::U32(1)),
    ];
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 9);
    for case in cases {
        let mut metadata = base.clone();
        if let Some(pre) = case["pre"].as_str() {
            metadata.push(("tokenizer.ggml.pre", Gguf::String(pre.to_owned())));
        }
        let tokenizer = load(&folder.path().join("model.gguf"), &metadata).unwrap();
        let texts = golden["texts"].as_array().unwrap();
        for (text, expected) in texts.iter().zip(case["ids"].as_array().unwrap()) {
            let found = tokenizer.encode(text.as_str().unwrap(), false).unwrap();
            assert_eq!(found, ids(expected), "{}: {text}", case["pre"]);
        }
        assert_eq!(
            tokenizer.opening(),
            ids(&case["opening"]),
            "{}",
            case["pre"]
        );
        // Nobody said how to split: worth a note.
        let noted = tokenizer
            .notes()
            .iter()
            .any(|note| note.contains("no tokenizer.ggml.pre"));
        assert_eq!(noted, case["pre"].is_null());
    }
    // What the file says stands over what its name stands for, and an id that is no token's is none.
    let mut metadata = base.clone();
    metadata.extend([
        ("tokenizer.ggml.pre", Gguf::String("llama3".to_owned())),
        ("tokenizer.ggml.add_bos_token", Gguf::Bool(false)),
        ("tokenizer.ggml.add_eos_token", Gguf::Bool(true)),
        ("tokenizer.ggml.padding_token_id", Gguf::U32(0)),
        ("tokenizer.ggml.eot_token_id", Gguf::U32(70_000)),
        (
            "tokenizer.chat_template",
            Gguf::String("{{ pad_token }}{{ sep_token }}".to_owned()),
        ),
        ("tokenizer.chat_template.rag", Gguf::String("R".to_owned())),
        (
            "tokenizer.chat_templates",
            Gguf::Array(vec![Gguf::String("rag".to_owned())]),
        ),
    ]);
    let tokenizer = load(&folder.path().join("model.gguf"), &metadata).unwrap();
    assert_eq!(
        (tokenizer.opening(), tokenizer.closing()),
        (&[][..], &[1][..])
    );
    assert_eq!(tokenizer.stop_ids(), [1]);
    let left_out = "tokenizer.ggml.eot_token_id is 70000, which none of";
    let notes = tokenizer.notes();
    assert!(
        notes.iter().any(|note| note.contains(left_out)),
        "{notes:?}"
    );
    assert_eq!(tokenizer.render_chat(&[], true).unwrap(), "<|bos|>");
}
