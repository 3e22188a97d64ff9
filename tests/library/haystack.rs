//! The haystack on the default model's tokenizer.

use std::sync::LazyLock;

use proptest::prelude::*;
use spindle::dataset::haystack::Haystack;
use spindle::dataset::texts::{own_texts, read_texts};
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

/// A text of numbered sentences, each as `sentence` makes it.
fn numbered(sentence: impl Fn(usize) -> String) -> String {
    (0..200).map(sentence).collect()
}

/// Whether a text ends as a part of it may.
type Ends = fn(&str) -> bool;

/// Prose as it comes: each with how its sentences, or the parts that stand for them, may end.
fn prose() -> [(String, Ends); 5] {
    [
        (
            numbered(|i| format!("第{i}艘渡船载着{}箱苹果离开码头。", i * 37 % 91)),
            |text| text.ends_with('。'),
        ),
        (
            numbered(|i| format!("第{i}艘渡船离开了吗？它载着{}箱苹果！\n", i * 37 % 91)),
            |text| text.ends_with(['？', '！']),
        ),
        (
            numbered(|i| format!("line {i} of a list that has no full stop\n")),
            |text| text.ends_with("full stop"),
        ),
        (numbered(|i| format!("word {i} after word ")), |text| {
            text.ends_with(|c: char| c.is_ascii_alphanumeric())
        }),
        (numbered(|i| format!("渡船{i}离开码头")), |_| true),
    ]
}

#[test]
fn prose_of_any_kind_has_boundaries_and_fills_a_slice() {
    for (text, ends) in prose() {
        let haystack = Haystack::new(std::slice::from_ref(&text), &TOKENIZER).unwrap();
        for n_tokens in [300, 1001] {
            let slice = haystack.slice(0, n_tokens);
            let start: String = text.chars().take(20).collect();
            assert!(slice.boundaries.len() > 2, "{start}");
            assert!(
                (n_tokens - 250..=n_tokens).contains(&slice.tokens.len()),
                "{start}: {} of {n_tokens}",
                slice.tokens.len()
            );
            for boundary in &slice.boundaries[1..] {
                let kept = &slice.tokens[..boundary.at];
                let kept = TOKENIZER.decode(kept, false).unwrap();
                assert!(text.starts_with(kept.trim_end()), "{kept}");
                assert!(ends(kept.trim_end()), "{kept}");
            }
        }
    }
}

