//! Texts that prompts are cut from, with zero bytes between them.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use spindle::dataset::haystack::Haystack;
use spindle::dataset::texts::read_texts;
use spindle::model::tokenizer::ModelTokenizer;
use spindle_fuzz::{accepted, files, parts, put, put_model};

static TOKENIZER: LazyLock<ModelTokenizer> = LazyLock::new(|| {
    let files = files(&put_model()).expect("the files of a good model");
    accepted(ModelTokenizer::load(&files), "").expect("a good tokenizer")
});

fuzz_target!(|data: &[u8]| {
    let names = ["texts/a.txt", "texts/b.md", "texts/c.json"];
    for (name, text) in names.iter().zip(parts::<3>(data)) {
        put(name, text);
    }
    let folder = spindle_fuzz::folder().join("texts");
    let Some(texts) = accepted(read_texts(&folder), "texts") else {
        return;
    };
    let Some(haystack) = accepted(Haystack::new(&texts.texts, &TOKENIZER), "haystack") else {
        return;
    };
    for n_tokens in [0, 1, 7, 300] {
        assert!(haystack.slice(1, n_tokens).tokens.len() <= n_tokens);
        assert_eq!(haystack.cut(n_tokens).tokens.len(), n_tokens);
    }
});
