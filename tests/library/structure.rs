//! That the modules of `src` use each other in one direction.

mod imports;
mod module;
mod paths;
mod resolver;
mod rule;
mod tokens;
mod tree;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The top-level modules of `src`. Each uses only those before it.
const ORDER: &[&str] = &[
    // Uses nothing; what every module says of bad input.
    "error",
    // Uses nothing; any stage may be timed.
    "profile",
    // Uses nothing; every line that is printed goes through it.
    "terminal",
    // Uses nothing; widths of what is printed.
    "layout",
    // Refuses by `error` what does not fit.
    "memory",
    // Uses nothing; stands beside `memory`, as it says what fits elsewhere.
    "disk",
    // Reads what fits `memory`.
    "files",
    // Is opened as one of `files`.
    "archive",
    // Says through `terminal` what did not fit `memory`.
    "guard",
    "typed",
    // Shows a line of TOML through `terminal`.
    "toml_text",
    "kernel",
    "source",
    "store",
    "attend",
    "model",
    "load",
    "compress",
    "generate",
    "dataset",
    "task",
    "experiment",
    "record",
    "run",
    "report",
    "inspect",
    "plot",
    "cli",
    "cmd",
];

/// The texts of the files of `src`, by their paths below it.
fn source() -> BTreeMap<String, String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = BTreeMap::new();
    for entry in walkdir::WalkDir::new(&src) {
        let entry = entry.unwrap();
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "rs")
        {
            let path = entry.path().strip_prefix(&src).unwrap();
            let path = path.to_str().unwrap().replace('\\', "/");
            files.insert(path, std::fs::read_to_string(entry.path()).unwrap());
        }
    }
    files
}

#[test]
fn modules_use_each_other_in_one_direction() {
    let tree = tree::Tree::read(&source());
    let files = tree.files.keys().map(|at| &tree.modules[at].file);
    let modules: BTreeSet<&str> = files.map(|file| rule::top(file)).collect();
    let known: BTreeSet<&str> = ORDER.iter().copied().chain(["lib"]).collect();
    assert_eq!(modules, known, "the order names every module");
    let complaints = rule::complaints(&uses::uses(tree), ORDER);
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}
