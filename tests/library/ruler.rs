//! RULER's generators on the default model's tokenizer.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use spindle::error::exit_code;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{DEFAULT_MODEL, SourceOptions, resolve};
use spindle::task::ruler::{KINDS, RulerSettings};
use spindle::task::{Sample, Task};

static TOKENIZER: LazyLock<Arc<ModelTokenizer>> = LazyLock::new(|| {
    let files = resolve(DEFAULT_MODEL, &SourceOptions::default()).unwrap();
    Arc::new(ModelTokenizer::load(&files).unwrap())
});

const GENERATED: [(&str, usize); 11] = [
    ("niah_single_1", 128),
    ("niah_single_2", 128),
    ("niah_single_3", 128),
    ("niah_multikey_1", 128),
    ("niah_multikey_2", 128),
    ("niah_multikey_3", 128),
    ("niah_multivalue", 128),
    ("niah_multiquery", 128),
    ("vt", 30),
    ("cwe", 120),
    ("fwe", 50),
];

fn settings(tasks: &[&str], lengths: &[usize]) -> RulerSettings {
    RulerSettings {
        tasks: tasks.iter().map(ToString::to_string).collect(),
        lengths: lengths.to_vec(),
        seeds: 2,
        ..RulerSettings::default()
    }
}

fn build(settings: &RulerSettings) -> anyhow::Result<Vec<Box<dyn Task>>> {
    let built = settings.build(&TOKENIZER, 10_000)?;
    Ok(built.into_iter().map(|built| built.task).collect())
}

fn one(name: &str, length: usize) -> (Box<dyn Task>, Sample) {
    let task = build(&settings(&[name], &[length])).unwrap().remove(0);
    let sample = task.sample(0).unwrap();
    (task, sample)
}

fn text(tokens: &[u32]) -> String {
    TOKENIZER.decode(tokens, false).unwrap()
}

fn prompt(sample: &Sample) -> String {
    text(&[&sample.context[..], &sample.question].concat())
}

#[test]
fn there_are_thirteen_tasks_by_their_published_names() {
    let names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let generated: Vec<&str> = GENERATED.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, [&generated[..], &["qa_1", "qa_2"]].concat());
    // Without files, all that need none.
    let built = build(&settings(&[], &[1500])).unwrap();
    assert!(built.iter().map(|task| task.name()).eq(generated));
}

#[test]
fn prompts_leave_room_for_the_answer_and_little_more() {
    for (task, (name, max_new_tokens)) in build(&settings(&[], &[1024, 2048, 4097]))
        .unwrap()
        .iter()
        .zip(GENERATED)
    {
        assert_eq!(
            (task.name(), task.metric(), task.len()),
            (name, "string_match_all", 6)
        );
        for i in 0..task.len() {
            let sample = task.sample(i).unwrap();
            assert_eq!(sample.id, task.sample_id(i));
            assert_eq!(sample.max_new_tokens, max_new_tokens);
            let length = [1024, 2048, 4097][i / 2];
            let total = sample.prompt_tokens() + max_new_tokens;
            // A unit of these is at most a needle of two uuids.
            assert!(
                total <= length && total + 120 > length,
                "{name} {}: {total}",
                sample.id
            );
        }
    }
}

#[test]
fn the_context_holds_the_answers_and_a_right_answer_scores_one() {
    for task in build(&settings(&[], &[1500, 4096])).unwrap() {
        for i in 0..task.len() {
            let sample = task.sample(i).unwrap();
            let (context, reference) = (text(&sample.context), text(&sample.reference));
            for answer in &sample.answers {
                assert!(
                    context.contains(answer),
                    "{} {}: {answer}",
                    task.name(),
                    sample.id
                );
            }
            assert_eq!(task.score(&sample, &reference), 1.0, "{reference}");
            let wrong = task.score(&sample, "I do not know.");
            assert_eq!(wrong, 0.0, "{}", task.name());
            let first = task.score(&sample, &sample.answers[0]);
            assert!((first - 1.0 / sample.answers.len() as f64).abs() < 1e-12);
            assert!(!sample.reference.is_empty());
            assert_eq!(sample.reference_scored, 0..sample.reference.len());
        }
    }
}

#[test]
fn samples_are_the_same_every_time_and_differ_by_seed() {
    let (once, again) = (
        build(&settings(&[], &[1200])),
        build(&settings(&[], &[1200])),
    );
    for (once, again) in once.unwrap().iter().zip(&again.unwrap()) {
        let samples = [0, 1].map(|i| once.sample(i).unwrap());
        assert_eq!(samples, [0, 1].map(|i| again.sample(i).unwrap()));
        assert_ne!(samples[0].context, samples[1].context);
        assert_ne!(samples[0].answers, samples[1].answers);
        assert_eq!(samples[1].id, "length=1200;seed=1");
        assert!(once.sample(2).is_err());
    }
    let shifted = RulerSettings {
        seed: 1,
        ..settings(&["vt"], &[1200])
    };
    let shifted = build(&shifted).unwrap()[0].sample(0).unwrap();
    assert_eq!(
        shifted,
        build(&settings(&["vt"], &[1200])).unwrap()[0]
            .sample(1)
            .unwrap()
    );
}

