//! Samples: lines of JSON, an archive of them, and the JSON of question sets.
#![no_main]

use libfuzzer_sys::fuzz_target;
use spindle::dataset::documents::{read_hotpotqa, read_squad};
use spindle::dataset::longbench::{DataSource, LongBenchRecord, read_lines};
use spindle::task::custom::TaskFile;
use spindle_fuzz::{accepted, folder, put};

/// A task of one's own, by fields of other names.
const TASK: &str = "name = 'own'\ndata = 'samples.jsonl'\nmetric = 'recall'\nmax-new-tokens = 8\n\
                    template = 'Read {text}. {input}'\n[fields]\ncontext = 'text'\nanswers = 'right'\n";

fuzz_target!(|data: &[u8]| {
    let all = |_: &_| Ok(());
    if data.starts_with(b"PK") {
        let path = put("data.zip", data).display().to_string();
        if let Some(source) = accepted(DataSource::parse(&path), &path) {
            accepted(source.read("samples", &all), &path);
        }
        return;
    }
    let official = |line: &[u8], _| LongBenchRecord::parse(line);
    let read = read_lines(data, "samples.jsonl", "_id", &official);
    accepted(read, "samples.jsonl");
    put("samples.jsonl", data);
    let task = TaskFile::parse(TASK, folder(), "task.toml").expect("a good task");
    accepted(task.records(), "samples.jsonl");
    let path = put("questions.json", data);
    accepted(read_squad(&path), "questions.json");
    accepted(read_hotpotqa(&path), "questions.json");
});
