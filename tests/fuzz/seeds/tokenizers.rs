//! The files of tokenizers: every kind of model, normalizer, pre-tokenizer, post-processor and decoder at least once.

use serde_json::{Value, json};
use spindle_fuzz::model;

pub fn all() -> Vec<Vec<u8>> {
    let bare = [Value::Null, Value::Null, Value::Null];
    let own = model::tokenizer();
    let with = |changes: &Value| {
        let mut tokenizer = own.clone();
        for (key, value) in changes.as_object().into_iter().flatten() {
            tokenizer[key] = value.clone();
        }
        tokenizer
    };
    let mut seeds: Vec<_> = kinds().iter().map(|k| join(&with(k), &bare)).collect();
    let added = json!({"content": "<x>", "special": true, "normalized": false, "lstrip": false, "rstrip": false,
                       "single_word": false});
    for config in [
        json!({"added_tokens_decoder": {"11": added}, "pad_token": "<x>", "unk_token": "<unk>",
               "additional_special_tokens": ["<x>"], "clean_up_tokenization_spaces": true,
               "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 256}),
        json!({"chat_template": [{"name": "default", "template": model::TEMPLATE},
                                 {"name": "tool_use", "template": "{{ tools }}"}]}),
        json!({"chat_template": {"default": model::TEMPLATE, "rag": "x"}, "add_bos_token": true}),
    ] {
        let rest = [
            json!({"eos_token_id": [2, 1]}),
            json!({"<x>": 11}),
            json!({"bos_token": "<s>", "pad_token": {"content": "<x>"}}),
        ];
        let config_of_tokens = join_all(&own, &config, &rest);
        seeds.push(config_of_tokens);
    }
    seeds.extend([of_merges(), of_sentencepiece()]);
    seeds
}

/// A vocabulary and merges in two files, and templates in two others; no tokenizer.json.
fn of_merges() -> Vec<u8> {
    let model = &model::tokenizer()["model"];
    let text = |value: &Value| value.to_string();
    let merges = model["merges"].as_array().into_iter().flatten();
    let merges = merges.map(|pair| match pair {
        Value::String(pair) => pair.clone(),
        pair => format!(
            "{} {}",
            pair[0].as_str().unwrap_or(""),
            pair[1].as_str().unwrap_or("")
        ),
    });
    let merges: Vec<_> = ["#version: 0.2".to_string()]
        .into_iter()
        .chain(merges)
        .collect();
    let named = json!({"chat_template": model::TEMPLATE});
    let parts = [
        String::new(),
        text(&json!({"tokenizer_class": "GPT2Tokenizer"})),
        text(&model::config()),
        String::new(),
        String::new(),
        text(&json!({"bos_token": "<s>", "unk_token": "<unk>"})),
        text(&model["vocab"]),
        merges.join("\n"),
        text(&named),
        "{{ messages[0].content }}".into(),
    ];
    parts.join("\0").into_bytes()
}

/// A SentencePiece file of the tests.
fn of_sentencepiece() -> Vec<u8> {
    let golden: Value =
        serde_json::from_str(include_str!("../../golden/folders.json")).unwrap_or_default();
    let hex = golden["sentencepiece"]["model"].as_str().unwrap_or("");
    let bytes =
        (0..hex.len() / 2).filter_map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).ok());
    let mut seed = [
        "",
        "{\"legacy\": false}",
        &model::config().to_string(),
        "",
        "",
        "",
        "",
        "",
        "",
        "",
        "",
    ]
    .join("\0")
    .into_bytes();
    seed.extend(bytes);
    seed
}

fn join(tokenizer: &Value, rest: &[Value; 3]) -> Vec<u8> {
    join_all(tokenizer, &model::tokenizer_config(), rest)
}

/// In the order of the target; null is no file.
fn join_all(tokenizer: &Value, config: &Value, rest: &[Value; 3]) -> Vec<u8> {
    let model = model::config();
    let files = [tokenizer, config, &model].into_iter().chain(rest);
    let text = |file: &Value| match file {
        Value::Null => String::new(),
        file => file.to_string(),
    };
    files.map(text).collect::<Vec<_>>().join("\0").into_bytes()
}

/// What is changed in byte-level BPE.
fn kinds() -> Vec<Value> {
    let split = json!({"type": "Split", "pattern": {"Regex": "\\p{L}+|\\p{N}{1,3}|\\s+(?!\\S)"},
                       "behavior": "Isolated", "invert": false});
    let metaspace =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": false});
    let words = json!({"<unk>": 0, "<s>": 1, "</s>": 2, "a": 3, "b": 4, "##b": 5});
    vec![
        json!({}),
        json!({"pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, {"type": "Digits",
               "individual_digits": true}, {"type": "Punctuation", "behavior": "Contiguous"}]}}),
        json!({"pre_tokenizer": metaspace, "decoder": metaspace,
               "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false,
                         "vocab": [["<unk>", 0.0], ["<s>", 0.0], ["</s>", 0.0], ["a", -1.0], ["▁b", -2.5]]}}),
        json!({"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                              "strip_accents": null, "lowercase": true},
               "pre_tokenizer": {"type": "BertPreTokenizer"},
               "post_processor": {"type": "BertProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1]},
               "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
               "model": {"type": "WordPiece", "unk_token": "<unk>", "continuing_subword_prefix": "##",
                         "max_input_chars_per_word": 100, "vocab": words}}),
        json!({"pre_tokenizer": {"type": "Whitespace"}, "decoder": null,
               "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1],
                                  "trim_offsets": true, "add_prefix_space": false},
               "model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": words}}),
        json!({"normalizer": {"type": "Sequence", "normalizers": [
                   {"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
                   {"type": "Strip", "strip_left": true, "strip_right": true}, {"type": "Lowercase"},
                   {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Nmt"}]},
               "decoder": {"type": "Sequence", "decoders": [
                   {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
                   {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}}),
        json!({"post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel", "add_prefix_space": true,
               "trim_offsets": false, "use_regex": true}]},
               "truncation": {"direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0},
               "padding": {"strategy": {"Fixed": 8}, "direction": "Left", "pad_to_multiple_of": 8, "pad_id": 0,
                           "pad_type_id": 0, "pad_token": "<unk>"}}),
        json!({"post_processor": {"type": "TemplateProcessing",
               "single": ["<s>", "$A", "</s>"], "pair": ["$A:0", "$B:1"],
               "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]},
                                  "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}}}),
    ]
}
