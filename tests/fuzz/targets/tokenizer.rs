//! The files of a tokenizer, with zero bytes between them; one that is empty is not there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spindle_fuzz::{folder, parts, put, put_model, use_model, use_tokenizer};

/// The last may hold zero bytes.
const FILES: [&str; 11] = [
    "model/tokenizer.json",
    "model/tokenizer_config.json",
    "model/config.json",
    "model/generation_config.json",
    "model/added_tokens.json",
    "model/special_tokens_map.json",
    "model/vocab.json",
    "model/merges.txt",
    "model/chat_template.json",
    "model/additional_chat_templates/rag.jinja",
    "model/tokenizer.model",
];

fuzz_target!(init: { put_model(); }, |data: &[u8]| {
    for (name, part) in FILES.into_iter().zip(parts::<{ FILES.len() }>(data)) {
        if part.is_empty() {
            let _ = std::fs::remove_file(folder().join(name));
        } else {
            put(name, part);
        }
    }
    let path = folder().join("model");
    use_tokenizer(&path);
    use_model(&path);
});
