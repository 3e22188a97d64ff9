//! Every reader, with properties of what it reads: any bytes are read or refused by the name of their file, with exit
//! code 2;
//! what was written is read back.

use std::fs;
use std::path::Path;

use anyhow::Result;
use candle_core::{DType, Device};
use proptest::collection::vec;
use proptest::num;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use spindle::dataset::documents::{read_hotpotqa, read_squad};
use spindle::dataset::haystack::Haystack;
use spindle::dataset::longbench::{DataSource, LongBenchRecord, read_lines};
use spindle::dataset::texts::read_texts;
use spindle::experiment::{Experiment, ExperimentFile};
use spindle::files;
use spindle::load::load;
use spindle::model::chat::{ChatOptions, Message};
use spindle::model::config::DecoderConfig;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::model::weights::Weights;
use spindle::record::{RECORDS_FILE, Record, RecordWriter, read_layers, read_records};
use spindle::source::{ModelFiles, SourceOptions, resolve};
use tempfile::TempDir;

use crate::common::rule::accepted;
use crate::common::small;

/// What is done to a good file: bytes put in the place of others.
#[derive(Debug, Clone)]
struct Edit {
    at: Index,
    taken: usize,
    put: Vec<u8>,
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let put = prop_oneof![
        vec(any::<u8>(), 0..4),
        prop_oneof![
            Just("0"),
            Just("-1"),
            Just("1e309"),
            Just("null"),
            Just("\"\""),
            Just("[]"),
            Just("{}"),
            Just("\n"),
            Just("18446744073709551615"),
            Just("\u{feff}"),
            Just("{{"),
            Just("%}"),
            Just(","),
            Just("\"")
        ]
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    let edit = (any::<Index>(), prop_oneof![0..6usize, 0..400usize], put)
        .prop_map(|(at, taken, put)| Edit { at, taken, put });
    vec(edit, 1..4)
}

fn edited(good: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for edit in edits {
        let at = edit.at.index(bytes.len() + 1);
        let end = (at + edit.taken).min(bytes.len());
        bytes.splice(at..end, edit.put.iter().copied());
    }
    bytes
}

/// A good model, of which a test changes a file.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        small::write(folder.path()).unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    /// The files of a model in this folder.
    fn files(&self, name: &str) -> Result<ModelFiles> {
        let options = SourceOptions {
            cache: Some(self.path().join("cache")),
            offline: true,
            ..SourceOptions::default()
        };
        resolve(&self.path().join(name).display().to_string(), &options)
    }

    /// What [`read`](Self::read) gives, unless it is refused.
    fn accepted(&self, name: &str) -> Option<()> {
        accepted(self.read(name), self.path().to_str().unwrap())
    }

    /// Reads all of a model and its tokenizer, and uses both.
    fn read(&self, name: &str) -> Result<()> {
        let loaded = load(&self.files(name)?, &ChatOptions::default(), &Device::Cpu)?;
        loaded.tokenizer.encode("a b\n秘密 <s>", true)?;
        loaded.tokenizer.render_chat(&[Message::user("a")], true)?;
        Ok(())
    }
}

fn tokenizer() -> ModelTokenizer {
    ModelTokenizer::load(&Folder::new().files("").unwrap()).unwrap()
}

/// A sample whose texts are of any characters.
fn sample() -> impl Strategy<Value = LongBenchRecord> {
    let texts = (any::<String>(), any::<String>(), "[a-z]{1,3}\\PC*");
    (
        texts,
        0..9usize,
        proptest::option::of(vec(any::<String>(), 0..3)),
    )
        .prop_map(
            |((input, context, answer), length, all_classes)| LongBenchRecord {
                input,
                context,
                answers: vec![answer],
                length,
                dataset: "samples".into(),
                language: "en".into(),
                all_classes,
                id: String::new(),
                others: Default::default(),
            },
        )
}

