//! The published needle protocols on the default model's tokenizer.

use std::sync::{Arc, LazyLock};

use spindle::dataset::haystack::Haystack;
use spindle::dataset::texts::own_texts;
use spindle::error::exit_code;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{DEFAULT_MODEL, SourceOptions, resolve};
use spindle::task::niah::protocol::{PACKED, Protocol};
use spindle::task::niah::{Niah, NiahSettings, Spacing};
use spindle::task::{Sample, Task};

const NEEDLE: &str = "The best thing to do in San Francisco is eat a sandwich and sit in Dolores Park on a sunny day.";

static TOKENIZER: LazyLock<Arc<ModelTokenizer>> = LazyLock::new(|| {
    let files = resolve(DEFAULT_MODEL, &SourceOptions::default()).unwrap();
    Arc::new(ModelTokenizer::load(&files).unwrap())
});

fn new(protocol: Protocol, settings: &NiahSettings, max_context: usize) -> anyhow::Result<Niah> {
    let haystack = Haystack::new(&own_texts().unwrap(), &TOKENIZER).unwrap();
    Niah::new(protocol, settings, haystack, TOKENIZER.clone(), max_context)
}

fn of_lengths(lengths: &[usize]) -> NiahSettings {
    NiahSettings {
        lengths: Some(lengths.to_vec()),
        ..NiahSettings::default()
    }
}

fn samples(task: &Niah) -> Vec<Sample> {
    (0..task.len()).map(|i| task.sample(i).unwrap()).collect()
}

fn prompt(sample: &Sample) -> String {
    let tokens = [&sample.context[..], &sample.question].concat();
    TOKENIZER.decode(&tokens, false).unwrap()
}

#[test]
fn a_published_prompt_holds_the_needle_in_a_book_after_a_full_stop() {
    let task = new(Protocol::Published, &of_lengths(&[1000, 3000]), 8192).unwrap();
    let samples = samples(&task);
    assert_eq!(
        (task.name(), task.metric(), samples.len()),
        ("needle-published", "overlap", 20)
    );
    assert_eq!(samples[1].id, "length=1000;depth=11");
    for (i, sample) in samples.iter().enumerate() {
        assert_eq!(sample.id, task.sample_id(i));
        assert_eq!(task.sample(i).unwrap(), *sample);
        let text = prompt(sample);
        assert!(
            text.starts_with("<|im_start|> ") && text.ends_with("is: \nAnswer:"),
            "{text}"
        );
        let (opening, rest) = text.split_once("<book> ").unwrap();
        let (book, closing) = rest.split_once(" </book>.\n").unwrap();
        assert_eq!(text.matches(NEEDLE).count(), 1, "{}", sample.id);
        let (before, _) = book.split_once(&format!("\n{NEEDLE}\n")).unwrap();
        let depth: f64 = sample.id.split("depth=").nth(1).unwrap().parse().unwrap();
        assert!(
            depth == 100.0 || before.is_empty() || before.ends_with('.'),
            "{}",
            sample.id
        );
        let share = 100.0 * before.len() as f64 / book.len() as f64;
        assert!(
            share <= depth + 3.0 && share > depth - 15.0,
            "{}: {share}",
            sample.id
        );

        // The book has the length less the buffer; encoding its text anew may join tokens or part them.
        let length = if i < 10 { 1000 } else { 3000 };
        let book = TOKENIZER.encode(book, false).unwrap().len();
        assert!((book + 200).abs_diff(length) <= 5, "{}: {book}", sample.id);
        let around = TOKENIZER.encode(opening, false).unwrap().len()
            + TOKENIZER.encode(closing, false).unwrap().len();
        assert!(sample.prompt_tokens().abs_diff(book + around) < 15);

        assert_eq!(sample.max_new_tokens, 30);
        assert_eq!(sample.stops, TOKENIZER.encode("\n", false).unwrap());
        let reference = TOKENIZER.decode(&sample.reference, false).unwrap();
        assert_eq!(task.score(sample, &reference), 1.0);
        assert_eq!(sample.reference_scored, 0..sample.reference.len());
    }
    let tokens = TOKENIZER.encode(&prompt(&samples[5]), true).unwrap();
    assert_eq!(
        [&samples[5].context[..], &samples[5].question].concat(),
        tokens
    );
}

#[test]
fn both_published_scores_are_computed() {
    let task = new(Protocol::Published, &of_lengths(&[1000]), 8192).unwrap();
    let sample = task.sample(0).unwrap();
    assert_eq!(
        task.score(&sample, "Eat a sandwich in Dolores Park"),
        6.0 / 11.0
    );
    // 6 of 6 words against 6 of 21.
    let (name, rouge) = task.other_scores("Eat a sandwich in Dolores Park")[0];
    assert_eq!(name, "rouge1");
    assert!((rouge - 2.0 * 6.0 / 27.0).abs() < 1e-12);
    assert_eq!(task.other_scores(NEEDLE), [("rouge1", 1.0)]);
}

#[test]
fn the_original_is_asked_in_a_chat_at_sigmoid_depths() {
    let settings = NiahSettings {
        spacing: Some(Spacing::Sigmoid),
        intervals: Some(5),
        ..of_lengths(&[1000])
    };
    let task = new(Protocol::Original, &settings, 8192).unwrap();
    let samples = samples(&task);
    assert_eq!(samples[1].id, "length=1000;depth=7.586");
    for sample in samples {
        let text = prompt(&sample);
        assert!(text.contains("<|im_start|>user\n") && text.ends_with("<|im_start|>assistant\n"));
        assert!(text.contains("San Francisco?<|im_end|>"), "{text}");
        assert_eq!((sample.max_new_tokens, sample.stops.len()), (300, 0));
        assert!(sample.prompt_tokens() < 1000);
        assert_eq!(task.score(&sample, NEEDLE), 1.0);
    }
}

