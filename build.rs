//! Bakes the source revision into the program, so that every result says what made it.

use std::path::Path;
use std::process::Command;

/// What the program is made of: the source, and the folders that are compiled in. Results and texts do not change what it
/// computes.
pub(crate) const INPUTS: [&str; 6] = [
    "src",
    "datasets",
    "experiments",
    "Cargo.toml",
    "Cargo.lock",
    "build.rs",
];

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .arg("--no-optional-locks")
        .args(arguments)
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
}

fn main() {
    let revision = git(&["rev-parse", "--short=10", "HEAD"]).unwrap_or_else(|| "unknown".into());
    let changed = git(&[&["status", "--porcelain", "--"], &INPUTS[..]].concat());
    let dirty = changed.is_some_and(|changed| !changed.is_empty());
    println!("cargo::rustc-env=SPINDLE_REVISION={revision}");
    println!("cargo::rustc-env=SPINDLE_DIRTY={dirty}");
    for path in INPUTS {
        println!("cargo::rerun-if-changed={path}");
    }
    // Grows with every commit and checkout. Cargo would build anew each time for a path that does not exist, as
    // outside of git or, for a path below .git, in a worktree.
    let moves =
        git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|path| Path::new(path).exists());
    if let Some(path) = moves {
        println!("cargo::rerun-if-changed={path}");
    }
}
