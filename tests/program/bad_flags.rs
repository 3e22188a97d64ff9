//! Flags that cannot be followed: found before the model is asked for.

use std::fs;

use crate::server::Hub;
use crate::world::{Done, World, short_run};

/// Asserts that the flags are refused before the hub, where the model is said to be, is asked anything.
fn refused_early(world: &World, flags: &[&str], says: &[&str]) {
    let hub = Hub::serve(&[]);
    let args = [&["eval", "tiny.toml", "--model", "tiny/model"][..], flags].concat();
    let before = world.files();
    let mut command = world.command(&args);
    command
        .env("HF_ENDPOINT", &hub.endpoint)
        .env("HF_HUB_CACHE", world.path("hub"));
    let done = Done::new(&args, command.output().unwrap());
    world.assert_refused(&done, says);
    assert!(hub.take_seen().is_empty(), "{args:?}: the hub was asked");
    assert!(world.files() == before, "{args:?} left something");
}

#[test]
fn sizes_and_methods() {
    let world = World::new();
    let early = |flags: &[&str], says: &[&str]| refused_early(&world, flags, says);
    for value in ["0", "-0.5", "1.01", "nan"] {
        let says = ["retention = ", "expected a number above 0, up to 1"];
        early(&["--retention", value], &says);
        early(&["--methods", "snapkv", "--retention", value], &says);
        let method = format!("snapkv:retention={value}");
        early(&["--method", &method], &says);
    }
    early(
        &["--methods", "full", "--retention", "0.5"],
        &["--retention", "0.5"],
    );
    early(
        &["--method", "snapkv:share=0.5", "--retention", "0.5"],
        &["--retention"],
    );
    early(&["--methods", "snapkv"], &["snapkv", "no size is given"]);
    early(
        &["--methods", "snapvk", "--retention", "0.5"],
        &["\"snapvk\"", "did you mean \"snapkv\"?"],
    );
    early(
        &["--methods", "snapkv,snapkv", "--retention", "0.5"],
        &["snapkv", "twice"],
    );
    early(&["--methods", "full,full"], &["method full", "twice"]);
    early(
        &["--method", "spindle:retention"],
        &["--method", "\"retention\": expected KEY=VALUE"],
    );
    early(
        &["--method", "snapkv:retention=0.5;retention=0.4"],
        &["--method", "retention", "twice"],
    );
    early(
        &["--method", "snapkv:retention=0.5;windw=4"],
        &["\"windw\"", "did you mean \"window\"?"],
    );
    early(&["--kv-dtype", "f8"], &["f8", "f16"]);
}

#[test]
fn tasks_devices_and_threads() {
    let world = World::new();
    let early = |flags: &[&str], says: &[&str]| refused_early(&world, flags, says);
    early(&["--lengths", "-5"], &["needle", "-5"]);
    early(&["--depths", "120"], &["needle", "120", "0 to 100"]);
    early(&["--seeds", "0"], &["needle", "seeds"]);
    early(&["--limit", "0"], &["--limit 0", "at least 1"]);
    early(
        &["--haystack", "nowhere"],
        &[
            "haystack folder nowhere: nowhere: No such file",
            "expected a folder of texts",
        ],
    );
    early(
        &["--haystack", "model"],
        &["model/config.json:", "\"text\""],
    );
    world.write("empty/pictures/a.png", "none");
    early(&["--haystack", "empty"], &["empty", "*.txt"]);
    early(&["--device", "tpu"], &["--device tpu", "cpu or cuda"]);
    early(&["--threads", "0"], &["--threads 0", "at least 1"]);
    // Just above what is allowed: were it started after all, the machine would bear it.
    early(&["--threads", "1025"], &["--threads 1025", "at most 1024"]);
    early(&["--name", "a/b"], &["a/b", "expected letters"]);
    world.refused(&["--threads", "0", "list"], &["--threads 0"]);
    world.refused(&["sweep"], &["nothing to sweep"]);
}

#[test]
fn the_parser_refuses_with_the_same_code() {
    let world = World::new();
    for args in [
        &["eval", "--retention", "half"][..],
        &["eval", "--compress", "all"],
        &["eval", "--seed", "18446744073709551615"],
        &["eval", "--no-such-flag"],
        &["evil"],
        &["figures"],
    ] {
        let before = world.files();
        let done = world.run(args);
        assert_eq!(done.code, 2, "{done:?}");
        assert!(done.stderr.starts_with("error: "), "{done:?}");
        assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
        assert!(before == world.files());
    }
}

