//! LongBench's tasks on the default model's tokenizer: prompts, stops and scores by the official protocol.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use spindle::dataset::longbench::LongBenchRecord;
use spindle::error::exit_code;
use spindle::model::chat::Message;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{DEFAULT_MODEL, SourceOptions, resolve};
use spindle::task::longbench::{Definition, LongBench, LongBenchSettings, names};
use spindle::task::metric::Rules;
use spindle::task::{Sample, Task};

static TOKENIZER: LazyLock<Arc<ModelTokenizer>> = LazyLock::new(|| {
    let files = resolve(DEFAULT_MODEL, &SourceOptions::default()).unwrap();
    Arc::new(ModelTokenizer::load(&files).unwrap())
});

fn definition(name: &str) -> Definition {
    Definition::built_in(name).unwrap().unwrap()
}

/// A record whose context has about `sentences` times 12 tokens.
fn record(sentences: usize) -> LongBenchRecord {
    let sentence = |i: usize| {
        format!(
            "Barge {i} passed the lock at noon with {} crates. ",
            i * 7 % 90
        )
    };
    LongBenchRecord {
        input: "How many crates had the last barge?".into(),
        context: (0..sentences).map(sentence).collect(),
        answers: vec!["Paragraph 63".into(), "段落63".into()],
        length: sentences * 9,
        dataset: "any".into(),
        language: "en".into(),
        all_classes: Some(vec!["Paragraph 63".into(), "Number".into()]),
        id: "first".into(),
        others: BTreeMap::new(),
    }
}

fn task(name: &str, record: LongBenchRecord, max_length: Option<usize>) -> LongBench {
    let settings = LongBenchSettings {
        max_length,
        ..LongBenchSettings::default()
    };
    LongBench::new(
        name,
        definition(name),
        vec![record],
        settings,
        TOKENIZER.clone(),
        8192,
    )
    .unwrap()
}

fn sample(name: &str, record: LongBenchRecord, max_length: Option<usize>) -> Sample {
    task(name, record, max_length).sample(0).unwrap()
}

/// The tokens of a prompt, step by step as `pred.py` makes them.
fn official(name: &str, record: &LongBenchRecord, max_length: usize) -> Vec<u32> {
    let (mut text, _) = definition(name).template.fill(record);
    let tokens = TOKENIZER.encode(&text, true).unwrap();
    if tokens.len() > max_length {
        let half = max_length / 2;
        let first = TOKENIZER.decode(&tokens[..half], true).unwrap();
        let last = TOKENIZER
            .decode(&tokens[tokens.len() - half..], true)
            .unwrap();
        text = first + &last;
    }
    let exempt = ["trec", "triviaqa", "samsum", "lsht", "lcc", "repobench-p"];
    match exempt.contains(&name) {
        true => TOKENIZER.encode(&text, true).unwrap(),
        false => TOKENIZER.encode_chat(&[Message::user(text)], true).unwrap(),
    }
}

#[test]
fn there_are_the_21_tasks_and_13_of_them_by_length() {
    let all: Vec<Definition> = names().into_iter().map(definition).collect();
    assert_eq!(all.len(), 21);
    assert_eq!(all.iter().filter(|d| d.by_length).count(), 13);
    assert_eq!(all.iter().filter(|d| d.language == "zh").count(), 5);
    assert_eq!(all.iter().filter(|d| d.first_line).count(), 4);
    for (group, count) in [
        ("single-document QA", 4),
        ("multi-document QA", 4),
        ("summarisation", 4),
        ("few-shot", 4),
        ("synthetic", 3),
        ("code", 2),
    ] {
        assert_eq!(
            all.iter().filter(|d| d.group == group).count(),
            count,
            "{group}"
        );
    }
    for definition in &all {
        let metric = definition.metric.name(Rules::Official);
        assert_eq!(
            definition.language == "zh" && metric != "classification",
            metric.ends_with("_zh")
        );
        let summary = definition.group == "summarisation";
        assert_eq!(
            definition.max_new_tokens == 512,
            summary,
            "{}",
            definition.name
        );
    }
}

#[test]
fn prompts_are_the_official_tokens_whole_and_cut() {
    for name in names() {
        for (sentences, max_length) in [(20, 7500), (400, 1000), (400, 1001)] {
            let record = record(sentences);
            let sample = sample(name, record.clone(), Some(max_length));
            let tokens = [&sample.context[..], &sample.question].concat();
            assert_eq!(tokens, official(name, &record, max_length), "{name}");
            let text = definition(name).template.fill(&record).0;
            let whole = TOKENIZER.encode(&text, true).unwrap().len();
            let kept = if whole > max_length {
                max_length / 2 * 2
            } else {
                whole
            };
            assert_eq!(sample.cut, whole - kept, "{name}");
            assert!(tokens.len() <= 1100, "{name}: {}", tokens.len());
        }
    }
}

#[test]
fn the_question_is_what_follows_the_context_from_the_input_on() {
    for name in names() {
        let plain = record(20);
        let asked = definition(name)
            .template
            .fill(&plain)
            .0
            .contains(&plain.input);
        for max_length in [7500, 200] {
            let sample = sample(name, plain.clone(), Some(max_length));
            let question = TOKENIZER.decode(&sample.question, false).unwrap();
            let context = TOKENIZER.decode(&sample.context, false).unwrap();
            if asked {
                assert!(
                    question.trim_start().starts_with(&plain.input),
                    "{name}: {question}"
                );
                assert!(!context.contains(&plain.input), "{name}");
            } else {
                assert!(!question.contains("Barge"), "{name}: {question}");
                assert!(context.trim_end().ends_with("crates."), "{name}: {context}");
            }
            assert!(!sample.question.is_empty(), "{name}");
        }
    }
}

