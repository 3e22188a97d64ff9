//! spindle-mini on the default model's tokenizer: what is composed, and that LongBench's loader takes it.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use spindle::dataset::bank::{Bank, Passage};
use spindle::dataset::longbench::LongBenchRecord;
use spindle::error::exit_code;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{DEFAULT_MODEL, SourceOptions, resolve};
use spindle::task::kinds;
use spindle::task::mini::{Composer, KINDS, MiniKind};

static TOKENIZER: LazyLock<Arc<ModelTokenizer>> = LazyLock::new(|| {
    let files = resolve(DEFAULT_MODEL, &SourceOptions::default()).unwrap();
    Arc::new(ModelTokenizer::load(&files).unwrap())
});
static BANK: LazyLock<Bank> = LazyLock::new(|| Bank::own().unwrap());

const LENGTHS: [usize; 3] = [1024, 2048, 4096];

fn composed(kind: &MiniKind, length: usize, samples: usize, seed: u64) -> Vec<LongBenchRecord> {
    let definition = kind.definition().unwrap();
    let composer = Composer::new(kind, &BANK, &definition, &TOKENIZER).unwrap();
    composer.records(length, samples, seed).unwrap()
}

/// As many records of every length as the suite has, and a few more.
fn all(name: &str) -> Vec<LongBenchRecord> {
    let kind = KINDS.iter().find(|kind| kind.name == name).unwrap();
    let of = |length| composed(kind, length, 16, 0);
    LENGTHS.into_iter().flat_map(of).collect()
}

/// The passages in a context.
fn shown(record: &LongBenchRecord) -> Vec<&'static Passage> {
    let there = |passage: &&Passage| record.context.contains(&passage.text);
    BANK.passages.iter().filter(there).collect()
}

/// What stands in a context of numbered paragraphs.
fn paragraphs(record: &LongBenchRecord) -> Vec<&'static Passage> {
    let mut rest = record.context.as_str();
    let mut found = Vec::new();
    while !rest.is_empty() {
        let text = rest.strip_prefix(&format!("Paragraph {}: ", found.len() + 1));
        let is_next = |passage: &&Passage| text.unwrap().starts_with(&passage.text);
        let next = BANK.passages.iter().find(is_next).unwrap();
        rest = text.unwrap()[next.text.len()..].trim_start();
        found.push(next);
    }
    found
}

#[test]
fn prompts_are_as_long_as_whole_passages_allow() {
    for kind in &KINDS {
        let definition = kind.definition().unwrap();
        let tokens = |text: &str| TOKENIZER.encode(text, false).unwrap().len();
        let in_kind = |p: &&Passage| kind.genre.is_none_or(|genre| genre == p.genre);
        let passages = BANK.passages.iter().filter(in_kind);
        let largest = passages.map(|p| tokens(&(kind.show)(p, 1))).max().unwrap();
        for length in LENGTHS {
            let records = composed(kind, length, 16, 0);
            assert_eq!(records.len(), 16);
            let mut contexts: Vec<&str> = records.iter().map(|r| &*r.context).collect();
            contexts.sort_unstable();
            contexts.dedup();
            // Questions share contexts where there is room for several; those of a count differ, but begin alike.
            let shared = length > 1024 && kind.name != "mini-count";
            assert!(!shared || contexts.len() < 16, "{} {length}", kind.name);
            for context in contexts {
                let same = records.iter().filter(|r| r.context == context);
                let of = |r| definition.prompt_tokens(r, &TOKENIZER).unwrap();
                let longest = same.map(of).max().unwrap();
                assert!(longest <= length, "{} {longest}", kind.name);
                // Room for one more, at most: a passage less for each that a count repeats.
                assert!(
                    longest + 2 * largest > length,
                    "{} {longest} of {length}",
                    kind.name
                );
            }
        }
    }
}

#[test]
fn answers_stand_in_one_passage_of_their_context() {
    for name in ["mini-qa", "mini-two-hop"] {
        for record in all(name) {
            let with: BTreeSet<usize> = BANK.with_any(&record.answers).collect();
            let there = shown(&record);
            assert!(there.len() >= 2, "{}", record.context);
            let answering: Vec<_> = there
                .iter()
                .filter(|p| with.iter().any(|&i| BANK.passages[i].id == p.id))
                .collect();
            let [passage] = answering[..] else {
                panic!("{}: {} passages", record.input, answering.len());
            };
            let links = BANK.links.iter();
            let link = links
                .filter(|link| link.question.text == record.input)
                .find(|link| BANK.passages[link.to].id == passage.id);
            if name == "mini-qa" {
                let asked = passage.questions.iter().find(|q| q.text == record.input);
                assert_eq!(asked.unwrap().answers, record.answers);
            } else {
                let from = &BANK.passages[link.unwrap().from].id;
                assert!(there.iter().any(|p| p.id == *from), "{}", record.input);
            }
        }
    }
}

