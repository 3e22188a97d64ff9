//! Experiment files: those that come with the program, and one of each kind of setting.

pub fn all() -> Vec<Vec<u8>> {
    let mut seeds: Vec<_> = spindle::experiment::built_in()
        .iter()
        .map(|(_, text)| text.as_bytes().to_vec())
        .collect();
    seeds.push(SMALL.as_bytes().to_vec());
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