/// A question longer than half of what is kept: all that is left of it is the question.
#[test]
fn a_question_that_is_cut_starts_at_the_cut() {
    let mut long = record(3);
    long.input = record(100).context;
    let sample = sample("qasper", long.clone(), Some(300));
    let tokens = [&sample.context[..], &sample.question].concat();
    assert_eq!(tokens, official("qasper", &long, 300));
    let question = TOKENIZER.decode(&sample.question, false).unwrap();
    assert!(question.contains("Barge 99 passed"), "{question}");
    assert!(
        (140..200).contains(&sample.question.len()),
        "{}",
        sample.question.len()
    );
}

#[test]
fn stops_and_lengths_are_the_tasks() {
    let newline = TOKENIZER.encode("\n", false).unwrap();
    let samsum = sample("samsum", record(2), None);
    assert_eq!(
        (samsum.stops, samsum.min_new_tokens, samsum.max_new_tokens),
        (newline, 1, 128)
    );
    for name in ["trec", "qasper", "lcc"] {
        let sample = sample(name, record(2), None);
        assert_eq!((&sample.stops[..], sample.min_new_tokens), (&[][..], 0));
        assert_eq!(sample.max_new_tokens, definition(name).max_new_tokens);
    }
}

#[test]
fn the_reference_is_the_first_answer_as_it_would_be_written() {
    let reference = |name: &str, answer: &str| {
        let mut record = record(2);
        record.answers = vec![" ".into(), answer.into(), "another".into()];
        let sample = sample(name, record, None);
        assert_eq!(sample.reference_scored, 0..sample.reference.len());
        assert!(sample.reference.len() <= 64);
        TOKENIZER.decode(&sample.reference, false).unwrap()
    };
    // The template of a turn ends a line.
    assert_eq!(reference("qasper", "six barges"), "six barges");
    assert_eq!(reference("trec", "Number"), " Number");
    assert_eq!(reference("lsht", "体育"), "体育");
    assert_eq!(reference("lcc", "    return x"), "    return x");
    let long = record(90).context;
    let cut = reference("gov_report", &long);
    assert!(long.starts_with(&cut) && cut.len() > 100, "{cut}");
}

#[test]
fn an_answer_is_worth_the_best_of_its_answers() {
    let mut two = record(2);
    two.answers = vec!["red lamp".into(), "blue lamp".into()];
    let qasper = task("qasper", two.clone(), None);
    let sample = qasper.sample(0).unwrap();
    assert_eq!(qasper.score(&sample, "A blue lamp."), 1.0);
    assert_eq!(qasper.score(&sample, "red"), 2.0 / 3.0);
    assert_eq!(qasper.score(&sample, ""), 0.0);
    // The first line alone, where that is the rule.
    let triviaqa = task("triviaqa", two, None);
    assert_eq!(
        triviaqa.score(&sample, "\n\nblue lamp\nPassage: and so on"),
        1.0
    );
    assert!(qasper.score(&sample, "\n\nblue lamp\nPassage: and so on") < 1.0);
}

#[test]
fn metrics_are_named_by_their_rules() {
    let fixed = LongBenchSettings {
        rules: Rules::Fixed,
        ..LongBenchSettings::default()
    };
    for (name, official, other) in [
        ("trec", "classification", "classification-fixed"),
        ("qasper", "qa_f1", "qa_f1"),
        ("vcsum", "rouge_zh", "rouge_zh-fixed"),
    ] {
        assert_eq!(task(name, record(1), None).metric(), official);
        let task = LongBench::new(
            name,
            definition(name),
            vec![record(1)],
            fixed,
            TOKENIZER.clone(),
            8192,
        );
        assert_eq!(task.unwrap().metric(), other);
    }
}

#[test]
fn the_length_is_the_official_one_for_the_context() {
    let long = record(4000);
    let tokens = |max_context: usize| {
        let settings = LongBenchSettings::default();
        let definition = definition("gov_report");
        let records = vec![long.clone()];
        LongBench::new(
            "gov_report",
            definition,
            records,
            settings,
            TOKENIZER.clone(),
            max_context,
        )
        .unwrap()
        .sample(0)
        .unwrap()
        .prompt_tokens()
    };
    for (max_context, max_length) in [(4096, 3500), (8192, 7500), (16384, 15500), (32768, 31500)] {
        // The chat template, and the drift of tokenising twice.
        let excess = tokens(max_context) as i64 - max_length;
        assert!((0..80).contains(&excess), "{max_context}: {excess}");
    }
}

#[test]
fn what_does_not_fit_the_model_is_refused() {
    let settings = LongBenchSettings {
        max_length: Some(8000),
        ..LongBenchSettings::default()
    };
    let new = |max_context| {
        let definition = definition("gov_report");
        let records = vec![record(2000)];
        LongBench::new(
            "gov_report",
            definition,
            records,
            settings,
            TOKENIZER.clone(),
            max_context,
        )
    };
    let error = new(8192).err().unwrap();
    assert_eq!(exit_code(&error), 2);
    for word in ["gov_report", "max-length 8000", "512", "8192"] {
        assert!(error.to_string().contains(word), "{error}");
    }
    // Room for what was asked for, but not for the chat template around it.
    let error = new(8512).unwrap().sample(0).err().unwrap();
    assert!(
        error
            .to_string()
            .contains("do not fit the model's context of 8512"),
        "{error}"
    );
}