#[test]
fn prompts_are_chats_whose_answer_is_begun() {
    for (task, cue) in build(&settings(&[], &[1500])).unwrap().iter().zip([
        "in the text above is",
        "in the text above is",
        "in the text above is",
        "in the text above is",
        "in the text above is",
        "in the text above is",
        "in the text above are",
        "in the text above are",
        "they are:",
        "in the list above are:",
        "most often are:",
    ]) {
        let sample = task.sample(0).unwrap();
        let (context, question) = (text(&sample.context), text(&sample.question));
        assert!(context.starts_with("<|im_start|>"), "{context}");
        assert!(question.contains("?"), "{question}");
        let (_, begun) = question
            .split_once("<|im_end|>\n<|im_start|>assistant\n")
            .unwrap();
        assert!(begun.ends_with(cue), "{}: {begun}", task.name());
        // As the whole text is tokenised.
        let whole = TOKENIZER
            .encode(&format!("{context}{question}"), false)
            .unwrap();
        assert_eq!([&sample.context[..], &sample.question].concat(), whole);
    }
}

/// Key, value of each needle in the prompt.
fn needles(sample: &Sample) -> Vec<(String, String)> {
    let text = prompt(sample);
    let found = text
        .match_indices("A special magic ")
        .filter_map(|(at, _)| {
            let (_, rest) = text[at..].split_once(" for ")?;
            let (key, rest) = rest.split_once(" is: ")?;
            let (value, _) = rest.split_once('.')?;
            Some((key.to_string(), value.to_string()))
        });
    found.filter(|(key, _)| !key.contains(' ')).collect()
}

#[test]
fn needles_are_as_many_and_as_published() {
    let is_number =
        |text: &str| text.len() == 7 && text.parse::<u32>().is_ok_and(|n| n >= 1_000_000);
    let is_uuid =
        |text: &str| text.len() == 36 && text.matches('-').count() == 4 && &text[14..15] == "4";
    // Planted, different keys among them, answers; 0: as many as fit.
    for (name, planted, keys, answers) in [
        ("niah_single_1", 1, 1, 1),
        ("niah_single_2", 1, 1, 1),
        ("niah_single_3", 1, 1, 1),
        ("niah_multikey_1", 4, 4, 1),
        ("niah_multikey_2", 0, 0, 1),
        ("niah_multikey_3", 0, 0, 1),
        ("niah_multivalue", 4, 1, 4),
        ("niah_multiquery", 4, 4, 4),
    ] {
        let (_, sample) = one(name, 2048);
        let found = needles(&sample);
        let distinct = |part: fn(&(String, String)) -> &String| {
            let mut values: Vec<_> = found.iter().map(part).collect();
            values.sort();
            values.dedup();
            values.len()
        };
        let (wanted, wanted_keys) = if planted == 0 {
            (found.len(), found.len())
        } else {
            (planted, keys)
        };
        assert!(planted > 0 || found.len() > 15, "{name}");
        assert_eq!(found.len(), wanted, "{name}");
        assert_eq!(distinct(|needle| &needle.0), wanted_keys, "{name}");
        assert_eq!(distinct(|needle| &needle.1), wanted, "{name}");
        assert_eq!(sample.answers.len(), answers, "{name}");
        for (key, value) in &found {
            let uuid_values = ["niah_single_3", "niah_multikey_3"].contains(&name);
            assert!(
                if uuid_values {
                    is_uuid(value)
                } else {
                    is_number(value)
                },
                "{name}: {value}"
            );
            assert_eq!(is_uuid(key), name == "niah_multikey_3", "{key}");
        }
        let question = text(&sample.question);
        for answer in &sample.answers {
            let (key, _) = found.iter().find(|needle| needle.1 == *answer).unwrap();
            assert_eq!(question.matches(key).count(), 2, "{name}: {question}");
        }
    }
}

