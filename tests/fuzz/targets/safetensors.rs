//! `config.json` and, after a zero byte, a safetensors file: from `{` on only its header, which zeros follow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spindle_fuzz::{model, parts, put, put_model, use_model};

fuzz_target!(init: { put_model(); }, |data: &[u8]| {
    let [config, weights] = parts(data);
    put("model/config.json", config);
    let (_, bytes) = model::safetensors_header();
    let file = match weights.first() {
        Some(b'{') => model::safetensors(weights, bytes),
        _ => weights.to_vec(),
    };
    let path = put("model/model.safetensors", &file);
    use_model(path.parent().expect("a folder"));
});
