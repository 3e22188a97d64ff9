//! Runs that are stopped in the middle and started again.

use std::fs;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use spindle::record::read_layers;

use crate::world::{Done, World};

const ARGS: [&str; 5] = ["eval", "long.toml", "--out", "out", "--seeds=5"];
const REFERENCE: [&str; 5] = ["eval", "long.toml", "--out", "whole", "--seeds=5"];
const SAMPLES: usize = 4 * 5;

/// A world whose experiment takes long enough to be stopped.
fn world() -> World {
    let world = World::new();
    world.write("long.toml", crate::world::EXPERIMENT);
    world
}

fn count(world: &World) -> usize {
    let text = fs::read(world.path("out/records.csv")).unwrap_or_default();
    let lines = text.iter().filter(|byte| **byte == b'\n').count();
    lines.saturating_sub(1)
}

/// Starts the run and waits until it has written `rows` more than there are.
fn start(world: &World, rows: usize) -> Child {
    let goal = count(world) + rows;
    let mut child = world.command(&ARGS).spawn().unwrap();
    let started = Instant::now();
    while count(world) < goal {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("over before it could be stopped: {status}");
        }
        assert!(started.elapsed() < Duration::from_secs(60), "no rows");
        std::thread::sleep(Duration::from_millis(1));
    }
    child
}

/// Asserts that `out` is what a run leaves that was never stopped.
fn assert_as_uninterrupted(world: &World) {
    world.good(&REFERENCE);
    assert_eq!(world.rows("whole").len(), SAMPLES * 8);
    assert_eq!(world.rows("out"), world.rows("whole"));
    for file in ["layers.csv", "predictions.jsonl"] {
        let (out, whole) = (format!("out/{file}"), format!("whole/{file}"));
        assert_eq!(world.read(&out), world.read(&whole), "{file}");
    }
    // Reading refuses duplicates.
    assert_eq!(world.records("out").len(), SAMPLES * 8);
    assert_eq!(
        read_layers(&world.path("out")).unwrap().len(),
        SAMPLES * 8 * 3
    );
    assert!(ended(world));
}

fn ended(world: &World) -> bool {
    let run: serde_json::Value = serde_json::from_str(&world.read("out/run.json")).unwrap();
    run["end"].is_string()
}

#[test]
fn a_killed_run_goes_on_to_the_same_rows() {
    let world = world();
    for rows in [3, 17, 9] {
        let before = count(&world);
        let mut child = start(&world, rows);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None);
        assert!(!ended(&world));
        assert!(count(&world) >= before + rows && count(&world) < SAMPLES * 8);
    }
    world.good(&ARGS);
    assert_as_uninterrupted(&world);
}

/// Without its last row a table says other things: whoever reads it is told.
#[test]
fn a_torn_row_is_left_out_aloud() {
    let world = world();
    world.good(&REFERENCE);
    let whole = fs::read(world.path("whole/records.csv")).unwrap();
    fs::write(world.path("whole/records.csv"), &whole[..whole.len() - 5]).unwrap();
    for verb in ["report", "figures"] {
        let done = world.run(&[verb, "whole"]);
        let says = "warning: whole/records.csv: its last row is not whole, and left out";
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.stderr.contains(says), "{done:?}");
    }
}

/// Files cut in the middle of a row, as a kill leaves them: a record is written after its layers and its answer.
#[test]
fn torn_files_are_mended() {
    let world = world();
    world.good(&REFERENCE);
    for (records, rest) in [(0, 0), (0, 3), (3, 11), (34, 51), (71, 71 + 9)] {
        fs::create_dir_all(world.path("out")).unwrap();
        for (file, percent) in [
            ("records.csv", records),
            ("layers.csv", rest),
            ("predictions.jsonl", rest),
        ] {
            let bytes = fs::read(world.path("whole").join(file)).unwrap();
            let mut kept = bytes[..bytes.len() * percent / 100].to_vec();
            if file == "predictions.jsonl" {
                // The first half of an "é".
                kept.extend(b"{\"task\":\"\xc3");
            }
            fs::write(world.path("out").join(file), kept).unwrap();
        }
        fs::copy(world.path("whole/run.json"), world.path("out/run.json")).unwrap();
        world.good(&ARGS);
        assert_eq!(world.rows("out"), world.rows("whole"));
        let sorted = |folder: &str, file: &str| {
            let text = world.read(&format!("{folder}/{file}"));
            let mut lines: Vec<_> = text.lines().map(str::to_string).collect();
            lines.sort();
            lines
        };
        for file in ["layers.csv", "predictions.jsonl"] {
            assert_eq!(sorted("out", file), sorted("whole", file), "{file}");
        }
        fs::remove_dir_all(world.path("out")).unwrap();
    }
}

#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let world = world();
    for signal in ["INT", "TERM"] {
        let child = start(&world, 1);
        let kill = format!("kill -{signal} {}", child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        let done = Done::new(&ARGS, child.wait_with_output().unwrap());
        assert_eq!(done.code, 130, "{done:?}");
        let advice = "interrupted: run the same command again to go on in out";
        assert!(done.stderr.contains(advice), "{done:?}");
        assert!(done.stdout.is_empty(), "{done:?}");
        assert!(!ended(&world));
        // The sample at hand was finished.
        assert!(count(&world).is_multiple_of(8) && count(&world) < SAMPLES * 8);
    }
    world.good(&ARGS);
    assert_as_uninterrupted(&world);
}
