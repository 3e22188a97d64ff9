//! Samples, texts, and rows of results.

use std::io::{Cursor, Write};

use anyhow::Result;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

pub fn jsonl() -> Result<Vec<Vec<u8>>> {
    let record = |id: &str| {
        json!({"input": "Who?", "context": "A text.\n", "answers": ["a", "b"], "length": 3, "dataset": "samples",
               "language": "en", "all_classes": null, "_id": id})
    };
    let lines = format!("{}\n\r\n{}\n", record("1"), record("2"));
    let squad = json!({"version": "1.1", "data": [{"title": "t", "paragraphs": [{"context": "A text.", "qas": [
        {"id": "1", "question": "Who?", "answers": [{"text": "a", "answer_start": 0}], "is_impossible": false}]}]}]});
    let hotpot = json!([{"_id": "1", "question": "Who?", "answer": "a", "type": "bridge", "level": "hard",
                         "supporting_facts": [["t", 0]], "context": [["t", ["A text.", "B."]], ["u", ["C."]]]}]);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    archive.start_file("data/samples.jsonl", SimpleFileOptions::default())?;
    archive.write_all(lines.as_bytes())?;
    let archive = archive.finish()?.into_inner();
    let classes = record("3").to_string().replace("null", "[\"x\", \"y\"]");
    Ok(vec![
        lines.clone().into_bytes(),
        format!("\u{feff}{lines}").into_bytes(),
        classes.into_bytes(),
        br#"{"text": "A text.", "input": "Who?", "right": ["a", 1]}"#.to_vec(),
        squad.to_string().into_bytes(),
        hotpot.to_string().into_bytes(),
        archive,
    ])
}

pub fn haystacks() -> Vec<Vec<u8>> {
    let texts = [
        "One sentence. Another one! A third?\n\nA paragraph with \"quotes.\" And 3.14 numbers, e.g. this.\0Second text.",
        "a text without any end of a sentence\0another",
        "这是一个句子。这是另一个！还有吗？\0Über Größe. 秘密。",
        "\u{feff}# Title\r\n\r\n- item one.\r\n- item two.\r\n\0",
        "\0\0{\"text\": \"One sentence. Another one!\"}",
        "a.\0b.\0{\"text\": \"One.\"}\n{\"text\": \"Two.\", \"id\": 2}\n",
    ];
    texts.map(|text| text.as_bytes().to_vec()).to_vec()
}

/// Rows of the two tables, by the columns that they may have.
pub fn rows() -> Vec<Vec<u8>> {
    let cell = |method: &str, settings: &str, score: &str, retention: &str| {
        let given = [
            ("experiment", "e"),
            ("model", "m"),
            ("model_revision", "r"),
            ("dtype", "f16"),
            ("device", "cpu"),
            ("task", "needle"),
            ("task_version", "1"),
            ("sample", "length=512;depth=50;seed=0"),
            ("method", method),
            ("settings", settings),
            ("compress_at", "prompt"),
            ("prompt_tokens", "512"),
            ("entries", "100"),
            ("bytes_dense", "4096"),
            ("bytes_held", "1024"),
            ("retention", retention),
            ("metric", "recall"),
            ("score", score),
            ("nll", "0.5"),
            ("kl", "0.1"),
            ("program_version", "0.1.0"),
        ];
        line(
            &serde_json::to_value(spindle::record::Record::default()),
            &given,
        )
    };
    let layer = |layer: &str, method: &str| {
        let given = [
            ("model", "m"),
            ("dtype", "f16"),
            ("compress_at", "prompt"),
            ("method", method),
            ("task", "needle"),
            ("sample", "length=512;depth=50;seed=0"),
            ("layer", layer),
            ("entries", "50"),
            ("bytes_dense", "2048"),
            ("bytes_entries", "512"),
            ("bytes_codewords", "64"),
            ("bytes_indices", "8"),
            ("bytes_magnitudes", "8"),
            ("bytes_positions", "8"),
            ("bytes_lists", "8"),
            ("r1", "0.5"),
        ];
        line(
            &serde_json::to_value(spindle::record::LayerRecord::default()),
            &given,
        )
    };
    let (full, kept) = (
        cell("full", "", "1", "1"),
        cell("snapkv", "retention=0.25", "0.5", "0.25"),
    );
    let other = cell("snapkv", "retention=0.5", "0", "0.5").replace("depth=50", "depth=0");
    let layers = layer("0", "full") + &layer("1", "full") + &layer("0", "snapkv");
    [
        format!("{full}{kept}{other}\0{layers}"),
        format!("{full}\0"),
        format!("{kept}{}\0{layers}", full.replace("512", "1024")),
        format!(
            "{}{full}\0",
            kept.replace(",0.1.0,", ",0.1.0,\"failed, \"\"so\"\"\nit is\"")
        ),
    ]
    .map(String::into_bytes)
    .to_vec()
}

/// What figures are drawn of: numbers of usual sizes, as they lie in memory.
pub fn numbers() -> Vec<Vec<u8>> {
    let of = |number: f64| [&[1u8][..], &number.to_le_bytes()].concat().repeat(90);
    [0.0, 0.5, 1.0, 1e300, f64::NAN, f64::INFINITY]
        .map(of)
        .to_vec()
}

/// A line of the columns of `row`: those given, and nothing in the others.
fn line(row: &serde_json::Result<Value>, given: &[(&str, &str)]) -> String {
    let columns = row
        .as_ref()
        .ok()
        .and_then(Value::as_object)
        .expect("a row's columns");
    let value = |column: &str| {
        given
            .iter()
            .find(|(name, _)| *name == column)
            .map_or("", |(_, value)| value)
    };
    let values: Vec<&str> = columns.keys().map(|column| value(column)).collect();
    values.join(",") + "\n"
}
