//! The needle task on the default model's tokenizer.

use std::sync::{Arc, LazyLock};

use spindle::dataset::haystack::Haystack;
use spindle::dataset::texts::own_texts;
use spindle::error::exit_code;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{DEFAULT_MODEL, SourceOptions, resolve};
use spindle::task::needle::{Needle, NeedleSettings};
use spindle::task::{Sample, Task};

const STEM: &str = "The special magic number for ";

static TOKENIZER: LazyLock<Arc<ModelTokenizer>> = LazyLock::new(|| {
    let files = resolve(DEFAULT_MODEL, &SourceOptions::default()).unwrap();
    Arc::new(ModelTokenizer::load(&files).unwrap())
});

fn haystack() -> Haystack {
    Haystack::new(&own_texts().unwrap(), &TOKENIZER).unwrap()
}

fn needle(settings: &NeedleSettings) -> Needle {
    Needle::new(settings, haystack(), TOKENIZER.clone(), 100_000).unwrap()
}

fn samples(task: &Needle) -> Vec<Sample> {
    (0..task.len()).map(|i| task.sample(i).unwrap()).collect()
}

fn prompt(sample: &Sample) -> String {
    let tokens = [&sample.context[..], &sample.question].concat();
    TOKENIZER.decode(&tokens, false).unwrap()
}

/// City, number and byte offset of each needle.
fn planted(text: &str) -> Vec<(String, String, usize)> {
    let found = text.match_indices(STEM).map(|(at, _)| {
        let rest = &text[at + STEM.len()..];
        let (city, rest) = rest.split_once(" is ").unwrap();
        let (number, _) = rest.split_once('.').unwrap();
        (city.to_string(), number.to_string(), at)
    });
    found.collect()
}

fn wide() -> NeedleSettings {
    NeedleSettings {
        lengths: vec![300, 1024, 4096],
        depths: vec![0, 10, 50, 90, 100],
        distractors: vec![0, 3],
        seeds: 3,
        seed: 5,
        cue: false,
    }
}

#[test]
fn prompts_are_as_long_as_asked_to_within_a_sentence() {
    let task = needle(&wide());
    for sample in samples(&task) {
        let length: usize = sample.id["length=".len()..]
            .split(';')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let tokens = sample.prompt_tokens();
        assert!(tokens <= length, "{}: {tokens}", sample.id);
        assert!(tokens + 100 > length, "{}: {tokens}", sample.id);
    }
}

#[test]
fn the_needle_is_there_once_after_a_sentence_at_its_depth() {
    let task = needle(&wide());
    for sample in samples(&task) {
        let text = prompt(&sample);
        let needles = planted(&text);
        let own: Vec<_> = needles
            .iter()
            .filter(|n| n.1 == sample.answers[0])
            .collect();
        assert_eq!(own.len(), 1, "{}", sample.id);
        let (city, _, at) = own[0];
        assert!(text.contains(&format!(
            "What is the special magic number for {city} mentioned"
        )));
        let before = text[..*at]
            .trim_end()
            .trim_end_matches(['"', ')', '\'', '”', '’']);
        assert!(before.ends_with(['.', '!', '?', '…']), "{}", sample.id);

        let start = text.find("afterwards.\n\n").unwrap() + "afterwards.\n\n".len();
        let end = text.find("\n\nWhat is the special").unwrap();
        let depth: f64 = sample
            .id
            .split("depth=")
            .nth(1)
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let found = 100.0 * (at - start) as f64 / (end - start) as f64;
        // Short texts: a sentence is a large share.
        let tolerance = 3.0 + 60_000.0 / (end - start) as f64;
        assert!((found - depth).abs() < tolerance, "{}: {found}", sample.id);
    }
}

#[test]
fn distractors_have_other_keys_and_values() {
    for sample in samples(&needle(&NeedleSettings {
        lengths: vec![700, 2000],
        distractors: vec![8],
        ..wide()
    })) {
        let needles = planted(&prompt(&sample));
        assert_eq!(needles.len(), 9, "{}", sample.id);
        for part in [0, 1] {
            let mut values: Vec<_> = needles
                .iter()
                .map(|n| if part == 0 { &n.0 } else { &n.1 })
                .collect();
            values.sort();
            values.dedup();
            assert_eq!(values.len(), 9, "{}", sample.id);
        }
    }
}

