//! Writes inputs to start from, a folder for each target, and the words in them as its dictionary: `seeds FOLDER`.

mod samples;
mod settings;
mod templates;
mod tokenizers;
mod weights;

// Built as the targets are, this program calls what counts their coverage.
use libfuzzer_sys as _;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Numbers at the edges of what a reader may take, for every dictionary.
const NUMBERS: [&str; 12] = [
    "0",
    "-1",
    "0.0",
    "-0.5",
    "1e309",
    "1e-320",
    "NaN",
    "inf",
    "2147483648",
    "4294967296",
    "9223372036854775808",
    "18446744073709551615",
];

fn main() -> Result<()> {
    let folder = std::env::args_os().nth(1).context("seeds FOLDER")?;
    let folder = Path::new(&folder);
    let targets = [
        ("gguf", weights::gguf()),
        ("safetensors", weights::safetensors()),
        ("tokenizer", tokenizers::all()),
        ("template", templates::all()),
        ("jsonl", samples::jsonl()?),
        ("haystack", samples::haystacks()),
        ("csv", samples::rows()),
        ("figures", samples::numbers()),
        ("toml", settings::all()),
    ];
    for (target, seeds) in targets {
        let own = folder.join(target);
        fs::create_dir_all(&own)?;
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(own.join(format!("seed-{number:02}")), seed)?;
        }
        fs::write(folder.join(format!("{target}.dict")), dictionary(&seeds))?;
    }
    Ok(())
}

/// The words of the seeds, in libFuzzer's format: one in quotes on each line.
fn dictionary(seeds: &[Vec<u8>]) -> String {
    let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.<>|%{}".contains(byte);
    let words = seeds
        .iter()
        .flat_map(|seed| seed.split(|byte| !is_of_word(byte)));
    let words = words.filter_map(|word| std::str::from_utf8(word).ok());
    let mut words: BTreeSet<&str> = words
        .filter(|word| (2..=48).contains(&word.len()))
        .collect();
    words.extend(NUMBERS);
    words.iter().map(|word| format!("\"{word}\"\n")).collect()
}