#[test]
fn several_needles_are_spread_from_the_first_to_the_end() {
    let settings = NiahSettings {
        depths: Some(vec![0.0, 40.0, 100.0]),
        needles: Some(4),
        ..of_lengths(&[2000])
    };
    let task = new(Protocol::Multi, &settings, 8192).unwrap();
    for (sample, first) in samples(&task).iter().zip([0.0, 40.0, 100.0]) {
        assert_eq!(sample.id, format!("length=2000;depth={first};needles=4"));
        let text = prompt(sample);
        let start = text.find("few words.\n\n").unwrap() + 12;
        let end = text.find("\n\nWhat does the keeper").unwrap();
        for (i, thing) in PACKED[..4].iter().enumerate() {
            let at = text.find(&format!("packs {thing}.")).unwrap();
            let share = 100.0 * (at - start) as f64 / (end - start) as f64;
            let aimed = first + (100.0 - first) / 4.0 * i as f64;
            assert!((share - aimed).abs() < 6.0, "{}: {share}", sample.id);
        }
        assert_eq!(sample.answers, PACKED[..4]);
        assert_eq!(task.score(sample, "Figs, chessmen and nothing else."), 0.5);
        let reference = TOKENIZER.decode(&sample.reference, false).unwrap();
        assert_eq!(task.score(sample, &reference), 1.0);
    }
}

/// An answer in the haystack would be found without its needle.
#[test]
fn the_haystack_holds_no_answer() {
    let texts = own_texts().unwrap().concat().to_lowercase();
    for thing in PACKED {
        assert!(!texts.contains(thing), "{thing}");
    }
    assert!(!texts.contains("dolores") && !texts.contains("san francisco"));
}

#[test]
fn what_cannot_be_used_is_named() {
    let refused = |protocol, settings: NiahSettings, words: &[&str]| {
        let error = new(protocol, &settings, 2048).err().unwrap();
        assert_eq!(exit_code(&error), 2);
        for word in words {
            assert!(error.to_string().contains(word), "{error}");
        }
    };
    let published = Protocol::Published;
    refused(
        published,
        of_lengths(&[1000, 2300]),
        &["length 2300", "2048"],
    );
    refused(
        published,
        of_lengths(&[220]),
        &["length 220", "too short", "200"],
    );
    refused(published, of_lengths(&[]), &["lengths"]);
    refused(published, of_lengths(&[900, 900]), &["twice"]);
    let with = |settings: NiahSettings| NiahSettings {
        lengths: Some(vec![1000]),
        ..settings
    };
    let default = NiahSettings::default;
    let depths = NiahSettings {
        depths: Some(vec![100.5]),
        ..default()
    };
    refused(published, with(depths.clone()), &["100.5"]);
    refused(
        published,
        with(NiahSettings {
            intervals: Some(0),
            ..default()
        }),
        &["intervals"],
    );
    refused(
        published,
        with(NiahSettings {
            intervals: Some(3),
            ..depths
        }),
        &["intervals"],
    );
    let needles = |count| {
        with(NiahSettings {
            needles: Some(count),
            ..default()
        })
    };
    refused(published, needles(2), &["needles", "needle-multi"]);
    refused(
        Protocol::Multi,
        needles(0),
        &["needles = 0", "from 1 to 10"],
    );
    refused(
        Protocol::Multi,
        needles(11),
        &["needles = 11", "from 1 to 10"],
    );
}

/// Haystacks without a `.`: Chinese with its own stops, and text without any.
#[test]
fn a_needle_stands_at_its_depth_whatever_ends_the_sentences() {
    let chinese = |i: usize| format!("第{i}艘渡船载着{}箱苹果离开码头。", i * 37 % 91);
    let bare = |i: usize| format!("line {i} of a list without any stop\n");
    let texts: [(String, &[char]); 2] = [
        ((0..300).map(chinese).collect(), &['。']),
        ((0..900).map(bare).collect(), &['p']),
    ];
    for (text, ends) in texts {
        let haystack = Haystack::new(&[text], &TOKENIZER).unwrap();
        let settings = of_lengths(&[1500, 3000]);
        let task = Niah::new(
            Protocol::Published,
            &settings,
            haystack,
            TOKENIZER.clone(),
            8192,
        )
        .unwrap();
        for sample in samples(&task) {
            let text = prompt(&sample);
            let (_, rest) = text.split_once("<book> ").unwrap();
            let (book, _) = rest.split_once(" </book>.\n").unwrap();
            let (before, _) = book.split_once(&format!("\n{NEEDLE}\n")).unwrap();
            let depth: f64 = sample.id.split("depth=").nth(1).unwrap().parse().unwrap();
            let share = 100.0 * before.len() as f64 / book.len() as f64;
            assert!(
                share <= depth + 3.0 && share > depth - 10.0,
                "{}: {share}",
                sample.id
            );
            assert!(
                depth == 100.0 || before.is_empty() || before.ends_with(ends),
                "{}: {before}",
                sample.id
            );
        }
    }
}
