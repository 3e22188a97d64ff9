//! A GGUF file: its metadata, its tokenizer and its tensors.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spindle_fuzz::{put, use_model, use_tokenizer};

fuzz_target!(|data: &[u8]| {
    let path = put("model.gguf", data);
    // Both, as a tokenizer is only read where the rest of the file is good.
    use_tokenizer(&path);
    use_model(&path);
});