#[test]
fn results_folders_that_cannot_be_used() {
    let world = World::new();
    let early = |flags: &[&str], says: &[&str]| refused_early(&world, flags, says);
    world.write("file", "in the way");
    let says = ["results folder", "file", "expected a folder"];
    early(&["--results", "file"], &says);
    early(&["--results", "file/deeper"], &says);
    early(&["--out", "file"], &says);
    fs::create_dir(world.path("results")).unwrap();
    world.write("results/tiny", "in the way");
    early(
        &[],
        &["results folder", "results/tiny", "expected a folder"],
    );
}

#[test]
fn a_folder_of_another_run_is_left_alone() {
    let world = World::new();
    world.good(&short_run("out"));
    let says = ["results folder out", "another experiment"];
    refused_early(&world, &["--out", "out"], &says);
    world.refused(&["eval", "tiny.toml", "--out", "out"], &says);
    // The same experiment on another model: only its files show it.
    crate::common::tiny::Tiny {
        vocab: 300,
        seed: 9,
        ..crate::common::tiny::Tiny::new(crate::common::tiny::Family::Llama)
    }
    .write(&world.path("model"))
    .unwrap();
    let args = short_run("out");
    world.refused(&args, &says);
    world.write("out/run.json", "{");
    world.refused(&args, &["out/run.json"]);
}

#[test]
fn folders_without_rows_have_no_figures_and_no_report() {
    let world = World::new();
    for verb in ["figures", "report"] {
        for folder in ["model", "nowhere"] {
            world.refused(&[verb, folder], &[folder, "no records.csv"]);
        }
        world.refused(
            &[verb, "tiny.toml"],
            &["tiny.toml: a file, expected a results folder"],
        );
    }
    world.good(&short_run("out"));
    for verb in ["figures", "report"] {
        let says = ["out/records.csv: a file, expected a results folder"];
        world.refused(&[verb, "out/records.csv"], &says);
    }
    let text = world.read("out/records.csv");
    let header = text.lines().next().unwrap();
    for verb in ["figures", "report"] {
        world.write("out/records.csv", format!("{header}\n"));
        world.refused(&[verb, "out"], &["records.csv", "no rows"]);
        world.write(
            "out/records.csv",
            text.replacen("experiment,", "experimnt,", 1),
        );
        world.refused(
            &[verb, "out"],
            &["records.csv:1: column 1 is `experimnt`", "does not know"],
        );
        world.write("out/records.csv", &text);
    }
    fs::remove_file(world.path("out/layers.csv")).unwrap();
    world.refused(&["figures", "out"], &["layers.csv"]);
}

#[test]
fn a_report_without_a_run_says_what_it_does_not_know() {
    let world = World::new();
    world.good(&short_run("out"));
    let table = world.good(&["report", "out"]);
    let unknown = "out/run.json: which templates were used and which samples left out is not known";
    world.write("out/run.json", "{");
    for says in [&["out/run.json: EOF", unknown][..], &[unknown]] {
        let done = world.run(&["report", "out"]);
        assert_eq!((done.code, &done.stdout), (0, &table), "{done:?}");
        for text in says {
            assert!(done.stderr.contains(text), "no {text} in {done:?}");
        }
        if world.path("out/run.json").exists() {
            fs::remove_file(world.path("out/run.json")).unwrap();
        }
    }
}

#[test]
fn more_tasks_than_can_be_drawn_are_refused() {
    let world = World::new();
    world.good(&short_run("out"));
    let text = world.read("out/records.csv");
    let mut lines = text.lines();
    let (header, row) = (lines.next().unwrap(), lines.next().unwrap());
    assert!(row.contains(",needle,"), "{row}");
    let rows = (0..501).map(|i| row.replacen(",needle,", &format!(",task-{i},"), 1) + "\n");
    world.write(
        "out/records.csv",
        format!("{header}\n{}", rows.collect::<String>()),
    );
    let says = ["out/records.csv: 501 tasks and setups, expected at most 500"];
    world.refused(&["figures", "out"], &says);
}
