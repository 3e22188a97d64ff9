//! Tasks of one's own, and tasks chosen by name.

use spindle::task::longbench::Metric;

use crate::world::World;

const README: &str = include_str!("../../experiments/README.md");

/// The first block of the README's section on tasks of one's own in that language.
fn example(language: &str) -> &'static str {
    let (_, section) = README.split_once("## A task of your own").unwrap();
    let (_, block) = section.split_once(&format!("```{language}\n")).unwrap();
    block.split_once("```\n").unwrap().0
}

/// The README's example in a folder of its own, and a model.
fn world() -> World {
    let world = World::new();
    world.write("mine/ferries.toml", example("toml"));
    world.write("mine/ferries.jsonl", example("json"));
    world
}

const ARGS: [&str; 8] = [
    "eval",
    "tiny.toml",
    "--task-file",
    "mine/ferries.toml",
    "--methods",
    "snapkv",
    "--retention",
    "0.5",
];

#[test]
fn the_example_of_the_readme_runs() {
    let world = world();
    let table = world.good(&[&ARGS[..], &["--out", "out"]].concat());
    assert!(table.starts_with("ferries\n"), "{table}");
    let records = world.records("out");
    let named: Vec<_> = records
        .iter()
        .map(|r| (&*r.task, &*r.sample, &*r.method, &*r.metric))
        .collect();
    let of = |sample| ["full", "snapkv"].map(|method| ("ferries", sample, method, "qa_f1"));
    let mut expected = [of("a"), of("b")].concat();
    expected.sort_unstable();
    let mut found = named;
    found.sort_unstable();
    assert_eq!(found, expected);
    for record in &records {
        assert!(
            record.error.is_empty() && record.nll.is_some(),
            "{record:?}"
        );
    }
    // A byte is a token: the chat template's turns around the filled template.
    let log = "On Monday the ferry carried 37 crates of apples. On Tuesday it carried a piano.";
    let question = "What did the ferry carry on Tuesday?";
    let prompt = format!("Read the log of a ferry.\n\n{log}\n\nQuestion: {question}\nAnswer:");
    let turn = ["\u{1}user\n", &prompt, "\u{1}\n\u{1}"].concat();
    let of_a = records.iter().find(|record| record.sample == "a").unwrap();
    assert_eq!(of_a.prompt_tokens, turn.len());
    let predictions = world.read("out/predictions.jsonl");
    assert!(
        predictions.contains(r#""answers":["at noon","noon"]"#),
        "{predictions}"
    );
    let run = world.read("out/run.json");
    assert!(run.contains("mine/ferries.toml "), "{run}");

    assert!(run.contains(r#""experiment": "ferries""#), "{run}");

    // A file that ends its lines as Windows does is the same task.
    world.write("windows.toml", example("toml").replace('\n', "\r\n"));
    world.write("ferries.jsonl", example("json"));
    let windows = [
        &["eval", "tiny.toml", "--task-file", "windows.toml"],
        &ARGS[4..],
        &["--out", "windows"],
    ]
    .concat();
    world.good(&windows);
    let likely = |out: &str| -> Vec<_> {
        let records = world.records(out);
        records
            .iter()
            .map(|record| (record.sample.clone(), record.prompt_tokens, record.nll))
            .collect()
    };
    assert_eq!(likely("windows"), likely("out"));

    // The same folder takes no rows of a task that was changed.
    let other = example("toml").replace("max-new-tokens = 16", "max-new-tokens = 15");
    world.write("mine/ferries.toml", other);
    let args = [&ARGS[..], &["--out", "out"]].concat();
    world.refused(&args, &["results folder out", "another experiment"]);
}

#[test]
fn an_experiment_names_a_task_file_and_several_files_are_several_tasks() {
    let world = world();
    let other = example("toml")
        .replace("\"ferries\"", "\"others\"")
        .replace("qa_f1\"", "rouge-fixed\"");
    world.write("mine/others.toml", format!("\u{feff}{other}"));
    let custom = "name = 'lb'\nmodel = { source = 'model' }\nmethod = []\n[[task]]\nname = 'custom'\nfile = ";
    world.write("lb.toml", format!("{custom}'mine/ferries.toml'\n"));
    world.good(&["eval", "lb.toml", "--compress", "context", "--out", "one"]);
    assert_eq!(world.records("one").len(), 2);
    let args = [
        "--task-file",
        "mine/others.toml",
        "--methods",
        "full",
        "--limit",
        "1",
        "--out",
        "two",
    ];
    world.good(&[&ARGS[..4], &args].concat());
    let records = world.records("two");
    let tasks: Vec<_> = records.iter().map(|r| (&*r.task, &*r.metric)).collect();
    assert_eq!(tasks, [("ferries", "qa_f1"), ("others", "rouge-fixed")]);

    let twice = custom.replace(
        "file = ",
        "file = 'mine/ferries.toml'\n[[task]]\nname = 'custom'\nfile = ",
    );
    world.write(
        "again/ferries.toml",
        example("toml").replace("qa_f1\"", "rouge\""),
    );
    world.write(
        "again/ferries.jsonl",
        example("json").replace("\"name\": \"", "\"name\": \"x"),
    );
    world.write("lb.toml", format!("{twice}'again/ferries.toml'\n"));
    world.refused(
        &["eval", "lb.toml"],
        &["task ferries stands twice with different templates"],
    );
    world.write("lb.toml", custom.replace("file = ", ""));
    world.refused(
        &["eval", "lb.toml"],
        &["lb.toml", "task custom", "missing field `file`"],
    );
}

/// Each with what is replaced in the example, and what is said.
#[test]
fn task_files_that_cannot_be_used_are_refused_by_key() {
    let world = world();
    let refused = |old: &str, new: &str, says: &[&str]| {
        let text = example("toml");
        assert!(text.contains(old), "{old}");
        world.write("mine/ferries.toml", text.replacen(old, new, 1));
        world.refused(&ARGS, &[&["mine/ferries.toml"][..], says].concat());
    };
    for (old, new, says) in [
        ("max-new-tokens = 16", "", "missing field `max-new-tokens`"),
        (
            "max-new-tokens = 16",
            "max-new-tokens = 0",
            "max-new-tokens = 0: expected from 1 to 65536",
        ),
        (
            "max-new-tokens = 16",
            "max-new-tokens = 99999",
            "max-new-tokens = 99999: expected",
        ),
        (
            "max-new-tokens = 16",
            "max-new-tokens = -1",
            "mine/ferries.toml:6: `max-new-tokens = -1",
        ),
        (
            "min-new-tokens = 0",
            "min-new-tokens = 17",
            "min-new-tokens = 17: expected at most",
        ),
        (
            "# max-length = 3500",
            "max-length = 1",
            "max-length = 1: expected at least 2",
        ),
        (
            "metric = \"qa_f1\"",
            "metric = \"qa_f2\"",
            "\"qa_f2\" is not known, did you mean \"qa_f1\"?",
        ),
        (
            "metric = \"qa_f1\"",
            "metric = \"classification\"",
            "expected fields.classes",
        ),
        ("stops = []", "stops = [\"\"]", "stops: an empty text"),
        (
            "language = \"en\"",
            "language = \"fr\"",
            "`fr`, expected `en` or `zh`",
        ),
        (
            "\"ferries\"",
            "\"fer/ries\"",
            "name = \"fer/ries\": expected letters",
        ),
        (
            "\"ferries\"",
            "\"qasper\"",
            "a task that comes with the program",
        ),
        (
            "\"ferries\"",
            "\"vt\"",
            "a task that comes with the program",
        ),
        (
            "\"ferries\"",
            "\"qasper_e-0-4k\"",
            "a task that comes with the program",
        ),
        ("{log}", "{context}", "no {log} in it"),
        ("{log}", "{log} {", "`{"),
        ("chat =", "chatt =", "unknown field `chatt`"),
        ("context = \"log\"", "context = 7", "context = 7"),
        ("id = \"name\"", "ids = \"name\"", "unknown field `ids`"),
    ] {
        refused(old, new, &[says]);
    }
    world.write(
        "mine/ferries.toml",
        example("toml").replace("ferries.jsonl", "absent.jsonl"),
    );
    world.refused(&ARGS, &["task ferries: data", "mine/absent.jsonl"]);
    world.write(
        "mine/ferries.toml",
        example("toml").replace("ferries.jsonl", "."),
    );
    world.refused(&ARGS, &["task ferries: data", "a folder"]);
    world.refused(
        &["eval", "tiny.toml", "--task-file", "absent.toml"],
        &["absent.toml"],
    );
    let both = [
        "eval",
        "tiny.toml",
        "--task-file",
        "mine/ferries.toml",
        "--tasks",
        "needle",
    ];
    assert_eq!(world.run(&both).code, 2);
}

#[test]
fn lines_that_do_not_fit_are_left_out_by_name() {
    let world = world();
    let good = example("json");
    let lines = [
        "{\"name\": \"c\", \"log\": \"x\", \"question\": \"y\"}",
        "{\"name\": \"d\", \"log\": \"x\", \"answer\": \"z\"}",
        "{\"name\": \"e\", \"log\": [], \"question\": \"y\", \"answer\": \"z\"}",
        "{\"name\": \"f\", \"log\": \"x\", \"question\": 3, \"answer\": {}}",
        "{\"name\": \"g\", \"log\": \"x\", \"question\": 3, \"answer\": []}",
        "{\"name\": \"a\", \"log\": \"x\", \"question\": 3, \"answer\": 4}",
        "{\"name\": null, \"log\": \"x\", \"question\": 3, \"answer\": 4}",
        "[\"x\"]",
        "{\"name\": 7, \"log\": \"x\", \"question\": true, \"answer\": [4, 4.5]}",
    ];
    world.write(
        "mine/ferries.jsonl",
        format!("\u{feff}{good}{}", lines.join("\r\n")),
    );
    let args = ["--methods", "full", "--out", "out"];
    let done = world.run(&[&ARGS[..4], &args].concat());
    assert_eq!(done.code, 0, "{done:?}");
    let says = [
        "3: no field `answer`",
        "4: no field `question`",
        "5: field `log` is no text",
        "6: field `answer` is neither a text nor a list of texts",
        "7: answers is [], expected at least one with text",
        "8: name `a` stands on line 1 too",
        "9: field `name` is no text",
        "10: an array, expected an object on each line (JSON Lines)",
    ];
    let warnings: Vec<&str> = done.stderr.lines().collect();
    assert_eq!(warnings.len(), says.len(), "{done:?}");
    for (warning, says) in warnings.iter().zip(says) {
        assert!(
            warning.contains(&format!("mine/ferries.jsonl:{says}")),
            "{warning}"
        );
    }
    let predictions = world.read("out/predictions.jsonl");
    assert!(
        predictions.contains(r#""answers":["4","4.5"]"#),
        "{predictions}"
    );
    assert!(
        world
            .records("out")
            .iter()
            .any(|record| record.sample == "7")
    );

    world.write("mine/ferries.jsonl", "{}\n");
    world.refused(
        &ARGS,
        &["mine/ferries.jsonl:1: no field", "none of its 1 lines"],
    );
}

#[test]
fn samples_without_an_id_are_called_by_their_line() {
    let world = world();
    let without = example("toml")
        .replace("id = \"name\"", "classes = \"labels\"")
        .replace("qa_f1\"", "classification\"");
    world.write("mine/ferries.toml", without);
    let line = |answer: &str| {
        format!(
            "{{\"log\": \"x\", \"question\": \"y\", \"answer\": \"{answer}\", \"labels\": [\"noon\", \"dusk\"]}}\n"
        )
    };
    world.write(
        "mine/ferries.jsonl",
        format!("{}\n{}", line("noon"), line("dusk")),
    );
    world.good(&[&ARGS[..4], &["--methods", "full", "--out", "out"]].concat());
    let mut samples: Vec<String> = world
        .records("out")
        .iter()
        .map(|r| r.sample.clone())
        .collect();
    samples.sort();
    assert_eq!(samples, ["line=1", "line=3"]);
}

#[test]
fn the_readme_names_every_metric() {
    for (name, ..) in Metric::names() {
        let name = name.trim_end_matches("-fixed");
        assert!(
            example("toml").contains(&format!(" {name}")) || name == "qa_f1",
            "{name}"
        );
    }
}

#[test]
fn tasks_of_ruler_are_chosen_by_name() {
    let world = World::new();
    let plan =
        |tasks: &str| world.good(&["eval", "--suite", "ruler", "--tasks", tasks, "--dry-run"]);
    assert!(
        plan("vt").contains("\ntask ruler: vt: lengths"),
        "{}",
        plan("vt")
    );
    assert!(plan("vt,cwe").contains("\ntask ruler: vt, cwe: lengths"));
    assert!(plan("ruler").contains("\ntask ruler: niah_single_1, "));
    world.refused(
        &["eval", "--suite", "ruler", "--tasks", "vtt"],
        &["--tasks", "\"vtt\", did you mean \"vt\"?"],
    );
    world.refused(
        &["eval", "--suite", "ruler", "--tasks", "qa_1"],
        &["qa_1 needs squad = a file"],
    );
}
