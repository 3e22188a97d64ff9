//! What is wrong with files, archives and flags of LongBench.

use std::io::{Cursor, Write};

use serde_json::json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{ARGS, archive, files, line, lines, run_file, world};

#[test]
fn lines_that_cannot_be_used_are_named_and_counted() {
    let world = world();
    let good = lines(&["a1", "a2"], "39");
    let (first, second) = good.split_once('\n').unwrap();
    let bad = second
        .replacen("a2", "a3", 9)
        .replacen("\"context\"", "\"contxt\"", 1);
    let empty = line("a4", 200, "39").replacen(r#"["39","crates"]"#, "[]", 1);
    let text = format!("{first}\n{{\"input\": \n{bad}{empty}{second}{first}\n");
    world.write("official/data/qasper.jsonl", text);
    // A class is right only if it is among those to choose from.
    let classless =
        line("t2", 200, "Number").replacen(r#"["Number","Number of barges","Place"]"#, "null", 1);
    world.write(
        "official/data/trec.jsonl",
        lines(&["t1"], "Number") + &classless,
    );
    let flags = [
        "--data",
        "official",
        "--tasks",
        "qasper,trec",
        "--out",
        "out",
    ];
    let done = world.run(&[&ARGS[..], &flags].concat());
    assert_eq!(done.code, 0, "{done:?}");
    let warnings: Vec<&str> = done
        .stderr
        .lines()
        .filter(|line| line.contains("warning"))
        .collect();
    let says = [
        "qasper.jsonl:2: EOF while parsing",
        "qasper.jsonl:3: missing field `context`",
        "qasper.jsonl:4: answers is [], expected at least one",
        "qasper.jsonl:6: _id `a1` stands on line 1 too",
        "trec.jsonl:2: all_classes is null or empty",
    ];
    assert_eq!(warnings.len(), says.len(), "{done:?}");
    for (warning, says) in warnings.iter().zip(says) {
        assert!(
            warning.contains(&format!("official/data/{says}")),
            "{warning}"
        );
        assert!(warning.ends_with("; left out"), "{warning}");
    }
    let mut ids: Vec<_> = world
        .records("out")
        .iter()
        .map(|r| r.sample.clone())
        .collect();
    ids.sort();
    assert_eq!(ids, ["a1", "a1", "a2", "a2", "t1", "t1"]);
    assert_eq!(
        run_file(&world, "out")["left_out"],
        json!([["qasper", 4], ["trec", 1]])
    );

    world.write("official/data/qasper.jsonl", "{}\n");
    let done = world.run(&[&ARGS[..], &["--data", "official", "--tasks", "qasper"]].concat());
    world.assert_refused(
        &done,
        &["qasper.jsonl:1: missing field", "none of its 1 lines"],
    );
}

#[test]
fn archives_that_cannot_be_trusted() {
    let world = world();
    let flags = |tasks| [&ARGS[..], &["--data", "data.zip", "--tasks", tasks]].concat();
    let qasper = lines(&["a1"], "39");
    // An entry that leads out of the archive is left alone, and named where it is asked for.
    let mut files = files();
    files.push(("../../qasper.jsonl", qasper.clone()));
    world.write("data.zip", archive(&files));
    let done = world.run(&[&flags("qasper")[..], &["--out", "out"]].concat());
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.stderr
            .contains("data.zip: entry `../../qasper.jsonl` leads out of the archive; left out"),
        "{done:?}"
    );
    assert_eq!(world.records("out").len(), 4);
    assert_eq!(run_file(&world, "out")["left_out"], json!([["qasper", 1]]));

    let refused = |bytes: &[u8], says: &[&str]| {
        world.write("data.zip", bytes);
        let says = [&["data.zip"][..], says].concat();
        world.refused(&flags("qasper"), &says);
    };
    refused(
        &archive(&[("../qasper.jsonl", qasper.clone())]),
        &["0 files qasper.jsonl", "`../qasper.jsonl` leads out"],
    );
    refused(
        &archive(&[
            ("a/qasper.jsonl", qasper.clone()),
            ("b/qasper.jsonl", qasper.clone()),
        ]),
        &["2 files qasper.jsonl", "expected one"],
    );
    refused(
        &archive(&[("data/trec.jsonl", qasper)]),
        &["no qasper.jsonl in it"],
    );
    refused(b"PK, or so it says", &["expected a zip archive"]);
    let whole = archive(&files);
    refused(&whole[..whole.len() / 2], &["expected a zip archive"]);
    // 300 MB of blanks in 300 kB.
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("qasper.jsonl", SimpleFileOptions::default())
        .unwrap();
    for _ in 0..300 {
        zip.write_all(&vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = zip.finish().unwrap().into_inner();
    assert!(bomb.len() < 1 << 20);
    refused(&bomb, &["qasper.jsonl", "unpacks to more than"]);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for i in 0..10_001 {
        zip.start_file(format!("{i}"), SimpleFileOptions::default())
            .unwrap();
    }
    refused(
        &zip.finish().unwrap().into_inner(),
        &["10001 entries", "at most 10000"],
    );
}

#[test]
fn what_is_asked_for_is_named_where_it_is_missing() {
    let world = world();
    let with = |flags: &[&'static str]| [&ARGS[..], flags].concat();
    world.refused(
        &with(&["--data", "official", "--tasks", "trec,narrativeqa"]),
        &["data official: no narrativeqa.jsonl in it"],
    );
    world.write("data.zip", archive(&files()));
    world.refused(
        &with(&["--data", "data.zip", "--tasks", "narrativeqa"]),
        &["data data.zip: no narrativeqa.jsonl in it"],
    );
    world.refused(
        &with(&["--data", "model"]),
        &["--data model: no records of the experiment's tasks in it: narrativeqa, qasper"],
    );
    world.refused(
        &with(&["--data", "nowhere"]),
        &["nowhere", "expected a folder"],
    );
    world.refused(
        &with(&["--data", "official", "--tasks", "trec,qaspr"]),
        &["\"qaspr\"", "did you mean \"qasper\"?"],
    );
    world.refused(
        &["eval", "tiny.toml", "--data", "official"],
        &["--data", "no task of the experiment takes it"],
    );
    world.refused(
        &["eval", "--suite", "longbnch"],
        &["suite \"longbnch\"", "did you mean \"longbench\"?"],
    );
    world.write(
        "lb.toml",
        "name = 'lb'\nmethod = []\n[[task]]\nname = 'qaspr'\n",
    );
    world.refused(
        &["eval", "lb.toml"],
        &["\"qaspr\"", "did you mean \"qasper\"?"],
    );
    world.write(
        "lb.toml",
        "name = 'lb'\nmethod = []\n[[task]]\nname = 'trec'\nmetric = 'best'\n",
    );
    world.refused(
        &["eval", "lb.toml"],
        &["lb.toml", "trec", "`best`", "`official`"],
    );
    world.write(
        "lb.toml",
        "name = 'lb'\nmethod = []\n[[task]]\nname = 'narrativeqa_e'\n",
    );
    world.refused(&["eval", "lb.toml"], &["\"narrativeqa_e\""]);
    let done = world.run(&["eval", "tiny.toml", "--suite", "longbench"]);
    assert_eq!(done.code, 2, "{done:?}");
    let plan = world.good(&[
        "eval",
        "--suite",
        "longbench",
        "--tasks",
        "trec",
        "--dry-run",
    ]);
    assert!(
        plan.contains("\ntask trec: LongBench: few-shot (en), scored by classification"),
        "{plan}"
    );
}
