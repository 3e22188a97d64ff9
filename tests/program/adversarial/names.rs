//! Names and places that cannot be.

use std::fs;

use super::{clean, refused_in};
use crate::world::{World, short_run};

#[test]
fn names_that_no_file_system_takes() {
    let world = World::new();
    let long = "x".repeat(300);
    let out = format!("results/{long}");
    let toml = format!("{long}.toml");
    let hub = format!("{long}/model");
    for (args, says) in [
        (
            &["eval", "tiny.toml", "--name", &long][..],
            "expected letters",
        ),
        (&["eval", "tiny.toml", "--out", &long], "File name too long"),
        (&["eval", "tiny.toml", "--out", &out], "File name too long"),
        (
            &["eval", "tiny.toml", "--results", &long],
            "File name too long",
        ),
        (&["eval", &toml], "File name too long"),
        (&["eval", &long], "is not known"),
        (&["eval", "tiny.toml", "--model", &long], "expected a path"),
        (
            &["eval", "tiny.toml", "--haystack", &long],
            "File name too long",
        ),
        (
            &["inspect", &long, "--model", "model"],
            "File name too long",
        ),
        (&["report", &long], "no records.csv"),
        (&["figures", &long], "no records.csv"),
    ] {
        refused_in(&world, args, &[says]);
    }
    let mut command = world.command(&["fetch", &hub]);
    command
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HUB_CACHE", world.path("hub"));
    let done = crate::world::Done::new(&["fetch"], command.output().unwrap());
    world.assert_refused(&done, &["no folder xxx", "the hub is not asked"]);
    clean(&done);
}

#[test]
fn a_file_where_a_folder_should_be() {
    let world = World::new();
    let args = short_run("out");
    world.write("out/figures", "in the way");
    refused_in(&world, &args, &["out/figures", "expected a folder"]);
    fs::remove_file(world.path("out/figures")).unwrap();
    world.good(&args);
    fs::remove_dir_all(world.path("out/figures")).unwrap();
    world.write("out/figures", "in the way");
    refused_in(
        &world,
        &["figures", "out"],
        &["out/figures", "expected a folder"],
    );
    refused_in(&world, &args, &["out/figures", "expected a folder"]);
}

#[test]
fn a_model_that_is_elsewhere_is_said_not_to_be_here() {
    let world = World::new();
    for endpoint in ["http://127.0.0.1:9", "ftp://127.0.0.1"] {
        let args = ["inspect", "tiny.toml", "--model", "models/tiny"];
        let mut command = world.command(&args);
        command
            .env("HF_ENDPOINT", endpoint)
            .env("HF_HUB_CACHE", world.path("hub"));
        let done = crate::world::Done::new(&args, command.output().unwrap());
        clean(&done);
        assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
        match endpoint {
            "ftp://127.0.0.1" => {
                world.assert_refused(&done, &["HF_ENDPOINT is `ftp://127.0.0.1`", "http(s)"]);
            }
            _ => {
                assert_eq!(done.code, 1, "{done:?}");
                let refused = done.stderr.matches("refused").count();
                let says = "model `models/tiny`: no folder models/tiny here, and cannot fetch models/tiny@main from";
                assert!(done.stderr.contains(says) && refused == 1, "{done:?}");
            }
        }
    }
}

/// A model beside the program needs no folder of anybody's.
#[test]
fn a_local_model_works_without_a_home() {
    let world = World::new();
    let args = short_run("out");
    let mut command = world.command(&args);
    for name in ["HOME", "XDG_CACHE_HOME"] {
        command.env_remove(name);
    }
    let done = crate::world::Done::new(&args, command.output().unwrap());
    assert_eq!(done.code, 0, "{done:?}");
}
