//! What is printed fits the terminal, or `COLUMNS`.

use unicode_width::UnicodeWidthStr;

use crate::world::{Done, World};

/// Standard output of a run that must end well, as wide as `columns` says.
fn good(world: &World, args: &[&str], columns: &str) -> String {
    let mut command = world.command(args);
    let done = Done::new(args, command.env("COLUMNS", columns).output().unwrap());
    assert_eq!(done.code, 0, "{done:?}");
    done.stdout
}

fn widest(text: &str) -> (usize, &str) {
    let lines = text.lines().map(|line| (line.width(), line));
    lines.max().unwrap_or_default()
}

fn fits(text: &str, width: usize) {
    let (widest, line) = widest(text);
    assert!(widest <= width, "{widest} of {width}: {line}");
}

#[test]
fn help_and_lists_fit() {
    let world = World::new();
    for columns in [80, 100, 200] {
        let said = columns.to_string();
        for verb in [
            "eval", "sweep", "inspect", "figures", "report", "list", "fetch",
        ] {
            fits(&good(&world, &[verb, "--help"], &said), columns.min(100));
            fits(&good(&world, &[verb, "-h"], &said), columns.min(100));
        }
        fits(&good(&world, &["--help"], &said), columns.min(100));
        for what in [
            "methods",
            "tasks",
            "experiments",
            "spindle",
            "ruler",
            "needle",
            "longbench",
        ] {
            fits(&good(&world, &["list", what], &said), columns.min(100));
        }
    }
    // Nothing says how wide: 100; and never less than 80.
    for columns in ["", "0", "wide", "-5"] {
        let out = good(&world, &["list"], columns);
        fits(&out, 100);
        assert!(widest(&out).0 > 90);
    }
    let narrow = good(&world, &["list"], "20");
    fits(&narrow, 80);
    assert!(widest(&narrow).0 > 70);
}

/// Numbers of a text, in order of size.
fn numbers(text: &str) -> Vec<String> {
    let mut found: Vec<String> = text
        .split_whitespace()
        .filter(|word| word.contains(|c: char| c.is_ascii_digit()))
        .map(String::from)
        .collect();
    found.sort();
    found
}

#[test]
fn tables_and_plans_fit_and_lose_no_number() {
    let world = World::new();
    let plan = ["sweep", "needle", "--dry-run"];
    fits(&good(&world, &plan, "80"), 80);
    let joined = |columns| good(&world, &plan, columns).replace([' ', '\n'], "");
    assert_eq!(joined("80"), joined("400"));

    let facts = [
        "inspect", "--model", "model", "--length", "600", "--out", "figures",
    ];
    let (narrow, wide) = (good(&world, &facts, "80"), good(&world, &facts, "200"));
    fits(&narrow, 80);
    let cells = |text: &str| {
        let (_, table) = text.split_once("layer ").unwrap();
        let mut cells = numbers(table);
        cells.dedup();
        cells
    };
    assert_eq!(cells(&narrow), cells(&wide), "{narrow}");

    let run = ["eval", "tiny.toml", "--limit", "2", "--out", "out"];
    let table = good(&world, &run, "80");
    fits(&table, 80);
    let wide = good(&world, &["report", "out"], "200");
    for columns in [80, 81, 90, 100, 120] {
        let narrow = good(&world, &["report", "out"], &columns.to_string());
        fits(&narrow, columns);
        let rows = |text: &str| {
            let (_, rest) = text.split_once("\n\n").unwrap();
            let (tables, _) = rest.split_once("\nscore: ").unwrap();
            let mut numbers = numbers(tables);
            // A setting may stand in several tables, in one piece or several.
            numbers.retain(|word| !word.contains('='));
            numbers.dedup();
            numbers
        };
        assert_eq!(rows(&narrow), rows(&wide), "{narrow}");
    }
}
