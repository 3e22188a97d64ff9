//! A folder with a tiny model and an experiment in it, and the program run there.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use spindle::record::{RECORDS_FILE, Record, read_records};
use tempfile::TempDir;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

use crate::common::tiny::{Family, Tiny};

/// Every kind of cache, at sizes that the tiny model can reach.
pub(crate) const EXPERIMENT: &str = r#"name = "tiny"
description = "All methods on a tiny random model."

[model]
source = "model"

[[task]]
name = "needle"
lengths = [500, 700]
depths = [20, 80]

[[method]]
name = "full"

[[method]]
name = "streaming-llm"
retention = 0.4

[[method]]
name = "snapkv"
retention = [0.4, 0.7]

[[method]]
name = "pyramidkv"
retention = 0.4

[[method]]
name = "spindle-evict"
retention = 0.5

[[method]]
name = "spindle-code"
theta-scale = 6

[[method]]
name = "spindle"
share = 0.5
"#;

/// Arguments of a run of one sample under the full cache alone, into the folder `out`.
pub(crate) fn short_run(out: &str) -> [&str; 8] {
    [
        "eval",
        "tiny.toml",
        "--methods",
        "full",
        "--limit",
        "1",
        "--out",
        out,
    ]
}

/// Columns that differ between two runs of the same thing.
const TIMINGS: [&str; 3] = ["prefill_ms", "compress_ms", "decode_ms"];

pub(crate) struct World {
    folder: TempDir,
}

impl World {
    /// `model/` and `tiny.toml` in a new folder.
    pub(crate) fn new() -> Self {
        let world = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        write_model(&world.path("model"));
        world.write("tiny.toml", EXPERIMENT);
        world
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// The program, to be run in this folder with nothing in its environment that changes what it does.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spindle"));
        let ours = ["HF_", "SPINDLE_", "RAYON_"];
        for (name, _) in std::env::vars().filter(|(n, _)| ours.iter().any(|o| n.starts_with(o))) {
            command.env_remove(name);
        }
        command
            .args(args)
            // With which candle writes backtraces into its messages.
            .env("RUST_BACKTRACE", "1")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Done {
        Done::new(args, self.command(args).output().unwrap())
    }

    /// Standard output of a run that must end well.
    pub(crate) fn good(&self, args: &[&str]) -> String {
        let done = self.run(args);
        assert_eq!(done.code, 0, "{done:?}");
        done.stdout
    }

    /// Every file here, with its bytes.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        collect(self.folder.path(), &mut found);
        found
    }

    /// Asserts that the arguments are refused: exit code 2, one line that says each of `says`, no file made or changed.
    pub(crate) fn refused(&self, args: &[&str], says: &[&str]) {
        let before = self.files();
        self.assert_refused(&self.run(args), says);
        let after = self.files();
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after), "{args:?} left something");
        assert!(before == after, "{args:?} changed a file");
    }

    pub(crate) fn assert_refused(&self, done: &Done, says: &[&str]) {
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.stderr.starts_with("error: "), "{done:?}");
        assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
        for text in says {
            assert!(done.stderr.contains(text), "no {text:?} in {done:?}");
        }
        assert_eq!(done.stdout, "", "{done:?}");
    }

    /// The only results folder under `results/<experiment>`.
    pub(crate) fn results(&self, experiment: &str) -> String {
        let folder = format!("results/{experiment}");
        let names: Vec<_> = fs::read_dir(self.path(&folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let [name] = &names[..] else {
            panic!("{names:?}")
        };
        format!("{folder}/{name}")
    }

    pub(crate) fn records(&self, results: &str) -> Vec<Record> {
        read_records(&self.path(results)).unwrap()
    }

    /// Rows of `records.csv` as text, in the order of the file, without what a clock decides.
    pub(crate) fn rows(&self, results: &str) -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_path(self.path(results).join(RECORDS_FILE)).unwrap();
        let columns = reader.headers().unwrap().clone();
        let timed: Vec<bool> = columns.iter().map(|c| TIMINGS.contains(&c)).collect();
        assert_eq!(timed.iter().filter(|timed| **timed).count(), TIMINGS.len());
        let untimed = |row: csv::StringRecord| {
            let fields = row.iter().zip(&timed).filter(|(_, timed)| !**timed);
            fields.map(|(text, _)| text.to_string()).collect()
        };
        reader.records().map(|row| untimed(row.unwrap())).collect()
    }
}

fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // Counted too: an empty folder is something left behind.
            found.insert(path.clone(), Vec::new());
            collect(&path, found);
        } else {
            let bytes = fs::read(&path).unwrap();
            found.insert(path, bytes);
        }
    }
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Done {
    #[allow(dead_code)] // Shown when an assertion fails.
    args: Vec<String>,
    /// -1: by a signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Done {
    pub(crate) fn new(args: &[&str], output: Output) -> Self {
        Self {
            args: args.iter().map(ToString::to_string).collect(),
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// A random Llama in Hugging Face layout whose tokens are the 256 bytes and two special ones.
pub(crate) fn write_model(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let tiny = Tiny {
        vocab: 300,
        ..Tiny::new(Family::Llama)
    };
    tiny.write(folder).unwrap();
    let mut bytes: Vec<char> = ByteLevel::alphabet().into_iter().collect();
    bytes.sort_unstable();
    let special = ["<unk>", "<s>", "</s>"].map(String::from);
    let tokens = special.into_iter().chain(bytes.iter().map(char::to_string));
    let vocab: Vocab = tokens.zip(0..).collect();
    let bpe = BPE::builder().vocab_and_merges(vocab, Vec::new());
    let mut tokenizer = Tokenizer::new(bpe.build().unwrap());
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, false)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    let added =
        tokenizer.add_special_tokens(["<s>", "</s>"].map(|token| AddedToken::from(token, true)));
    assert_eq!(added.unwrap(), 2);
    tokenizer
        .save(folder.join("tokenizer.json"), false)
        .unwrap();
    let template = "{% for message in messages %}<s>{{ message.role }}\n{{ message.content }}</s>\n{% endfor %}<s>";
    let config = serde_json::json!({
        "bos_token": "<s>", "eos_token": "</s>", "chat_template": template,
    });
    fs::write(folder.join("tokenizer_config.json"), config.to_string()).unwrap();
}
