//! What each verb prints when nothing is wrong.

use predicates::prelude::*;
use spindle::compress::methods::method_infos;
use spindle::experiment::built_in;
use spindle::source::sha256_file;

use crate::server::{COMMIT, Hub};
use crate::world::World;

fn spindle() -> assert_cmd::Command {
    assert_cmd::Command::new(env!("CARGO_BIN_EXE_spindle"))
}

#[test]
fn every_verb_has_a_worked_example() {
    for verb in [
        "eval", "sweep", "inspect", "figures", "report", "list", "fetch",
    ] {
        let example = predicate::str::contains("Example")
            .and(predicate::str::contains(format!("\n  spindle {verb}")));
        let help = spindle().args([verb, "--help"]).assert();
        help.success().stdout(example).stderr("");
    }
    spindle()
        .arg("--version")
        .assert()
        .success()
        .stdout(predicate::str::starts_with("spindle "));
}

#[test]
fn list_names_methods_settings_tasks_and_experiments() {
    let out = World::new().good(&["list"]);
    for info in method_infos() {
        assert!(out.contains(&format!("\n  {:<14} ", info.name)), "{out}");
        assert!(out.contains(info.summary), "{out}");
        for setting in info.settings {
            assert!(out.contains(&format!("\n      {:<12} ", setting.name)));
        }
    }
    assert!(out.contains("\ntasks\n  needle "), "{out}");
    for (name, _) in built_in() {
        assert!(out.contains(&format!("\n  {name:<14} ")), "{out}");
    }
    let out = World::new().good(&["list", "tasks"]);
    assert!(
        out.starts_with("tasks\n") && !out.contains("snapkv"),
        "{out}"
    );
}

#[test]
fn every_built_in_experiment_can_be_planned() {
    let world = World::new();
    assert!(built_in().len() >= 2);
    for (name, _) in built_in() {
        for verb in ["eval", "sweep"] {
            if (verb, name) == ("sweep", "quickstart") {
                continue; // What `sweep` takes for "nothing given".
            }
            let out = world.good(&[verb, name, "--dry-run"]);
            assert!(out.starts_with(&format!("experiment {name}, model ")));
            assert!(
                out.contains("\ntask ") && out.contains("\n  full "),
                "{out}"
            );
        }
    }
    assert!(!world.path("results").exists());
}

#[test]
fn sweep_lists_the_product_of_its_settings() {
    let world = World::new();
    let flags = [
        "--methods",
        "snapkv,streaming-llm",
        "--retention",
        "0.2,0.4",
    ];
    let codes = [
        "--method",
        "spindle-code:theta-k=0.9,0.8;theta-v=0.7,0.6,0.5",
    ];
    let args = [&["sweep", "--dry-run"][..], &flags, &codes].concat();
    let out = world.good(&args);
    assert!(out.contains("\n11 cells, each on every sample:\n"), "{out}");
    let lines = |start: &str| out.lines().filter(|line| line.starts_with(start)).count();
    assert_eq!(
        (lines("  full"), lines("  snapkv"), lines("  spindle-code")),
        (1, 2, 6)
    );
    assert!(out.contains("retention=0.4"), "{out}");
}

#[test]
fn fetch_says_what_a_folder_holds() {
    let world = World::new();
    let weights = world.path("model/model.safetensors");
    let out = world.good(&["fetch", "model"]);
    let revision = sha256_file(&weights).unwrap();
    let expected =
        format!("model     model\nrevision  {revision}\nweights   model/model.safetensors\n");
    assert_eq!(out, expected);
}

/// The tiny model from a hub, by `fetch` and then by `eval` with the hub gone.
#[test]
fn a_model_of_the_hub_is_fetched_once() {
    let world = World::new();
    let names = [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "model.safetensors",
    ];
    let files = names.map(|name| (name, std::fs::read(world.path("model").join(name)).unwrap()));
    let served: Vec<(&str, &[u8])> = files.iter().map(|(n, bytes)| (*n, &bytes[..])).collect();
    let hub = Hub::serve(&served);
    let at = |args: &[&str], offline: &str| {
        let mut command = world.command(args);
        command
            .env("HF_ENDPOINT", &hub.endpoint)
            .env("HF_HUB_CACHE", world.path("hub"))
            .env("HF_HUB_OFFLINE", offline);
        crate::world::Done::new(args, command.output().unwrap())
    };
    let done = at(&["fetch", "tiny/model@main"], "0");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.stdout.contains(&format!("\nrevision  {COMMIT}\n")),
        "{done:?}"
    );
    assert!(!hub.take_seen().is_empty());

    let flags = [
        "--model",
        "tiny/model@main",
        "--methods",
        "full",
        "--limit",
        "1",
    ];
    let done = at(
        &[&["eval", "tiny.toml", "--out", "out"][..], &flags].concat(),
        "1",
    );
    assert_eq!(done.code, 0, "{done:?}");
    assert!(hub.take_seen().is_empty());
    let [record] = &world.records("out")[..] else {
        panic!("one row")
    };
    assert_eq!(record.model_revision, COMMIT);

    let before = world.files();
    world.assert_refused(
        &at(&["eval", "tiny.toml", "--model", "tiny/absent"], "0"),
        &["tiny/absent", &hub.endpoint, "no folder tiny/absent here"],
    );
    world.assert_refused(&at(&["fetch", "tiny/model@v9"], "0"), &["tiny/model", "v9"]);
    assert!(before == world.files());
}
