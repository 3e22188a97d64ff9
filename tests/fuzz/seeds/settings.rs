//! Experiment files: those that come with the program, and one of each kind of setting; a task file.

pub fn all() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = spindle::experiment::built_in()
        .iter()
        .map(|(_, text)| text.as_bytes().to_vec())
        .collect();
    seeds.extend([SMALL, TASK].map(|text| text.as_bytes().to_vec()));
    seeds
}

const SMALL: &str = r#"name = "small"
seed = 1
kv-dtype = "bf16"
compress = ["context", "prompt"]
fidelity = false

[model]
source = "folder"
sha256 = "00"

[[task]]
name = "needle"
lengths = [500, 700]
depths = [20, 80]

[[method]]
name = "snapkv"
retention = [0.4, 0.7]
window = 8

[[method]]
name = "spindle"
budget = 64
"#;

const TASK: &str = r#"name = "own"
data = "own.jsonl"
metric = "classification"
max-new-tokens = 8
min-new-tokens = 1
max-length = 100
stops = ["\n"]
language = "zh"
chat = false
first-line = true
template = "Read {context}. {input}"

[fields]
answers = "right"
id = "key"
classes = "labels"
"#;
