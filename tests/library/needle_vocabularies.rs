//! The needle task where full stops and line ends share a token (Llama 3, Qwen), and where a text
//! starts with a space (SentencePiece); both without a chat template.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use spindle::dataset::haystack::Haystack;
use spindle::dataset::texts::own_texts;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{SourceOptions, resolve};
use spindle::task::Task;
use spindle::task::needle::{Needle, NeedleSettings};
use spindle::task::niah::protocol::Protocol;
use spindle::task::niah::{Niah, NiahSettings};

fn load(definition: &Value) -> Arc<ModelTokenizer> {
    let folder = tempfile::tempdir().unwrap();
    let definition = definition.to_string();
    for (name, content) in [
        ("tokenizer.json", definition.as_str()),
        ("config.json", "{}"),
        ("model.safetensors", ""),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    let options = SourceOptions {
        cache: Some(folder.path().join("cache")),
        ..SourceOptions::default()
    };
    let files = resolve(&folder.path().display().to_string(), &options).unwrap();
    Arc::new(ModelTokenizer::load(&files).unwrap())
}

/// A token for each byte, and one for a full stop and a new paragraph.
fn byte_level(trim_offsets: bool) -> Arc<ModelTokenizer> {
    let printable = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let others = (0..=255u8).filter(|byte| !printable(byte)).count() as u32;
    let symbols = (0..=255u8).filter(printable).map(char::from);
    let symbols = symbols.chain((256..256 + others).filter_map(char::from_u32));
    let mut vocab: BTreeMap<String, usize> = symbols.map(String::from).zip(0..).collect();
    vocab.insert("ĊĊ".into(), 256);
    vocab.insert(".ĊĊ".into(), 257);
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false,
                       "trim_offsets": trim_offsets, "use_regex": false});
    load(&json!({
        "version": "1.0", "added_tokens": [],
        "pre_tokenizer": bytes.clone(), "post_processor": bytes.clone(), "decoder": bytes,
        "model": {"type": "BPE", "vocab": vocab, "merges": [["Ċ", "Ċ"], [".", "ĊĊ"]]},
    }))
}

/// A token for each printable ASCII character, and for each byte of others.
fn sentence_piece() -> Arc<ModelTokenizer> {
    let bytes = (0..=255u8).map(|byte| format!("<0x{byte:02X}>"));
    let symbols = (33..127u8).map(|byte| char::from(byte).to_string());
    let vocab: BTreeMap<String, usize> = ["<unk>".to_string(), "▁".to_string()]
        .into_iter()
        .chain(bytes)
        .chain(symbols)
        .zip(0..)
        .collect();
    load(&json!({
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"}, {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
        "model": {"type": "BPE", "byte_fallback": true, "unk_token": "<unk>",
                  "vocab": vocab, "merges": []},
    }))
}

/// `seams`: tokens that a needle or the end of the haystack may add to those of the whole text.
fn check(tokenizer: &Arc<ModelTokenizer>, seams: usize) {
    let haystack = Haystack::new(&own_texts().unwrap(), tokenizer).unwrap();
    let settings = NeedleSettings {
        lengths: vec![2500, 9000, 9001, 9002, 20_000],
        distractors: vec![0, 9],
        seeds: 3,
        seed: 11,
        cue: false,
        ..NeedleSettings::default()
    };
    let task = Needle::new(&settings, haystack, tokenizer.clone(), 100_000).unwrap();
    for i in 0..task.len() {
        let sample = task.sample(i).unwrap();
        let length: usize = sample.id["length=".len()..]
            .split(';')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let tokens = [&sample.context[..], &sample.question].concat();
        assert!(
            tokens.len() <= length && tokens.len() + 400 > length,
            "{}",
            sample.id
        );
        let text = tokenizer.decode(&tokens, false).unwrap();
        // Only a full stop that ends a needle or the haystack may be split from the line ends after it.
        let whole = tokenizer.encode(&text, true).unwrap();
        let needles = text.matches("The special magic number for ").count();
        let split = tokens.len() - whole.len();
        assert!(split <= seams * (needles + 1), "{}: {split}", sample.id);
        assert!(
            !text.contains("  ") && !text.contains("\n\n\n"),
            "{}",
            sample.id
        );
        assert!(
            !text.contains("\n ") && !text.contains(" \n"),
            "{}",
            sample.id
        );
        let needle = format!(" is {}.", sample.answers[0]);
        assert_eq!(text.matches(&needle).count(), 1, "{}", sample.id);

        let mut answered = tokens;
        answered.extend(&sample.reference);
        let answered = tokenizer.decode(&answered, false).unwrap();
        assert!(answered.contains("above? The special magic number for "));
        let scored = &sample.reference[sample.reference_scored.clone()];
        assert_eq!(tokenizer.decode(scored, false).unwrap(), sample.answers[0]);
    }
}

/// The published protocol finds full stops in any vocabulary.
fn check_published(tokenizer: &Arc<ModelTokenizer>) {
    let haystack = Haystack::new(&own_texts().unwrap(), tokenizer).unwrap();
    let settings = NiahSettings {
        lengths: Some(vec![4000]),
        ..NiahSettings::default()
    };
    let task = Niah::new(
        Protocol::Published,
        &settings,
        haystack,
        tokenizer.clone(),
        100_000,
    );
    let task = task.unwrap();
    for i in 1..task.len() - 1 {
        let sample = task.sample(i).unwrap();
        let text = tokenizer.decode(&sample.context, false).unwrap();
        assert!(
            text.contains(".\nThe best thing to do in San Francisco is eat"),
            "{}",
            sample.id
        );
    }
}

#[test]
fn full_stops_and_line_ends_may_share_a_token() {
    check(&byte_level(false), 1);
    check(&byte_level(true), 1);
    check_published(&byte_level(true));
}

#[test]
fn a_text_may_start_with_a_space() {
    check(&sentence_piece(), 0);
    check_published(&sentence_piece());
}
