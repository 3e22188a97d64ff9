//! LongBench from files in the official schema to rows.

mod refused;

use std::io::{Cursor, Write};

use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::server::{Hub, Seen};
use crate::world::{Done, World};

const ARGS: [&str; 9] = [
    "eval",
    "--suite",
    "longbench",
    "--model",
    "model",
    "--methods",
    "snapkv",
    "--retention",
    "0.5",
];

/// A line of an official file. The context is longer than the tiny model's prompts may be.
fn line(id: &str, length: usize, answer: &str) -> String {
    let sentence = |i: usize| format!("Barge {i} came in at dawn with {} crates of {id}. ", i * 13);
    let record = json!({
        "input": format!("What did barge 3 of {id} carry?"),
        "context": (0..length / 8).map(sentence).collect::<String>(),
        "answers": [answer, "crates"],
        "length": length,
        "dataset": "any",
        "language": "en",
        "all_classes": ["Number", "Number of barges", "Place"],
        "_id": id,
    });
    record.to_string() + "\n"
}

fn lines(ids: &[&str], answer: &str) -> String {
    ids.iter().map(|id| line(id, 200, answer)).collect()
}

/// The files of three datasets in `data/`, as the official archive has them.
fn files() -> Vec<(&'static str, String)> {
    let by_length = [("b1", 300), ("b2", 5000), ("b3", 7999), ("b4", 9000)];
    vec![
        ("data/qasper.jsonl", lines(&["a1", "a2"], "39 crates")),
        ("data/samsum.jsonl", lines(&["s1"], "Barges came.")),
        ("data/trec.jsonl", lines(&["t1"], "Number")),
        (
            "data/qasper_e.jsonl",
            by_length
                .map(|(id, length)| line(id, length, "39"))
                .concat(),
        ),
    ]
}