#[test]
fn a_cut_knows_where_its_sentences_end() {
    for (text, ends) in prose() {
        let haystack = Haystack::new(&[text], &TOKENIZER).unwrap();
        let cut = haystack.cut(1500);
        assert_eq!(cut.tokens.len(), 1500);
        assert!(cut.ends.len() > 3 && cut.ends.is_sorted());
        for &end in &cut.ends {
            let kept = TOKENIZER.decode(&cut.tokens[..end], false).unwrap();
            assert!(end > 0 && ends(kept.trim_end()), "{kept}");
        }
    }
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn texts_are_found_in_subfolders_and_under_any_spelling() {
    let folder = folder(&[
        ("b.txt", "Second."),
        ("a.MD", "First."),
        ("c.csv", "No text."),
        (".hidden/d.txt", "No text."),
        ("._e.txt", "No text."),
        ("z.TXT", "\u{feff}Last.\r\nBut\r\nnot least."),
        ("deep/er/e.txt", "Third."),
        ("f.JSON", r#"{"text": "Fourth.\r\n", "url": 4}"#),
        (
            "g.jsonl",
            "{\"text\": \"Fifth.\"}\n\n{\"text\": \"Sixth.\"}\n",
        ),
    ]);
    let expected = [
        "First.",
        "Second.",
        "Third.",
        "Fourth.\n",
        "Fifth.",
        "Sixth.",
        "Last.\nBut\nnot least.",
    ];
    assert_eq!(read_texts(folder.path()).unwrap().texts, expected);
    // A file alone is the texts that it holds.
    let file = folder.path().join("g.jsonl");
    assert_eq!(read_texts(&file).unwrap().texts, ["Fifth.", "Sixth."]);
}

#[test]
fn what_is_no_text_is_refused_by_name() {
    let deep = format!("{}x.txt", "d/".repeat(16));
    for (files, says) in [
        (&[][..], "no text files, expected *.txt, *.md"),
        (&[("a.txt", " \n"), ("b.txt", "")], "its texts are empty"),
        (
            &[("a.json", "{\"txt\": 1}")],
            "a.json:1: an object without \"text\"",
        ),
        (
            &[("a.json", "{}\n\n{\"text\": 1}")],
            "a.json:1: an object without",
        ),
        (
            &[("a.json", "{\"text\": \"x\"}\n{\"text\": 1}\n")],
            "a.json:2: \"text\" is no text",
        ),
        (
            &[("a.json", "{\"text\": \"x\"}\n{")],
            "a.json:2: EOF while parsing",
        ),
        (
            &[("a.json", "[\"text\"]")],
            "a.json:1: invalid type: sequence",
        ),
        (&[("a.json", "version 1")], "a.json:1: expected value"),
        (&[(&deep, "Deep.")], "expected at most 16 folders"),
    ] {
        let folder = folder(files);
        let error = read_texts(folder.path()).unwrap_err();
        assert_eq!(exit_code(&error), 2, "{error:#}");
        let error = format!("{error:#}");
        assert!(error.contains(says), "{error}");
        assert!(
            error.contains(&folder.path().display().to_string()),
            "{error}"
        );
    }
    let folder = folder(&[("d.txt", "Good.")]);
    std::fs::write(folder.path().join("e.txt"), b"one\n\xff\xfe").unwrap();
    let error = read_texts(folder.path()).unwrap_err();
    assert_eq!(exit_code(&error), 2);
    assert!(error.to_string().contains("e.txt:2: not UTF-8"), "{error}");
    assert_eq!(
        exit_code(&read_texts(&folder.path().join("absent")).unwrap_err()),
        2
    );
}

/// Results may lie beside the texts that they are of.
#[test]
fn json_that_begins_with_something_else_is_passed_over_by_name() {
    let folder = folder(&[
        ("a.txt", "Text."),
        ("b/predictions.jsonl", "{\"task\": \"needle\"}\n"),
        ("b/run.json", "{}"),
        ("c.json", "[1, 2]"),
    ]);
    let found = read_texts(folder.path()).unwrap();
    assert_eq!(found.texts, ["Text."]);
    let names = [
        "b/predictions.jsonl:1: an object",
        "b/run.json:1: an object",
        "c.json:1: invalid type",
    ];
    assert_eq!(found.passed_over.len(), names.len());
    for (reason, name) in found.passed_over.iter().zip(names) {
        assert!(reason.contains(name), "{reason}");
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_but_not_round_and_round() {
    use std::os::unix::fs::symlink;

    let elsewhere = folder(&[("in/a.txt", "Elsewhere.")]);
    let folder = folder(&[("b/b.txt", "Here.")]);
    symlink(elsewhere.path().join("in"), folder.path().join("a")).unwrap();
    symlink(folder.path().join("b/b.txt"), folder.path().join("c.txt")).unwrap();
    assert_eq!(
        read_texts(folder.path()).unwrap().texts,
        ["Elsewhere.", "Here.", "Here."]
    );
    symlink(folder.path(), folder.path().join("b/round")).unwrap();
    let error = read_texts(folder.path()).unwrap_err();
    assert_eq!(exit_code(&error), 2);
    assert!(error.to_string().contains("b/round"), "{error}");
    std::fs::remove_file(folder.path().join("b/round")).unwrap();
    symlink("/dev/zero", folder.path().join("d.txt")).unwrap();
    let error = read_texts(folder.path()).unwrap_err();
    assert!(
        error.to_string().contains("d.txt: a pipe or a device"),
        "{error}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever files hold, they are texts or a message that names one.
    #[test]
    fn files_of_any_kind_are_texts_or_a_message(
        name in "(a\\.txt|a\\.md|a\\.json|a\\.jsonl)",
        content in prop_oneof![
            any::<Vec<u8>>(),
            r#"(\PC|\r|\n){0,80}"#.prop_map(String::into_bytes),
            r#"(\{"text": "[a-z.\\ ]{0,9}"\}[\n ,]?){0,4}"#.prop_map(String::into_bytes),
        ],
    ) {
        let folder = folder(&[]);
        std::fs::write(folder.path().join(&name), content).unwrap();
        match read_texts(folder.path()) {
            Ok(texts) => {
                let any = texts.texts.iter().any(|text| !text.trim().is_empty());
                prop_assert!(any);
            }
            Err(error) => {
                prop_assert_eq!(exit_code(&error), 2);
                prop_assert_eq!(error.to_string().lines().count(), 1, "{}", error);
            }
        }
    }

    /// A slice holds no more tokens than it may, and ends where a boundary is, whatever the prose.
    #[test]
    fn slices_of_any_prose_keep_to_their_budget(
        words in proptest::collection::vec(r#"(\PC|[.。！\n 渡a]){1,30}"#, 1..40),
        n_tokens in 1..400usize,
    ) {
        let text = words.concat();
        let Ok(haystack) = Haystack::new(&[text], &TOKENIZER) else {
            return Ok(());
        };
        let slice = haystack.slice(0, n_tokens);
        prop_assert!(slice.tokens.len() <= n_tokens);
        prop_assert_eq!(slice.boundaries.last().unwrap().at, slice.tokens.len());
        prop_assert!(slice.boundaries.windows(2).all(|pair| pair[0].at < pair[1].at));
    }
}