#[test]
fn a_chain_has_four_hops_after_an_example() {
    let (_, sample) = one("vt", 2048);
    let context = text(&sample.context);
    let assignments: Vec<&str> = context
        .lines()
        .filter(|line| line.starts_with("VAR "))
        .collect();
    assert_eq!(assignments.len(), 10);
    let (example, asked) = assignments.split_at(5);
    assert!(
        example
            .iter()
            .all(|line| line[4..7].chars().all(|c| c.is_ascii_uppercase()))
    );
    assert_eq!(sample.answers.len(), 5);
    for (i, (line, name)) in asked.iter().zip(&sample.answers).enumerate() {
        assert_eq!(name.len(), 5);
        match i {
            0 => {
                let value = line.strip_prefix(&format!("VAR {name} = ")).unwrap();
                assert!(value.len() == 5 && value.parse::<u32>().is_ok());
                assert_eq!(
                    prompt(&sample).matches(value).count(),
                    3,
                    "chain, question, cue"
                );
            }
            _ => assert_eq!(*line, format!("VAR {name} = VAR {}", sample.answers[i - 1])),
        }
    }
}

/// How often each numbered word of the last list stands in it.
fn listed(context: &str) -> HashMap<String, usize> {
    let list = context.trim_end().lines().last().unwrap();
    let mut counts = HashMap::new();
    for word in list.split(' ').filter(|word| !word.ends_with('.')) {
        *counts.entry(word.to_string()).or_insert(0) += 1;
    }
    counts
}

#[test]
fn common_words_stand_thirty_times_against_three_and_in_short_lists_six_against_one() {
    for (length, common, uncommon) in [(2048, 6, 1), (4096, 30, 3), (8000, 30, 3)] {
        let (_, sample) = one("cwe", length);
        let counts = listed(&text(&sample.context));
        assert_eq!(sample.answers.len(), 10);
        for (word, count) in &counts {
            let expected = if sample.answers.contains(word) {
                common
            } else {
                uncommon
            };
            assert_eq!(*count, expected, "{length}: {word}");
        }
        assert!(counts.len() > 20, "{length}: {}", counts.len());
    }
}

#[test]
fn frequent_words_lead_by_the_square_of_their_rank() {
    for length in [1024, 4096] {
        let (_, sample) = one("fwe", length);
        let context = text(&sample.context);
        let line = context.trim_end().lines().last().unwrap();
        let (_, words) = line.split_once("most often. ").unwrap();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for word in words.split(' ') {
            *counts.entry(word).or_insert(0) += 1;
        }
        let noise = counts.remove("...").unwrap();
        assert!(counts.keys().all(|word| word.len() == 6));
        assert!(counts.len() < length / 50);
        let mut ranked: Vec<_> = counts.iter().collect();
        ranked.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let leading: Vec<&str> = ranked[..3].iter().map(|(word, _)| **word).collect();
        assert_eq!(leading, sample.answers);
        for (rank, (_, count)) in (2..).zip(ranked) {
            let expected = noise as f64 / f64::from(rank * rank);
            assert!(
                (*count as f64 - expected).abs() <= 1.0,
                "rank {rank}: {count} of {noise}"
            );
        }
    }
}

const SQUAD: &str = r#"{"version": "v2.0", "data": [
  {"title": "Towers", "paragraphs": [
    {"context": "The tower of Brem was built in 1402.", "qas": [
      {"id": "a", "question": "When was the tower of Brem built?", "is_impossible": false,
       "answers": [{"text": "1402", "answer_start": 31}, {"text": "in 1402", "answer_start": 28}]},
      {"id": "b", "question": "Who built it?", "is_impossible": true, "answers": []}]},
    {"context": "The tower of Aft leans.", "qas": [
      {"id": "c", "question": "What does the tower of Aft do?", "answers": [{"text": "leans", "answer_start": 17}]}]}]},
  {"title": "Ferries", "paragraphs": [
    {"context": "The ferry to Oss sails at noon.", "qas": []},
    {"context": "The ferry to Und sails at dusk.", "qas": []}]}]}"#;

const HOTPOTQA: &str = r#"[
  {"_id": "1", "question": "Which is older, Brem or Aft?", "answer": "Brem",
   "context": [["Brem", ["Brem is from 1402.", " It stands."]], ["Aft", ["Aft is from 1500."]]]},
  {"_id": "2", "question": "Does the ferry sail?", "answer": "yes", "context": [["Ferry", ["It sails."]]]}]"#;

fn over(file: &Path, key: &str) -> RulerSettings {
    let mut settings = settings(&[if key == "squad" { "qa_1" } else { "qa_2" }], &[2000]);
    settings.seeds = 10;
    match key {
        "squad" => settings.squad = Some(file.into()),
        _ => settings.hotpotqa = Some(file.into()),
    }
    settings
}

