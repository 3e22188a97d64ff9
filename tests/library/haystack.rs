//! The haystack on the default model's tokenizer.

use std::sync::LazyLock;

use spindle::dataset::haystack::{Haystack, own_texts, read_texts};
use spindle::error::exit_code;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{DEFAULT_MODEL, SourceOptions, resolve};

static TOKENIZER: LazyLock<ModelTokenizer> = LazyLock::new(|| {
    let files = resolve(DEFAULT_MODEL, &SourceOptions::default()).unwrap();
    ModelTokenizer::load(&files).unwrap()
});

fn haystack() -> Haystack {
    Haystack::new(&own_texts().unwrap(), &TOKENIZER).unwrap()
}

#[test]
fn slices_end_with_the_last_sentence_that_fits() {
    let haystack = haystack();
    for n_tokens in [50, 333, 1000, 1001, 60_000, 100_000] {
        let slice = haystack.slice(3, n_tokens);
        let longer = haystack.slice(3, n_tokens + 200);
        assert!(slice.tokens.len() <= n_tokens);
        let next = longer.boundaries.iter().find(|b| b.at > slice.tokens.len());
        assert!(next.unwrap().at > n_tokens, "{n_tokens}");
        assert_eq!(slice.boundaries.last().unwrap().at, slice.tokens.len());
        assert!(
            slice
                .boundaries
                .windows(2)
                .all(|pair| pair[0].at < pair[1].at)
        );
    }
    assert!(haystack.slice(0, 3).tokens.is_empty());
}

#[test]
fn boundaries_fall_on_sentence_ends() {
    let slice = haystack().slice(12, 5000);
    for boundary in &slice.boundaries[1..] {
        let text = TOKENIZER
            .decode(&slice.tokens[..boundary.at], false)
            .unwrap();
        let stop = text.trim_end_matches(['"', ')', '\'', '”', '’']);
        assert!(
            stop.ends_with(['.', '!', '?', '…']),
            "{:?}",
            &text[text.len() - 30..]
        );
    }
}

#[test]
fn slices_of_a_text_decode_to_it() {
    let texts = own_texts().unwrap();
    for (seed, text) in texts.iter().enumerate() {
        let slice = haystack().slice(seed as u64, 1000);
        let decoded = TOKENIZER.decode(&slice.tokens, false).unwrap();
        assert!(text.trim().starts_with(&decoded), "text {seed}");
    }
}

#[test]
fn a_folder_of_texts_is_read_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let named = folder.path().display().to_string();
    let empty = read_texts(folder.path()).unwrap_err();
    assert_eq!(exit_code(&empty), 2);
    assert!(empty.to_string().contains(&named));
    std::fs::write(folder.path().join("b.txt"), "Second.").unwrap();
    std::fs::write(folder.path().join("a.md"), "First.").unwrap();
    std::fs::write(folder.path().join("c.csv"), "Neither.").unwrap();
    assert_eq!(read_texts(folder.path()).unwrap(), ["First.", "Second."]);
    std::fs::write(folder.path().join("d.txt"), b"\xff\xfe").unwrap();
    let error = read_texts(folder.path()).unwrap_err();
    assert_eq!(exit_code(&error), 2);
    assert!(error.to_string().contains("d.txt") && error.to_string().contains(&named));
}
