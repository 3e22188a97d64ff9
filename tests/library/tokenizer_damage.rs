//! Damaged tokenizer files and hostile templates: an error that says so, soon, and never a panic.

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;
use spindle::error::exit_code;
use spindle::model::chat::Message;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{ModelFileKind, ModelFiles, TokenizerFiles, VocabularyFiles};

/// Two limits of 8 s, one for parsing and one for rendering, and what a machine needs that does other things too.
const SOON: Duration = Duration::from_secs(20);

fn files(folder: &Path) -> ModelFiles {
    ModelFiles {
        spec: "model".to_owned(),
        revision: String::new(),
        kind: ModelFileKind::HfFolder {
            config: folder.join("config.json"),
            generation_config: None,
            tokenizer: Box::new(TokenizerFiles {
                vocabulary: VocabularyFiles::Json(folder.join("tokenizer.json")),
                config: Some(folder.join("tokenizer_config.json")),
                special_tokens_map: None,
                added_tokens: None,
                chat_template: None,
                more_chat_templates: Vec::new(),
                chat_template_json: None,
            }),
            weights: Vec::new(),
        },
    }
}

/// A tokenizer with one of each part that a file may have.
fn tokenizer() -> String {
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [
            {"id": 0, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
             "special": true},
            {"id": 7, "content": "<x>", "single_word": true, "lstrip": true, "rstrip": true, "normalized": true,
             "special": false}],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": " +"}, "content": " "},
            {"type": "Prepend", "prepend": "a"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": "\\p{N}{1,3}|\\s+(?!\\S)"}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": "?", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": true, "ignore_merges": false,
            "vocab": {"<s>": 0, "?": 1, "a": 2, "b": 3, "ab": 4, "1": 5, "Ġ": 6}, "merges": [["a", "b"]]},
    })
    .to_string()
}

fn write(folder: &Path, tokenizer: impl AsRef<[u8]>, template: &str) {
    std::fs::write(folder.join("config.json"), "{}").unwrap();
    std::fs::write(folder.join("tokenizer.json"), tokenizer).unwrap();
    let config = json!({"chat_template": template, "bos_token": "<s>"});
    std::fs::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
}

/// Reads the tokenizer and uses it in every way, or is refused with the file's name.
fn tried(folder: &Path) {
    let start = Instant::now();
    match ModelTokenizer::load(&files(folder)) {
        Ok(tokenizer) => {
            for text in ["", "ab 12 <s>a<x> ", "é🚀\u{0}", &"a1 ".repeat(200)] {
                if let Ok(ids) = tokenizer.encode(text, true) {
                    let _ = tokenizer.decode_cleaned(&ids);
                }
                let _ = tokenizer.encode_after("a", text);
            }
            match tokenizer.render_chat(&[Message::user("ab"), Message::user("12")], true) {
                Ok(text) => assert!(text.len() < 100 << 20, "{} bytes", text.len()),
                Err(error) => refused(&error),
            }
        }
        Err(error) => refused(&error),
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
}

fn refused(error: &anyhow::Error) {
    let text = format!("{error:#}");
    assert_eq!(exit_code(error), 2, "{text}");
    assert!(text.contains("tokenizer"), "{text}");
    assert!(text.lines().count() == 1 && text.len() < 1500, "{text}");
}

/// What may stand in the place of some bytes of a definition.
const PIECES: [&str; 16] = [
    "null",
    "-1",
    "4294967296",
    "1e999",
    "\"\"",
    "[]",
    "{}",
    "\"<s>\"",
    "true",
    "\"type\"",
    "\"Regex\"",
    "(a*)*$",
    "\\\\p{",
    "\u{0}",
    "é",
    "\"String\"",
];

/// Parts of templates, some of which close what others open.
const PARTS: [&str; 30] = [
    "{% for i in range(99999) %}",
    "{% for m in messages %}",
    "{% endfor %}",
    "{% if messages %}",
    "{% elif not x %}",
    "{% endif %}",
    "{% set ns = namespace(x='ab') %}",
    "{% set ns.x = ns.x ~ ns.x %}",
    "{% set ns.x = [ns.x] %}",
    "{% set ns.x = {'k': ns.x} %}",
    "{{ ns.x }}",
    "{{ ns.x | tojson(indent=9) }}",
    "{{ ns.x | string | length }}",
    "{{ ns.x == ns.x }}",
    "{{ 'x' * 99999999 }}",
    "{{ [messages] * 9999999 }}",
    "{{ 'a'.ljust(999999999999) }}",
    "{{ '%999999999d' | format(1) }}",
    "{{ 'a\nb' | indent(99999999) }}",
    "{{ messages | tojson(indent=99999999999) }}",
    "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
    "{{ raise_exception('no') }}",
    "{{ strftime_now('%Y') }}",
    "{% generation %}",
    "{% endgeneration %}",
    "{{ messages[0].content.replace('', 'x' * 1000000) }}",
    "{{ 9 ** 999999 }}",
    "{% set ns.x = [ns.x, ns.x] %}",
    "{% set y = '' ~ ns.x %}",
    "{{",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_definitions_are_refused(
        edits in vec((0.0..1.0, 0..20_usize, select(&PIECES[..])), 1..4),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut bytes = tokenizer().into_bytes();
        for (at, length, piece) in edits {
            let at = (at * bytes.len() as f64) as usize;
            let end = (at + length).min(bytes.len());
            bytes.splice(at..end, piece.bytes());
        }
        write(folder.path(), bytes, "{{ messages[0].content }}");
        tried(folder.path());
    }

    #[test]
    fn templates_end(parts in vec(select(&PARTS[..]), 1..9)) {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), tokenizer(), &parts.concat());
        tried(folder.path());
    }
}