fn archive(files: &[(&str, String)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn world() -> World {
    let world = World::new();
    for (name, text) in files() {
        world.write(&format!("official/{name}"), text);
    }
    world
}

fn run_file(world: &World, results: &str) -> Value {
    serde_json::from_str(&world.read(&format!("{results}/run.json"))).unwrap()
}

#[test]
fn a_folder_an_archive_and_the_hub_give_the_same_rows() {
    let world = world();
    let zip = archive(&files());
    world.write("data.zip", &zip);
    let hub = Hub::serve(&[("data.zip", &zip), ("README.md", b"not needed")]);
    let run = |data: &str| {
        let out = format!("from-{}", data.replace([':', '/'], "-"));
        let flags = [
            "--data",
            data,
            "--tasks",
            "samsum,qasper,trec",
            "--out",
            &out,
        ];
        let args = [&ARGS[..], &flags].concat();
        let mut command = world.command(&args);
        command
            .env("HF_ENDPOINT", &hub.endpoint)
            .env("HF_HUB_CACHE", world.path("hub"));
        let done = Done::new(&args, command.output().unwrap());
        assert_eq!(done.code, 0, "{done:?}");
        assert!(!done.stderr.contains("warning"), "{done:?}");
        (
            world.rows(&out),
            world.read(&format!("{out}/predictions.jsonl")),
            out,
        )
    };
    let (rows, predictions, out) = run("official");
    let records = world.records(&out);
    let named: Vec<_> = records
        .iter()
        .map(|r| (&*r.task, &*r.sample, &*r.metric))
        .collect();
    let of = |task, sample, metric| [(task, sample, metric); 2];
    // The tasks in the order of the suite, for each sample full and snapkv.
    let expected = [
        of("qasper", "a1", "qa_f1"),
        of("qasper", "a2", "qa_f1"),
        of("trec", "t1", "classification"),
        of("samsum", "s1", "rouge"),
    ];
    assert_eq!(named, expected.concat());
    for record in &records {
        assert_eq!(record.error, "");
        assert!(record.nll.unwrap() > 0.0);
        // Cut to 500 tokens, those of the chat template aside.
        assert!(
            (490..540).contains(&record.prompt_tokens),
            "{}",
            record.prompt_tokens
        );
    }
    assert!(
        predictions.contains(r#""answers":["39 crates","crates"]"#),
        "{predictions}"
    );

    for data in [
        "official/data",
        "data.zip",
        "hub:tiny/model",
        "hub:tiny/model@v1",
    ] {
        let (other_rows, other_predictions, _) = run(data);
        assert_eq!(rows, other_rows, "{data}");
        assert_eq!(predictions, other_predictions, "{data}");
    }
    let asked = hub.take_seen();
    let of_file = |method: &str| {
        let of = |seen: &&Seen| seen.method == method && seen.path.contains("/resolve/");
        asked.iter().filter(of).count()
    };
    // Fetched once, whatever the number of tasks; it is the same in both revisions and not fetched again.
    assert_eq!((of_file("HEAD"), of_file("GET")), (0, 1), "{asked:?}");
    assert!(asked.iter().all(|seen| !seen.path.contains("README")));
}

/// The official dataset is asked for where nothing else is named.
#[test]
fn records_come_from_the_hub_where_no_data_are_named() {
    let world = world();
    let zip = archive(&files());
    let hub = Hub::serve(&[("data.zip", &zip)]);
    let args = [&ARGS[..], &["--tasks", "qasper", "--out", "out"]].concat();
    let mut command = world.command(&args);
    command
        .env("HF_ENDPOINT", &hub.endpoint)
        .env("HF_HUB_CACHE", world.path("hub"));
    let done = Done::new(&args, command.output().unwrap());
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(world.records("out").len(), 4);
    let asked = hub.take_seen();
    let official = |seen: &Seen| seen.path.contains("datasets/THUDM/LongBench/");
    assert!(!asked.is_empty() && asked.iter().all(official), "{asked:?}");
}

#[test]
fn a_part_of_the_datasets_is_run_as_far_as_it_goes() {
    let world = world();
    world.write("data.zip", archive(&files()));
    for data in ["official", "data.zip"] {
        let out = format!("from-{data}");
        let done = world.run(&[&ARGS[..], &["--data", data, "--out", &out]].concat());
        assert_eq!(done.code, 0, "{done:?}");
        let note = format!("note: --data {data}: no records of narrativeqa, multifieldqa_en, ");
        assert!(done.stderr.starts_with(&note), "{done:?}");
        assert!(
            done.stderr.contains(", repobench-p: left out\n"),
            "{done:?}"
        );
        let run = world.read(&format!("{out}/run.json"));
        assert!(run.contains(&note["note: ".len()..]), "{run}");
        let mut tasks: Vec<String> = world.records(&out).iter().map(|r| r.task.clone()).collect();
        tasks.dedup();
        assert_eq!(tasks, ["qasper", "trec", "samsum"]);
    }
    // A file of one's own names what it wants.
    let experiment = "name = 'lb'\nmodel = { source = 'model' }\nmethod = []\n[[task]]\nname = 'lcc'\n\
        data = 'official'\n";
    world.write("lb.toml", experiment);
    world.refused(&["eval", "lb.toml"], &["data official: no lcc.jsonl"]);
}

/// The 16 data sets that papers average, in their order.
#[test]
fn longbench_en_names_the_sixteen() {
    let plan = World::new().good(&["eval", "--suite", "longbench-en", "--dry-run"]);
    let tasks = plan.lines().filter_map(|line| line.strip_prefix("task "));
    let names: Vec<&str> = tasks.filter_map(|line| line.split(':').next()).collect();
    let expected = "narrativeqa qasper multifieldqa_en hotpotqa 2wikimqa musique gov_report qmsum multi_news trec \
                    triviaqa samsum passage_count passage_retrieval_en lcc repobench-p";
    assert_eq!(names, expected.split_whitespace().collect::<Vec<_>>());
}

#[test]
fn prompts_in_own_words_are_said_not_to_be_comparable() {
    let world = world();
    const NOTE: &str = "own templates: not comparable with published scores";
    let flags = [
        "--data",
        "official",
        "--tasks",
        "qasper,trec",
        "--out",
        "own",
    ];
    let table = world.good(&[&ARGS[..], &flags].concat());
    // Both tasks and their average.
    let said = |table: &str| table.replace('\n', " ").matches(NOTE).count();
    assert_eq!(said(&table), 3, "{table}");
    assert_eq!(said(&world.good(&["report", "own"])), 3);
    world.write(
        "README.md",
        "<!-- spindle:report -->\n<!-- /spindle:report -->\n",
    );
    world.good(&["report", "own", "--splice", "README.md"]);
    assert_eq!(said(&world.read("README.md")), 3);

    let templates = json!({ "qasper": "{context} {input}", "trec": "{context} {input}" });
    world.write("templates.json", templates.to_string());
    let flags = [
        "--data",
        "official",
        "--tasks",
        "qasper,trec",
        "--templates",
        "templates.json",
    ];
    let table = world.good(&[&ARGS[..], &flags, &["--out", "given"]].concat());
    assert_eq!(said(&table), 0, "{table}");
    let of_file = "templates of templates.json: comparable with published scores only if they are the published ones";
    assert_eq!(
        table.replace('\n', " ").matches(of_file).count(),
        3,
        "{table}"
    );
    let one = [
        "--data",
        "official/data/qasper.jsonl",
        "--tasks",
        "qasper",
        "--out",
        "one",
    ];
    let says = [
        "data official/data/qasper.jsonl: one file of records, expected the folder that it lies in",
    ];
    world.refused(&[&ARGS[..], &one].concat(), &says);
}

#[test]
fn longbench_e_is_scored_by_length() {
    let world = world();
    let flags = ["--data", "official", "--tasks", "qasper_e", "--out", "out"];
    let suite = [&["eval", "--suite", "longbench-e"][..], &ARGS[3..], &flags].concat();
    let table = world.good(&suite);
    let records = world.records("out");
    let mut named: Vec<_> = records.iter().map(|r| (&*r.task, &*r.sample)).collect();
    named.sort_unstable();
    named.dedup();
    assert_eq!(
        named,
        [
            ("qasper_e-0-4k", "b1"),
            ("qasper_e-4-8k", "b2"),
            ("qasper_e-4-8k", "b3"),
            ("qasper_e-8k+", "b4")
        ]
    );
    for task in ["qasper_e-0-4k", "qasper_e-4-8k", "qasper_e-8k+"] {
        assert!(table.contains(task), "{table}");
    }
}

#[test]
fn templates_of_a_file_are_used_to_the_letter() {
    let world = world();
    world.write("official/data/trec.jsonl", line("t1", 16, "Number"));
    let template = "Sort {{this}}.\n{context}\n{input} Kind:";
    world.write("templates.json", json!({ "trec": template }).to_string());
    let flags = ["--data", "official", "--tasks", "trec", "--out", "out"];
    let own = [&ARGS[..], &flags].concat();
    let given = [&own[..], &["--templates", "templates.json"]].concat();
    world.good(&given);
    let record: Value = serde_json::from_str(&line("t1", 16, "Number")).unwrap();
    let text = template
        .replace("{context}", record["context"].as_str().unwrap())
        .replace("{input}", record["input"].as_str().unwrap())
        .replace("{{this}}", "{this}");
    // A byte is a token, and no chat template is put around this task.
    assert_eq!(world.records("out")[0].prompt_tokens, text.len());
    let run = run_file(&world, "out");
    assert_eq!(run["templates"][0][0], "trec");
    assert!(
        run["templates"][0][1]
            .as_str()
            .unwrap()
            .starts_with("templates.json "),
        "{run}"
    );

    // The same rows must not come from other templates.
    world.write("templates.json", json!({ "trec": "{context}" }).to_string());
    world.refused(&given, &["results folder out", "another experiment"]);
    let refused = |text: &str, says: &[&str]| {
        world.write("templates.json", text);
        world.refused(&given, &[&["templates.json"][..], says].concat());
    };
    refused("{}", &["no template for trec"]);
    refused("[]", &["expected an object"]);
    refused(r#"{"trec": 1}"#, &["trec = 1", "expected a text"]);
    refused(r#"{"trec": "{context} {answers}"}"#, &["trec", "{answers}"]);
    let args = [&own[..own.len() - 2], &["--out", "own"]].concat();
    world.good(&args);
    let run = run_file(&world, "own");
    assert!(
        run["templates"][0][1].as_str().unwrap().starts_with("own "),
        "{run}"
    );
}

/// A sample that the model has no room for is a row with the reason; the others are scored.
#[test]
fn a_sample_too_long_fails_alone() {
    let world = world();
    let text = line("short", 16, "39") + &line("long", 2000, "39");
    world.write("official/data/qasper.jsonl", text);
    let experiment = "name = 'lb'\nmodel = { source = 'model' }\nmethod = []\n[[task]]\nname = 'qasper'\n\
        data = 'official'\nmax-length = 896\n";
    world.write("lb.toml", experiment);
    let done = world.run(&["eval", "lb.toml", "--out", "out"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("1 cell failed"), "{done:?}");
    let records = world.records("out");
    assert_eq!(records.len(), 2);
    let of = |id: &str| records.iter().find(|record| record.sample == id).unwrap();
    let (short, long) = (of("short"), of("long"));
    assert!(short.error.is_empty() && short.score.is_some());
    assert!(
        long.error
            .contains("do not fit the model's context of 1024"),
        "{long:?}"
    );
    assert!(long.error.contains("max-length"), "{long:?}");
    assert_eq!(long.score, None);
}

#[test]
fn fixed_metrics_and_compression_before_the_question_are_runs_of_their_own() {
    let world = world();
    let experiment = "name = 'lb'\nmodel = { source = 'model' }\nmethod = []\n[[task]]\nname = 'trec'\n\
        data = 'official'\nmetric = 'fixed'\n";
    world.write("lb.toml", experiment);
    world.good(&["eval", "lb.toml", "--compress", "context", "--out", "out"]);
    let records = world.records("out");
    assert_eq!(records[0].metric, "classification-fixed");
    assert_eq!(records[0].compress_at, "context");
}