#[test]
fn samples_are_the_same_every_time_and_different_from_each_other() {
    let (once, again) = (needle(&wide()), needle(&wide()));
    let all = samples(&once);
    assert_eq!(all, samples(&again));
    assert_eq!(all[0].id, "length=300;depth=0;distractors=0;seed=5");
    assert_eq!(all[1].id, "length=300;depth=0;distractors=0;seed=6");
    assert_eq!(all[3].id, "length=300;depth=10;distractors=0;seed=5");
    for (i, sample) in all.iter().enumerate() {
        assert_eq!(sample.id, once.sample_id(i));
        assert!(all[..i].iter().all(|other| other.context != sample.context));
    }
    assert!(once.sample(all.len()).is_err());
}

#[test]
fn the_template_is_rendered_whole_with_its_special_tokens_once() {
    let task = needle(&wide());
    let start = TOKENIZER.encode("<|im_start|>", false).unwrap();
    assert_eq!(start.len(), 1);
    for sample in samples(&task) {
        let text = prompt(&sample);
        let user = text.split("<|im_start|>user\n").nth(1).unwrap();
        let content = user.split("<|im_end|>").next().unwrap();
        let messages = [spindle::model::chat::Message::user(content)];
        assert_eq!(text, TOKENIZER.render_chat(&messages, true).unwrap());

        let whole = TOKENIZER.encode_chat(&messages, true).unwrap();
        let tokens = [&sample.context[..], &sample.question].concat();
        let count = |tokens: &[u32]| tokens.iter().filter(|&&id| id == start[0]).count();
        assert_eq!(count(&tokens), count(&whole));
        // Each seam may cost a token or save one.
        assert!(
            tokens.len().abs_diff(whole.len()) <= 8,
            "{} {}",
            tokens.len(),
            whole.len()
        );
    }
}

#[test]
fn the_reference_is_the_needle_and_scores_its_number() {
    let task = needle(&wide());
    for sample in samples(&task) {
        let text = TOKENIZER.decode(&sample.reference, false).unwrap();
        assert!(text.starts_with(STEM) && text.ends_with('.'), "{text}");
        let scored = &sample.reference[sample.reference_scored.clone()];
        assert_eq!(
            TOKENIZER.decode(scored, false).unwrap().trim(),
            sample.answers[0]
        );
        assert!(
            sample.reference.len() <= sample.max_new_tokens,
            "{text}: {}",
            sample.reference.len()
        );
        assert_eq!(task.score(&sample, &text), 1.0);
        assert_eq!(task.score(&sample, "I do not know."), 0.0);
    }
}

#[test]
fn with_a_cue_the_prompt_ends_where_the_number_goes() {
    let task = needle(&NeedleSettings {
        lengths: vec![512],
        cue: true,
        ..wide()
    });
    for sample in samples(&task) {
        let question = TOKENIZER.decode(&sample.question, false).unwrap();
        assert!(question.ends_with(" is"), "{question}");
        assert!(
            question.contains(&format!("assistant\n{STEM}")),
            "{question}"
        );
        let text = TOKENIZER.decode(&sample.reference, false).unwrap();
        assert_eq!(text, format!(" {}.", sample.answers[0]));
        assert_eq!(task.score(&sample, &text), 1.0);
        assert!(sample.prompt_tokens() <= 512);
    }
}

#[test]
fn what_cannot_be_used_is_named() {
    let refused = |settings: NeedleSettings, words: &[&str]| {
        let error = Needle::new(&settings, haystack(), TOKENIZER.clone(), 2048)
            .err()
            .unwrap();
        assert_eq!(exit_code(&error), 2);
        for word in words {
            assert!(error.to_string().contains(word), "{error}");
        }
    };
    let default = NeedleSettings::default;
    refused(
        NeedleSettings {
            lengths: vec![2040],
            ..default()
        },
        &["2040", "2048"],
    );
    refused(
        NeedleSettings {
            lengths: vec![90],
            ..default()
        },
        &["length 90", "too short"],
    );
    refused(
        NeedleSettings {
            depths: vec![101],
            ..default()
        },
        &["101"],
    );
    refused(
        NeedleSettings {
            depths: vec![],
            ..default()
        },
        &["depths"],
    );
    refused(
        NeedleSettings {
            distractors: vec![500],
            ..default()
        },
        &["500"],
    );
    refused(
        NeedleSettings {
            distractors: vec![70],
            ..default()
        },
        &["1024", "71 needles"],
    );
}