/// A row whose texts are of any characters but the zero byte.
fn row() -> impl Strategy<Value = Record> {
    let texts = (any::<String>(), any::<String>(), any::<String>());
    // What no run comes to is refused: see the table of ranges in `record`.
    (texts, proptest::option::of(0.0..=1.0), 0..=1u64 << 50).prop_map(
        |((sample, settings, error), score, bytes_dense)| Record {
            sample,
            settings,
            error,
            score,
            bytes_dense,
            ..Record::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_gguf_file_is_read_or_refused(edits in edits(), llama in any::<bool>()) {
        let folder = Folder::new();
        let good = small::gguf(if llama { "llama" } else { "gpt2" }, &[]);
        folder.put("m.gguf", &edited(&good, &edits));
        folder.accepted("m.gguf");
    }

    /// Wherever it ends: all of the file is weights, or names of them.
    #[test]
    fn a_gguf_file_that_ends_early_is_refused(at in any::<Index>()) {
        let folder = Folder::new();
        let good = small::gguf("gpt2", &[]);
        folder.put("m.gguf", &good[..at.index(good.len() - 32)]);
        prop_assert!(folder.accepted("m.gguf").is_none());
    }

    #[test]
    fn any_safetensors_file_is_read_or_refused(edits in edits()) {
        let folder = Folder::new();
        let good = fs::read(folder.path().join("model.safetensors")).unwrap();
        folder.put("model.safetensors", &edited(&good, &edits));
        folder.accepted("");
    }

    #[test]
    fn a_safetensors_file_that_ends_early_is_refused(at in any::<Index>()) {
        let folder = Folder::new();
        let good = fs::read(folder.path().join("model.safetensors")).unwrap();
        folder.put("model.safetensors", &good[..at.index(good.len())]);
        prop_assert!(folder.accepted("").is_none());
    }

    #[test]
    fn weights_are_read_as_they_were_written(values in vec(num::f32::NORMAL | num::f32::ZERO | num::f32::SUBNORMAL, 8)) {
        let folder = Folder::new();
        let header = json!({"model.norm.weight": {"dtype": "F32", "shape": [8], "data_offsets": [0, 32]}});
        let mut file = small::safetensors(header.to_string().as_bytes(), 0);
        file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        folder.put("w.safetensors", &file);
        let weights = Weights::open_safetensors(&[folder.path().join("w.safetensors")]).unwrap();
        let tensor = weights.tensor("model.norm.weight", &[8], DType::F32, &Device::Cpu).unwrap();
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&tensor.to_vec1().unwrap()), bits(&values));
    }

    #[test]
    fn any_configuration_is_read_or_refused(edits in edits()) {
        let bytes = edited(small::config().to_string().as_bytes(), &edits);
        let text = String::from_utf8_lossy(&bytes);
        accepted(DecoderConfig::from_hf_json(&text, "config.json"), "config.json");
    }

    /// Each key with values of other types and sizes than are meant.
    #[test]
    fn any_value_of_a_configuration_is_read_or_refused(at in any::<Index>(), value in value()) {
        let mut config = small::config();
        let keys: Vec<String> = config.as_object().unwrap().keys().cloned().collect();
        config[at.get(&keys)] = value;
        let folder = Folder::new();
        folder.put("config.json", config.to_string().as_bytes());
        folder.accepted("");
    }

    #[test]
    fn any_tokenizer_is_read_or_refused(edits in edits()) {
        let folder = Folder::new();
        folder.put("tokenizer.json", &edited(small::tokenizer().to_string().as_bytes(), &edits));
        folder.accepted("");
    }

    #[test]
    fn any_settings_of_a_tokenizer_are_read_or_refused(edits in edits()) {
        let folder = Folder::new();
        folder.put("tokenizer_config.json", &edited(small::tokenizer_config().to_string().as_bytes(), &edits));
        folder.accepted("");
    }

    #[test]
    fn any_chat_template_is_rendered_or_refused(edits in edits()) {
        let folder = Folder::new();
        folder.put("chat_template.jinja", &edited(small::TEMPLATE.as_bytes(), &edits));
        folder.accepted("");
    }

    #[test]
    fn what_is_said_stands_in_the_conversation(text in "\\PC*") {
        let rendered = tokenizer().render_chat(&[Message::user(&text)], true).unwrap();
        prop_assert_eq!(rendered, format!("<s>user: {}</s>assistant: ", text.trim()));
    }

    #[test]
    fn any_lines_are_read_or_refused(edits in edits(), record in sample()) {
        let line = serde_json::to_string(&record).unwrap();
        let bytes = edited(format!("{line}\n{line}\n").as_bytes(), &edits);
        accepted(read_lines(&bytes, "f.jsonl", "_id", &|line, _| LongBenchRecord::parse(line)), "f.jsonl");
    }

    #[test]
    fn samples_are_read_as_they_were_written(records in vec(sample(), 1..4)) {
        let numbered = records.into_iter().zip(0..).map(|(record, id)| LongBenchRecord { id: format!("{id}"), ..record });
        let records: Vec<_> = numbered.collect();
        let lines: Vec<_> = records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
        let read = read_lines(lines.join("\n").as_bytes(), "f.jsonl", "_id", &|line, _| LongBenchRecord::parse(line)).unwrap();
        prop_assert_eq!(read.records, records);
        prop_assert!(read.left_out.is_empty());
    }

    #[test]
    fn any_questions_are_read_or_refused(edits in edits()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.json");
        let qas = json!([{"question": "q", "answers": [{"text": "a"}], "is_impossible": false}]);
        let squad = json!({"data": [{"paragraphs": [{"context": "c", "qas": qas}]}]});
        fs::write(&path, edited(squad.to_string().as_bytes(), &edits)).unwrap();
        accepted(read_squad(&path), "q.json");
        let hotpot = json!([{"question": "q", "answer": "a", "context": [["t", ["c"]]]}]);
        fs::write(&path, edited(hotpot.to_string().as_bytes(), &edits)).unwrap();
        accepted(read_hotpotqa(&path), "q.json");
    }

    #[test]
    fn any_archive_is_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.zip");
        fs::write(&path, [b"PK\x03\x04", &bytes[..]].concat()).unwrap();
        let source = DataSource::parse(&path.display().to_string()).unwrap();
        prop_assert!(accepted(source.read("samples", &|_| Ok(())), "d.zip").is_none());
    }

    #[test]
    fn any_text_is_a_haystack_or_refused(text in any::<String>(), n_tokens in 0..300usize) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.txt"), &text).unwrap();
        let name = folder.path().to_str().unwrap();
        let Some(texts) = accepted(read_texts(folder.path()), name) else { return Ok(()) };
        let Some(haystack) = accepted(Haystack::new(&texts.texts, &tokenizer()), "haystack") else { return Ok(()) };
        prop_assert!(haystack.slice(0, n_tokens).tokens.len() <= n_tokens);
        prop_assert_eq!(haystack.cut(n_tokens).tokens.len(), n_tokens);
    }

    #[test]
    fn any_rows_are_read_or_refused(edits in edits()) {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        let folder = tempfile::tempdir().unwrap();
        for name in ["records.csv", "layers.csv"] {
            let good = fs::read(fixtures.join(name)).unwrap();
            fs::write(folder.path().join(name), edited(&good[..6000], &edits)).unwrap();
        }
        accepted(read_records(folder.path()), "records.csv");
        accepted(read_layers(folder.path()), "layers.csv");
    }

    #[test]
    fn rows_are_read_as_they_were_written(record in row()) {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = RecordWriter::open(folder.path()).unwrap();
        writer.append(&record, &[]).unwrap();
        drop(writer);
        let rows = fs::read_to_string(folder.path().join(RECORDS_FILE)).unwrap();
        prop_assert_eq!(read_records(folder.path()).unwrap(), [record], "{}", rows);
    }

    #[test]
    fn any_experiment_is_read_or_refused(edits in edits(), at in any::<Index>()) {
        let known = spindle::experiment::built_in();
        let bytes = edited(at.get(&known).1.as_bytes(), &edits);
        let Some(text) = accepted(files::text(bytes, "e.toml"), "e.toml") else { return Ok(()) };
        let Some(file) = accepted(ExperimentFile::parse(&text, "e.toml"), "e.toml") else { return Ok(()) };
        accepted(Experiment::new(file, text, "e.toml"), "e.toml");
    }
}

/// Any JSON, two levels deep.
fn value() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0..70_000u64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let keys = prop_oneof![
        Just("factor"),
        Just("rope_type"),
        Just("type"),
        Just("rope_theta")
    ];
    prop_oneof![
        plain.clone(),
        vec(plain.clone(), 0..4).prop_map(Value::from),
        vec((keys, plain), 0..4).prop_map(|entries| {
            Value::Object(
                entries
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect(),
            )
        }),
    ]
}
