//! What each verb prints when nothing is wrong.

use predicates::prelude::*;
use spindle::compress::methods::method_infos;
use spindle::experiment::built_in;
use spindle::source::sha256_file;
use spindle::task::kinds::kinds;

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
    let world = World::new();
    let out = world.good(&["list"]);
    let words = words(&out);
    for info in method_infos() {
        assert!(out.contains(&format!("\n  {:<14} ", info.name)), "{out}");
        assert!(words.contains(info.summary), "{out}");
        for setting in info.settings {
            assert!(out.contains(&format!("\n      {} ", setting.name)));
            assert!(words.contains(&self::words(setting.help)), "{out}");
        }
    }
    assert!(out.contains("\ntasks\n  needle "), "{out}");
    for kind in kinds() {
        assert!(
            words.contains(&format!(" {} {}", kind.name, kind.summary)),
            "{out}"
        );
    }
    for (name, _) in built_in() {
        assert!(out.contains(&format!("\n  {name:<14} ")), "{out}");
    }
    let out = world.good(&["list", "tasks"]);
    assert!(
        out.starts_with("tasks\n") && !out.contains("snapkv"),
        "{out}"
    );
}

/// The words of a text that was wrapped, a space between each two.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn list_tells_of_one_by_its_name() {
    let world = World::new();
    let out = world.good(&["list", "snapkv"]);
    assert!(out.starts_with("method\n  snapkv "), "{out}");
    assert!(
        out.contains("\n      window  ") && !out.contains("pyramidkv "),
        "{out}"
    );
    // An experiment and a task.
    let out = world.good(&["list", "ruler"]);
    assert!(
        out.contains("task\n  ruler ") && out.contains("\nexperiment ruler, model "),
        "{out}"
    );
    assert!(
        words(&out).contains("hotpotqa not set the file of qa_2"),
        "{out}"
    );
    let out = world.good(&["list", "vt"]);
    assert!(
        out.contains("task\n  ruler ") && out.contains(" vt, cwe, fwe,"),
        "{out}"
    );
    let out = world.good(&["list", "quickstart"]);
    assert!(out.contains("\n  spindle retention=0.2\n"), "{out}");
    world.refused(
        &["list", "spindel"],
        &["\"spindel\"", "did you mean \"spindle\"?"],
    );
    world.refused(&["list", "experimnts"], &["did you mean \"experiments\"?"]);
}

/// What a table of a kind takes is what it names, and nothing else.
#[test]
fn listed_keys_are_those_that_a_table_takes() {
    for kind in kinds() {
        let table = toml::Table::from_iter([("no-such-key".to_string(), 1.into())]);
        let error = (kind.parse)(&kind.name, table).err().unwrap().to_string();
        let accepted = error.split("`no-such-key`").nth(1).unwrap_or_default();
        let mut accepted: Vec<&str> = accepted.split('`').skip(1).step_by(2).collect();
        // Read before the others.
        for key in ["haystack", "text"] {
            if kind.keys.iter().any(|known| known.name == key) && !accepted.contains(&key) {
                let table = toml::Table::from_iter([(key.to_string(), 1.into())]);
                let error = (kind.parse)(&kind.name, table).err().unwrap().to_string();
                assert!(error.contains(&format!("{key} = 1")), "{error}");
                accepted.push(key);
            }
        }
        let mut listed: Vec<&str> = kind.keys.iter().map(|key| key.name).collect();
        accepted.sort_unstable();
        listed.sort_unstable();
        assert_eq!(listed, accepted, "{}: {error}", kind.name);
    }
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
                out.contains("\ntask ") && out.contains("\n  full\n"),
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