#[test]
fn places_and_counts_are_those_of_the_context() {
    for record in all("mini-retrieval") {
        let paragraphs = paragraphs(&record);
        let place = paragraphs.iter().position(|p| p.summary == record.input);
        assert_eq!(
            record.answers,
            [format!("Paragraph {}", place.unwrap() + 1)]
        );
    }
    let mut repeating = 0;
    for record in all("mini-count") {
        let paragraphs = paragraphs(&record);
        let different: BTreeSet<&str> = paragraphs.iter().map(|p| p.id.as_str()).collect();
        assert_eq!(record.answers, [different.len().to_string()]);
        repeating += usize::from(different.len() < paragraphs.len());
    }
    assert!((20..48).contains(&repeating), "{repeating} of 48");
}

#[test]
fn what_is_asked_for_is_not_shown() {
    for record in all("mini-topics") {
        let summary = record.input.strip_prefix("Text: ").unwrap();
        let summary = summary.strip_suffix("\nTopic:").unwrap();
        let passage = BANK.passages.iter().find(|p| p.summary == summary).unwrap();
        assert!(!record.context.contains(summary));
        assert_eq!(record.answers, std::slice::from_ref(&passage.topic));
        let classes = record.all_classes.unwrap();
        assert!(classes.len() == 10 && classes.contains(&passage.topic));
    }
    for record in all("mini-code") {
        let (heading, start) = record.input.split_once('\n').unwrap();
        let is_asked = |p: &&Passage| format!("# {}", p.title) == heading;
        let passage = BANK.passages.iter().find(is_asked).unwrap();
        let next = passage.text.strip_prefix(start).unwrap();
        assert_eq!(next.lines().nth(1).unwrap(), record.answers[0]);
        assert!(!record.context.contains(heading));
        assert!(shown(&record).iter().all(|p| p.genre == "source"));
    }
    for record in all("mini-summary") {
        let there = shown(&record);
        let passage = there.iter().find(|p| p.title == record.input).unwrap();
        assert_eq!(record.answers, std::slice::from_ref(&passage.summary));
    }
}

#[test]
fn seed_and_length_decide_the_records() {
    for kind in &KINDS {
        let records = composed(kind, 1024, 12, 0);
        assert_eq!(records, composed(kind, 1024, 12, 0), "{}", kind.name);
        assert_eq!(
            records[..7],
            composed(kind, 1024, 7, 0),
            "{}: fewer",
            kind.name
        );
        assert_ne!(records, composed(kind, 1024, 12, 1), "{}", kind.name);
        let ids: Vec<_> = records.iter().map(|r| r.id.as_str()).collect();
        assert_eq!((ids[0], ids[11]), ("length=1024;n=0", "length=1024;n=11"));
    }
}

#[test]
fn tables_become_tasks_of_forty_samples() {
    for kind in &KINDS {
        let table = toml::from_str(&format!("name = '{}'", kind.name)).unwrap();
        let built = kinds::parse(&table, "test").unwrap();
        let [built] = &built.build(&TOKENIZER, 8192, 0).unwrap()[..] else {
            panic!("not one task");
        };
        let task = &built.task;
        assert_eq!((task.name(), task.len()), (kind.name, 40));
        assert_eq!(built.left_out, 0);
        let chance = built.chance.unwrap();
        assert!((0.0..0.6).contains(&chance), "{}: {chance}", kind.name);
        let last = task.sample(39).unwrap();
        assert_eq!(last.id, "length=4096;n=12");
        assert!((2500..=4096).contains(&last.prompt_tokens()));
        // A right answer is right.
        let right = task.score(&last, &last.answers[0]);
        assert!(right > 0.999, "{}: {right}", kind.name);
    }
}

#[test]
fn settings_that_cannot_be_are_refused() {
    let error = |settings: &str, max_context: usize| {
        let table = toml::from_str(&format!("name = 'mini-qa'\n{settings}")).unwrap();
        let built = kinds::parse(&table, "f.toml");
        let error = match built.and_then(|spec| spec.build(&TOKENIZER, max_context, 0)) {
            Ok(_) => panic!("{settings} is taken"),
            Err(error) => error,
        };
        assert_eq!(exit_code(&error), 2);
        format!("{error:#}")
    };
    assert!(error("lengths = []", 8192).contains("40 samples at 0 lengths"));
    assert!(error("samples = 2", 8192).contains("2 samples at 3 lengths"));
    assert!(error("lengths = [1024, 1024]", 8192).contains("stands twice in lengths"));
    assert!(error("length = 5", 8192).contains("unknown field `length`"));
    assert!(error("lengths = [100]", 8192).contains("length 100 is too short"));
    assert!(error("lengths = [4096]", 4096).contains("do not fit the model's context of 4096"));
}
