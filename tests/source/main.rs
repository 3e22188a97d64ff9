//! Where model files come from: folders and files (`local`), wheels, the hub.

mod hub;
mod liar;
mod local;
mod server;
mod wheel;

use std::path::Path;
use std::process::Command;

use spindle::error::exit_code;
use spindle::source::{SourceOptions, resolve};

fn options(cache: &Path) -> SourceOptions {
    SourceOptions {
        cache: Some(cache.to_path_buf()),
        ..SourceOptions::default()
    }
}

/// The message of an error that must count as the user's.
fn bad_input(spec: &str, options: &SourceOptions) -> String {
    let error = resolve(spec, options).expect_err(spec);
    assert_eq!(exit_code(&error), 2, "{error:#}");
    format!("{error:#}")
}

fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Resolves `spec` with the default options in a process of its own, whose environment has
/// `variables` and nothing else that matters; gives what it printed.
fn resolve_in_child(spec: &str, variables: &[(&str, &str)]) -> String {
    resolve_in_child_of(Path::new("."), spec, variables)
}

/// As [`resolve_in_child`], run in `folder`.
fn resolve_in_child_of(folder: &Path, spec: &str, variables: &[(&str, &str)]) -> String {
    let ours = ["HF_", "XDG_", "PIP_", "SPINDLE_"];
    let inherited = std::env::vars().map(|(name, _)| name);
    let mut command = Command::new(std::env::current_exe().unwrap());
    for name in inherited.filter(|name| ours.iter().any(|prefix| name.starts_with(prefix))) {
        command.env_remove(name);
    }
    let output = command
        .args(["--exact", "child", "--ignored", "--nocapture"])
        .env("SPINDLE_TEST_SPEC", spec)
        .current_dir(folder)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The other side of [`resolve_in_child`].
#[test]
#[ignore]
fn child() {
    let spec = std::env::var("SPINDLE_TEST_SPEC").unwrap_or_default();
    match resolve(&spec, &SourceOptions::default()) {
        Ok(files) => println!(
            "resolved {} {}",
            files.revision,
            files.kind.weights()[0].display()
        ),
        Err(error) => println!("failed {error:#}"),
    }
}