/// What only a large template does: nesting that neither the limit on signs nor the parser's own stops.
#[test]
fn templates_that_nest_do_not_overflow_the_stack() {
    let nested = "{% for i in range(500) %}{% for j in range(500) %}{% set ns.x = [ns.x] %}{% endfor %}{% endfor %}";
    let chain = |piece: &str| format!("{{{{ messages{} }}}}", piece.repeat(120_000 / piece.len()));
    for template in [
        format!("{{% set ns = namespace(x=1) %}}{nested}"),
        format!("{{% set ns = namespace(x=1) %}}{nested}{{{{ ns.x | tojson }}}}"),
        format!("{{% set ns = namespace(x=1) %}}{nested}{{{{ ns.x }}}}"),
        format!("{{% set ns = namespace(x=1) %}}{nested}{{{{ ns.x == ns.x }}}}"),
        chain("|e"),
        chain(".a"),
        chain("+1"),
        chain("~''"),
        chain("[0]"),
        chain(" and 1"),
        chain(" if 1 else 2"),
        format!("{{% if a %}}{}{{% endif %}}", "{%elif a%}".repeat(12_000)),
        format!("{{{{ {}1{} }}}}", "[".repeat(60_000), "]".repeat(60_000)),
        format!("{{{{ {}1{} }}}}", "(".repeat(60_000), ")".repeat(60_000)),
        "{% if a %}".repeat(12_000),
        "{% for a in b %}".repeat(8_000),
        "{{ ".repeat(40_000),
        "{".repeat(120_000),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), tokenizer(), &template);
        tried(folder.path());
    }
}

#[test]
fn definitions_that_fail_on_a_text_are_refused_before_it() {
    let damaged = |pointer: &str, value: serde_json::Value| {
        let folder = tempfile::tempdir().unwrap();
        let mut definition: serde_json::Value = serde_json::from_str(&tokenizer()).unwrap();
        *definition.pointer_mut(pointer).unwrap() = value;
        write(
            folder.path(),
            definition.to_string(),
            "{{ messages[0].content }}",
        );
        let start = Instant::now();
        let error = ModelTokenizer::load(&files(folder.path())).err();
        assert!(start.elapsed() < SOON);
        error.map(|error| format!("{error:#}")).unwrap_or_default()
    };
    let pattern = "/pre_tokenizer/pretokenizers/0/pattern/Regex";
    for (pointer, value, says) in [
        (
            pattern,
            json!("^(([a-zA-Z ,.\\n])*)*$|(\\w+\\s?)*~"),
            "its patterns are ` +`, `^(([a-zA-Z",
        ),
        (
            pattern,
            json!("(\\w+\\w+)+\\w*@"),
            "the tokenizer fails on a test text",
        ),
        (
            "/normalizer/normalizers/1",
            json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"}),
            "tokenizer.json: not a tokenizer: Precompiled: Cannot parse precompiled_charsmap",
        ),
        (
            "/model/dropout",
            json!(0.5),
            "model.dropout is 0.5, expected null",
        ),
        ("/model/merges", json!([["a", "z"]]), "not a tokenizer"),
        ("/model/vocab", json!({}), "not a tokenizer"),
    ] {
        let error = damaged(pointer, value);
        assert!(
            error.contains("tokenizer.json: ") && error.contains(says),
            "{pointer}: {error:?}"
        );
    }
    assert_eq!(damaged("/model/dropout", json!(0.0)), "");
}
