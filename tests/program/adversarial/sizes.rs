//! Numbers that ask for more than there is.

use std::time::Instant;

use spindle::compress::methods::method_infos;
use spindle::compress::settings::Accepts;

use super::{SOON, clean, refused_in};
use crate::world::{EXPERIMENT, World};

/// Every key of a task that takes a whole number, or a list of them.
const KEYS: [(&str, &[&str], &[&str]); 8] = [
    (
        "needle",
        &["lengths", "depths", "distractors"],
        &["seeds", "seed"],
    ),
    (
        "needle-published",
        &["lengths", "depths"],
        &["intervals", "needles"],
    ),
    (
        "needle-original",
        &["lengths", "depths"],
        &["intervals", "needles"],
    ),
    (
        "needle-multi",
        &["lengths", "depths"],
        &["intervals", "needles"],
    ),
    ("ruler", &["lengths"], &["seeds", "seed"]),
    ("perplexity", &["at"], &["continuation", "samples"]),
    ("mini-qa", &["lengths"], &["samples"]),
    ("qasper", &[], &["max-length"]),
];
const NUMBERS: [i64; 6] = [-1, 0, 1 << 31, 1 << 40, i64::MAX - 1, i64::MAX];

/// An experiment whose one task is `name` with one key.
fn experiment(name: &str, key: &str, value: &str) -> String {
    format!(
        "name = \"tiny\"\n[model]\nsource = \"model\"\n[[task]]\nname = \"{name}\"\n{key} = {value}\n\
         [[method]]\nname = \"full\"\n"
    )
}

#[test]
fn no_number_of_a_task_ends_in_anything_but_a_result_or_a_line() {
    let world = World::new();
    for (name, lists, numbers) in KEYS {
        let lists = lists.iter().map(|key| (key, true));
        for (key, list) in lists.chain(numbers.iter().map(|key| (key, false))) {
            for number in NUMBERS {
                let value = if list {
                    format!("[{number}]")
                } else {
                    number.to_string()
                };
                world.write("x.toml", experiment(name, key, &value));
                let start = Instant::now();
                let done = world.run(&["eval", "x.toml", "--limit", "1", "--out", "out"]);
                assert!(
                    [0, 1, 2].contains(&done.code),
                    "{name} {key} = {value}: {done:?}"
                );
                assert!(
                    start.elapsed() < SOON,
                    "{name} {key} = {value}: {:?}",
                    start.elapsed()
                );
                if done.code == 2 {
                    world.assert_refused(&done, &[]);
                    clean(&done);
                }
                let _ = std::fs::remove_dir_all(world.path("out"));
            }
        }
    }
}

#[test]
fn counts_that_multiply_are_refused_with_their_keys() {
    let world = World::new();
    for (name, keys, says) in [
        (
            "needle",
            "seeds = 9223372036854775807",
            "lengths (1) x depths (5) x distractors (1) x seeds (9223372036854775807)",
        ),
        (
            "needle",
            "lengths = [500, 600]\nseeds = 200000",
            "lengths (2) x depths (5)",
        ),
        (
            "needle-published",
            "intervals = 9223372036854775807",
            "lengths (71) x intervals (9223372036854775807)",
        ),
        (
            "needle-original",
            "intervals = 2147483648",
            "intervals (2147483648)",
        ),
        (
            "ruler",
            "seeds = 4611686018427387904\nlengths = [500, 501, 502, 503]",
            "lengths (4) x seeds (4611686018427387904)",
        ),
        (
            "perplexity",
            "samples = 4611686018427387904",
            "samples (4611686018427387904)",
        ),
        (
            "mini-qa",
            "samples = 4611686018427387904",
            "samples (4611686018427387904)",
        ),
    ] {
        let (key, value) = keys.split_once(" = ").unwrap();
        world.write("x.toml", experiment(name, key, value));
        let says = ["x.toml", says, "make more than 1000000 samples"];
        refused_in(&world, &["eval", "x.toml", "--dry-run"], &says);
    }
}

