//! What the fuzz targets share: a folder to write inputs to, the readers that several of them call, and the rules that
//! every reader must keep.
//!
//! A target writes its bytes where a user would have them and calls the public reader. The rules: no panic, no hang, at
//! most [`MEMORY`] bytes allocated, and what [`accepted`] says of a refusal.

#[path = "../../common/small.rs"]
pub mod model;
pub mod results;
#[path = "../../common/rule.rs"]
mod rule;

use std::alloc::System;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use candle_core::Device;
use cap::Cap;
use spindle::load::load;
use spindle::model::chat::{ChatOptions, Message};
use spindle::model::observe::Observe;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{ModelFiles, SourceOptions, resolve};
use spindle::store::StoreType;
use tempfile::TempDir;

pub use rule::accepted;

/// Bytes that may be allocated at once; one more ends the process.
pub const MEMORY: usize = 1 << 30;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MEMORY);

/// A prompt with white space, digits, letters of several scripts and a special token.
pub const TEXT: &str = "The  secret number is 73.\n\n\tÜber 秘密 \u{1f9f5} <s>it's</s>";

/// The folder of this process, below `TMPDIR`.
pub fn folder() -> &'static Path {
    static FOLDER: LazyLock<TempDir> =
        LazyLock::new(|| tempfile::tempdir().expect("a folder for inputs"));
    FOLDER.path()
}

/// Writes a file below [`folder`] and gives its path.
pub fn put(name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder().join(name);
    let parent = path.parent().expect("a folder");
    if !parent.exists() {
        fs::create_dir_all(parent).expect("a folder for an input");
    }
    fs::write(&path, bytes).expect("an input");
    path
}

/// Writes a good model into the folder `model`, and gives its path.
pub fn put_model() -> PathBuf {
    let path = folder().join("model");
    model::write(&path).expect("a good model");
    path
}

/// Up to `N` parts of an input, which zero bytes separate; those that are not there are empty.
pub fn parts<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    let mut found = data.splitn(N, |byte| *byte == 0);
    std::array::from_fn(|_| found.next().unwrap_or_default())
}

/// The files of the model at `path`.
pub fn files(path: &Path) -> Option<ModelFiles> {
    let options = SourceOptions {
        cache: Some(folder().join("cache")),
        offline: true,
        ..SourceOptions::default()
    };
    let name = path.display().to_string();
    accepted(resolve(&name, &options), &name)
}

/// Reads the model at `path` and uses it.
pub fn use_model(path: &Path) {
    let Some(files) = files(path) else { return };
    let loaded = load(&files, &ChatOptions::default(), &Device::Cpu);
    let Some(loaded) = accepted(loaded, &files.spec) else {
        return;
    };
    let mut tokens = loaded.tokenizer.encode("a b", true).unwrap_or_default();
    tokens.truncate(4);
    if tokens.is_empty() {
        tokens.push(0);
    }
    // Whatever comes out: weights may be of any value.
    let _ = loaded
        .model
        .prefill(&tokens, Observe::default(), StoreType::F16);
}

/// Reads the tokenizer of the model at `path` and uses it.
pub fn use_tokenizer(path: &Path) {
    let Some(files) = files(path) else { return };
    let Some(tokenizer) = accepted(ModelTokenizer::load(&files), &files.spec) else {
        return;
    };
    let Ok((tokens, spans)) = tokenizer.encode_spans(TEXT, true) else {
        return;
    };
    assert_eq!(tokens.len(), spans.len());
    let _ = tokenizer.decode(&tokens, true);
    let _ = tokenizer.encode_after("\n", TEXT);
    render(&tokenizer);
}

/// Renders a conversation of three turns with the tokenizer's template.
pub fn render(tokenizer: &ModelTokenizer) {
    let turn = |role: &str, content: &str| Message {
        role: role.into(),
        content: content.into(),
    };
    let messages = [
        turn("user", TEXT),
        turn("assistant", "73"),
        turn("user", "why?"),
    ];
    accepted(tokenizer.render_chat(&messages, true), "template");
}
