//! Readers of task files and of their records: whatever is in them, a task, or a message.

use std::path::Path;

use proptest::prelude::*;
use spindle::error::exit_code;
use spindle::task::custom::TaskFile;
use spindle::task::longbench::Metric;

const GOOD: &str = "name = 'mine'\ndata = 'mine.jsonl'\nmetric = 'recall'\nmax-new-tokens = 8\n\
                    template = 'Read {text}. {ask}'\n[fields]\ncontext = 'text'\nanswers = 'right'\n";

fn read(text: &str) -> anyhow::Result<TaskFile> {
    TaskFile::parse(text, Path::new("folder"), "folder/mine.toml")
}

#[test]
fn every_metric_can_be_asked_for_by_its_name() {
    let names: Vec<&str> = Metric::names().map(|(name, ..)| name).collect();
    assert_eq!(names.len(), 18);
    for name in names {
        let text = GOOD.replace("recall", name) + "classes = 'labels'\n";
        let file = read(&text).unwrap();
        assert_eq!(file.definition.metric.name(file.rules), name);
    }
}

#[test]
fn what_is_left_out_is_the_default() {
    let file = read(GOOD).unwrap();
    let definition = &file.definition;
    assert!(definition.chat && !definition.first_line && definition.stops.is_empty());
    assert_eq!((definition.min_new_tokens, file.max_length), (0, None));
    assert_eq!((definition.language.as_str(), file.fields.id), ("en", None));
    assert_eq!(file.data, Path::new("folder/mine.jsonl"));
}

/// A piece of the good file, a piece with something changed, or something else.
fn piece() -> impl Strategy<Value = String> {
    let lines: Vec<&str> = GOOD.lines().collect();
    let line = proptest::sample::select(lines);
    let changed = (line.clone(), 0..40usize, r#"[-'"{}\[\]=.0-9a-z\n 渡]{0,6}"#).prop_map(
        |(line, at, new)| {
            let at = line.char_indices().nth(at).map_or(line.len(), |(at, _)| at);
            format!("{}{new}{}\n", &line[..at], &line[at..])
        },
    );
    prop_oneof![
        6 => line.prop_map(|line| format!("{line}\n")),
        2 => changed,
        1 => r"\PC{0,20}\n".prop_map(String::from),
    ]
}

proptest! {
    #[test]
    fn any_text_is_a_task_or_a_message_of_one_line(pieces in proptest::collection::vec(piece(), 0..12)) {
        if let Err(error) = read(&pieces.concat()) {
            let said = format!("{error:#}");
            prop_assert_eq!(exit_code(&error), 2);
            prop_assert!(said.starts_with("folder/mine.toml") && said.lines().count() == 1, "{}", said);
        }
    }

    /// Every line is blank, a record or named.
    #[test]
    fn any_records_are_read_or_named(
        lines in proptest::collection::vec(
            prop_oneof![
                r#"\{"text": "[a-z]{0,3}", "ask": ("b"|3|null), "right": ("c"|\["d", 5\]|\[\]|"")\}"#,
                r#"[ {}\[\]":,a-z0-9\\]{0,20}"#,
            ],
            0..8,
        )
    ) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine.jsonl"), lines.join("\n")).unwrap();
        let file = TaskFile::parse(GOOD, folder.path(), "mine.toml").unwrap();
        match file.records() {
            Ok(found) => {
                let counted = lines.iter().filter(|line| !line.trim_ascii().is_empty()).count();
                prop_assert_eq!(found.records.len() + found.left_out.len(), counted);
                for record in &found.records {
                    prop_assert!(!record.answers.is_empty() && record.others.contains_key("ask"));
                }
            }
            Err(error) => prop_assert_eq!(exit_code(&error), 2),
        }
    }
}