#[test]
fn lists_that_multiply_are_refused_before_they_are_multiplied() {
    let world = World::new();
    let list = |count: usize| {
        let values: Vec<String> = (1..=count).map(|i| i.to_string()).collect();
        values.join(", ")
    };
    let lists = format!(
        "share = 0.5\nwindow = [{0}]\nkernel = [{0}]\nseed = [{0}]\nunknown = [{0}]",
        list(50)
    );
    world.write("x.toml", EXPERIMENT.replacen("share = 0.5", &lists, 1));
    let says = [
        "x.toml",
        "window (50) x kernel (50)",
        "make 6250000 cells, expected at most 10000",
    ];
    refused_in(&world, &["eval", "x.toml"], &says);
    refused_in(&world, &["eval", "x.toml", "--dry-run"], &says);
    let every: Vec<String> = (0..64)
        .map(|key| format!("k{key} = [{}]", list(100)))
        .collect();
    world.write(
        "x.toml",
        EXPERIMENT.replacen("share = 0.5", &every.join("\n"), 1),
    );
    refused_in(
        &world,
        &["eval", "x.toml"],
        &["k0 (100) x k1 (100)", "too many cells to count"],
    );
    let flag = format!(
        "snapkv:retention=0.5;window={0};kernel={0}",
        list(200).replace(' ', "")
    );
    refused_in(
        &world,
        &["eval", "tiny.toml", "--method", &flag],
        &["40000 cells"],
    );
    let many = "[[method]]\nname = \"random\"\nretention = 0.5\n".repeat(10_001);
    world.write("x.toml", format!("{EXPERIMENT}{many}"));
    refused_in(
        &world,
        &["eval", "x.toml", "--dry-run"],
        &["cells, expected at most 10000"],
    );
}

/// The largest and smallest values that a setting takes, and those beyond, of every method.
#[test]
fn no_number_of_a_method_ends_in_anything_but_a_result_or_a_line() {
    let world = World::new();
    world.write(
        "p.txt",
        "Some words that are compressed, and a few more of them. ".repeat(4),
    );
    for info in method_infos() {
        for setting in info.settings {
            let numbers = match setting.accepts {
                Accepts::Integer { from, to } => vec![
                    from.to_string(),
                    to.to_string(),
                    "1e300".into(),
                    "-1".into(),
                ],
                Accepts::Number { up_to, .. } => vec![
                    up_to.to_string(),
                    "1e-300".into(),
                    "1e300".into(),
                    "nan".into(),
                ],
                Accepts::Bytes => [
                    "1B",
                    "0",
                    "1e300GB",
                    "-1MB",
                    "0.001kB",
                    "1e-9",
                    "20 TB",
                    "MB",
                    "9007199254740993",
                    "64KiB",
                ]
                .map(String::from)
                .to_vec(),
                Accepts::Choice(_) | Accepts::Flag => continue,
            };
            let sized = info.settings.iter().any(|other| other.name == "retention");
            for number in numbers {
                let is_size = ["retention", "size", "size-per-token"].contains(&setting.name);
                let size = if sized && !is_size {
                    "retention=0.5;"
                } else {
                    ""
                };
                let method = format!("{}:{size}{}={number}", info.name, setting.name);
                let start = Instant::now();
                let done = world.run(&[
                    "inspect", "p.txt", "--model", "model", "--json", "--method", &method,
                ]);
                assert!([0, 1, 2].contains(&done.code), "{method}: {done:?}");
                assert!(
                    !done.stderr.contains("internal fault"),
                    "{method}: {done:?}"
                );
                assert!(done.stderr.lines().count() <= 1, "{method}: {done:?}");
                assert!(start.elapsed() < SOON, "{method}: {:?}", start.elapsed());
            }
        }
    }
}

#[test]
fn flags_that_ask_for_too_much() {
    let world = World::new();
    for (args, says) in [
        (
            &["eval", "tiny.toml", "--lengths", "9223372036854775807"][..],
            "9223372036854775807",
        ),
        (
            &["eval", "tiny.toml", "--seeds", "9223372036854775807"],
            "seeds (9223372036854775807)",
        ),
        (
            &["eval", "tiny.toml", "--distractors", "9223372036854775807"],
            "expected at most",
        ),
        (
            &["eval", "tiny.toml", "--depths", "9223372036854775807"],
            "depths",
        ),
        (
            &[
                "inspect",
                "--length",
                "18446744073709551615",
                "--model",
                "model",
            ],
            "18446744073709551615",
        ),
        (
            &["--threads", "18446744073709551615", "list"],
            "at most 1024",
        ),
    ] {
        refused_in(&world, args, &[says]);
    }
}
