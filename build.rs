//! Bakes the source revision into the program, so that every result says what made it.

use std::process::Command;

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

fn main() {
    let revision = git(&["rev-parse", "--short=10", "HEAD"]).unwrap_or_else(|| "unknown".into());
    // Results and texts do not change what the program computes.
    let changed = git(&[
        "status",
        "--porcelain",
        "--",
        "src",
        "Cargo.toml",
        "Cargo.lock",
        "build.rs",
    ]);
    let dirty = changed.is_some_and(|changed| !changed.is_empty());
    println!("cargo::rustc-env=SPINDLE_REVISION={revision}");
    println!("cargo::rustc-env=SPINDLE_DIRTY={dirty}");
    for path in [
        "src",
        "Cargo.toml",
        "Cargo.lock",
        "experiments",
        "datasets/haystack",
        ".git/HEAD",
        ".git/index",
    ] {
        println!("cargo::rerun-if-changed={path}");
    }
}
