//! Samples: lines of JSON, an archive of them, and the JSON of question sets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spindle::dataset::documents::{read_hotpotqa, read_squad};
use spindle::dataset::longbench::{DataSource, read_lines};
use spindle_fuzz::{accepted, put};

fuzz_target!(|data: &[u8]| {
    let all = |_: &_| Ok(());
    if data.starts_with(b"PK") {
        let path = put("data.zip", data).display().to_string();
        if let Some(source) = accepted(DataSource::parse(&path), &path) {
            accepted(source.read("samples", &all), &path);
        }
        return;
    }
    accepted(read_lines(data, "samples.jsonl", &all), "samples.jsonl");
    let path = put("questions.json", data);
    accepted(read_squad(&path), "questions.json");
    accepted(read_hotpotqa(&path), "questions.json");
});
