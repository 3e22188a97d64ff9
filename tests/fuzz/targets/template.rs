//! A chat template.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spindle::model::tokenizer::ModelTokenizer;
use spindle_fuzz::{accepted, files, put, put_model, render};

fuzz_target!(init: { put_model(); }, |data: &[u8]| {
    let path = put("model/chat_template.jinja", data);
    let Some(files) = files(path.parent().expect("a folder")) else {
        return;
    };
    if let Some(tokenizer) = accepted(ModelTokenizer::load(&files), "template") {
        render(&tokenizer);
    }
});
