//! Texts that would steer a terminal, or fill it.

use std::fs;

use super::{SOON, refused};
use crate::world::{EXPERIMENT, World, short_run};

#[test]
fn control_characters_and_long_lines_are_shown_and_cut() {
    let long = "x".repeat(200_000);
    let experiment = |old: &str, new: &str| EXPERIMENT.replacen(old, new, 1).into_bytes();
    let escape = experiment("description", "\"a\\u001b[31mb\" = 1\ndescription");
    let name = experiment("name = \"tiny\"", "name = \"\\u001b]0;title\\u0007\"");
    let method = experiment("\"full\"", "\"\\u001b[2J\\nfull\"");
    let direction = experiment("\"needle\"", "\"needle\u{202e}\"");
    let line = experiment("description = ", &format!("description = {long} "));
    let value = experiment("[500, 700]", &format!("\"{long}\""));
    let long_name = experiment("name = \"tiny\"", &format!("name = \"{long}\""));
    let bad = &["eval", "bad.toml"][..];
    refused(&[
        (
            &[("bad.toml", &escape)],
            bad,
            &["bad.toml:2: ", "\\u001b[31mb"],
        ),
        (
            &[("bad.toml", &name)],
            bad,
            &["\\u001b]0;title\\u0007", "expected letters"],
        ),
        (&[("bad.toml", &method)], bad, &["\\u001b[2J", "full"]),
        (&[("bad.toml", &direction)], bad, &["needle\\u202e"]),
        (
            &[("bad.toml", &line)],
            bad,
            &["bad.toml:2: `description = xxx", " ... "],
        ),
        (&[("bad.toml", &value)], bad, &["bad.toml", "lengths"]),
        (
            &[("bad.toml", &long_name)],
            bad,
            &["bad.toml: name = \"xxx", "at most 200"],
        ),
    ]);
}

#[test]
fn tables_show_what_would_steer_a_terminal() {
    let world = World::new();
    world.good(&short_run("out"));
    let rows = world.read("out/records.csv");
    world.write(
        "out/records.csv",
        rows.replace(",needle,", ",needle\u{1b}[31m\u{9b}1m,"),
    );
    let table = world.good(&["report", "out"]);
    assert!(table.contains("needle\\u001b[31m\\u009b1m"), "{table}");
    assert!(
        !table.chars().any(|c| c.is_control() && c != '\n'),
        "{table}"
    );
    world.write("p\u{1b}[31m.txt", "a text of some words ".repeat(20));
    let args = [
        "inspect",
        "p\u{1b}[31m.txt",
        "--model",
        "model",
        "--json",
        "--method",
        "full",
    ];
    let json = world.good(&args);
    let facts: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(facts.to_string().contains("p\\u001b[31m.txt"), "{json}");
}

/// What nobody could look at is left out and said, and long names are cut: figures come to an end.
#[test]
fn figures_that_nobody_could_look_at_are_left_out() {
    let world = World::new();
    world.good(&short_run("out"));
    let rows = world.read("out/records.csv");
    let (header, row) = rows.split_once('\n').unwrap();
    let at = row.find("length=").unwrap();
    let sample = &row[at..at + row[at..].find(',').unwrap()];
    let many = |i: usize| {
        row.replace(
            sample,
            &format!(
                "length={};depth={};distractors=0;seed=0",
                1000 + i,
                i as f64 / 10.0
            ),
        )
    };
    let many: String = (0..900).map(many).collect();
    world.write("out/records.csv", format!("{header}\n{many}"));
    let done = world.run(&["figures", "out"]);
    assert_eq!(done.code, 0, "{done:?}");
    let says = "warning: figure needle-needle-full is not drawn: ";
    assert!(
        done.stderr.contains(says) && done.stderr.contains("810000 marks"),
        "{done:?}"
    );
    assert_eq!(done.stderr.lines().count(), 1, "{done:?}");

    let named = row.replace(",needle,", &format!(",{}\u{1b}[31m,", "x".repeat(100_000)));
    world.write("out/records.csv", format!("{header}\n{named}"));
    let start = std::time::Instant::now();
    world.good(&["figures", "out"]);
    assert!(start.elapsed() < SOON);
    for file in fs::read_dir(world.path("out/figures")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "svg") {
            let text = fs::read_to_string(path).unwrap();
            assert!(
                !text.contains('\u{1b}') && !text.contains(&"x".repeat(300)),
                "{text}"
            );
        }
    }
}