#[test]
fn questions_come_with_their_documents_among_others() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("qa.json");
    std::fs::write(&file, SQUAD).unwrap();
    let tasks = build(&over(&file, "squad")).unwrap();
    let task = &tasks[0];
    assert_eq!(
        (task.name(), task.metric(), task.len()),
        ("qa_1", "string_match_part", 2)
    );
    let sample = task.sample(0).unwrap();
    let context = text(&sample.context);
    // The length has room for all four, in any order, each once.
    for document in ["Brem was", "Aft leans", "noon", "dusk"] {
        assert_eq!(context.matches(document).count(), 1, "{context}");
    }
    for i in 1..=4 {
        assert!(context.contains(&format!("Document {i}:\n")), "{context}");
    }
    assert!(text(&sample.question).contains("Question: When was the tower of Brem built?"));
    assert!(prompt(&sample).ends_with("Answer:"));
    assert_eq!(
        (&sample.answers[..], sample.max_new_tokens),
        (&["1402".into(), "in 1402".into()][..], 32)
    );
    assert_eq!(task.score(&sample, "In 1402, they say"), 1.0);
    assert_eq!(task.score(&sample, "1403"), 0.0);
    assert_eq!(task.sample(1).unwrap().answers, ["leans"]);

    // Where there is room for two, the second is of the same article.
    let mut short = over(&file, "squad");
    let two = sample.prompt_tokens() + 32
        - 2 * TOKENIZER
            .encode("\n\nDocument 4:\nThe ferry to Oss sails at noon.", false)
            .unwrap()
            .len();
    short.lengths = vec![two];
    let context = text(&build(&short).unwrap()[0].sample(0).unwrap().context);
    assert!(
        context.contains("Aft leans") && !context.contains("ferry"),
        "{context}"
    );

    std::fs::write(&file, HOTPOTQA).unwrap();
    let tasks = build(&over(&file, "hotpotqa")).unwrap();
    let sample = tasks[0].sample(0).unwrap();
    assert_eq!(
        (tasks[0].len(), &sample.answers[..]),
        (2, &["Brem".to_string()][..])
    );
    assert!(text(&sample.context).contains("Brem\nBrem is from 1402. It stands."));
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("qa.json");
    let refused = |key: &str, content: &str, words: &[&str]| {
        std::fs::write(&file, content).unwrap();
        let error = build(&over(&file, key)).err().unwrap();
        assert_eq!(exit_code(&error), 2);
        for word in [&["qa.json"][..], words].concat() {
            assert!(error.to_string().contains(word), "no {word:?} in {error}");
        }
    };
    refused(
        "squad",
        &SQUAD.replace("\"id\": \"b\", \"question\"", "\"id\": \"b\", \"qestion\""),
        &[":6:", "missing field `question`"],
    );
    refused("squad", &SQUAD[..SQUAD.len() - 3], &[":11:", "EOF"]);
    refused(
        "squad",
        &SQUAD.replace("\"is_impossible\": true", "\"is_impossible\": 3"),
        &[":6:", "expected true or false"],
    );
    refused(
        "squad",
        &SQUAD.replace("\"is_impossible\": true", "\"is_impossible\": false"),
        &["Who built it?", "no answer"],
    );
    refused("squad", HOTPOTQA, &[":2:", "not a SQuAD file"]);
    refused("squad", r#"{"data": []}"#, &["no question"]);
    refused("hotpotqa", SQUAD, &[":1:", "not a HotpotQA file"]);
    refused(
        "hotpotqa",
        &HOTPOTQA.replace("\"yes\"", "\"\""),
        &["Does the ferry sail?", "no answer"],
    );
    refused("hotpotqa", "[]", &["no question"]);
    std::fs::remove_file(&file).unwrap();
    let error = build(&over(&file, "squad")).err().unwrap();
    assert!(
        exit_code(&error) == 2 && error.to_string().contains("qa.json: cannot be read"),
        "{error}"
    );
}

#[test]
fn settings_that_cannot_be_used_are_named() {
    let refused = |settings: RulerSettings, words: &[&str]| {
        let error = build(&settings).err().unwrap();
        assert_eq!(exit_code(&error), 2);
        for word in words {
            assert!(error.to_string().contains(word), "no {word:?} in {error}");
        }
    };
    refused(
        settings(&["niah_singel_1"], &[1024]),
        &["\"niah_singel_1\"", "did you mean \"niah_single_1\"?"],
    );
    refused(settings(&["vt", "vt"], &[1024]), &["twice"]);
    refused(settings(&["vt"], &[1024, 1024]), &["twice"]);
    refused(settings(&["vt"], &[]), &["lengths"]);
    refused(
        settings(&["vt"], &[400]),
        &["length 400", "too short for vt"],
    );
    refused(settings(&["vt"], &[10_001]), &["length 10001", "10000"]);
    refused(settings(&["qa_2"], &[1024]), &["qa_2 needs hotpotqa"]);
}
