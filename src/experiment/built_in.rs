//! The experiments that come with the program: the name and text of every TOML file in `experiments/`, held in the
//! binary.

use include_dir::{Dir, include_dir};

static EXPERIMENTS: Dir = include_dir!("$CARGO_MANIFEST_DIR/experiments");

/// Names and texts, sorted by name.
pub fn built_in() -> Vec<(&'static str, &'static str)> {
    let mut found: Vec<_> = EXPERIMENTS
        .files()
        .filter(|file| {
            file.path()
                .extension()
                .is_some_and(|extension| extension == "toml")
        })
        .filter_map(|file| Some((file.path().file_stem()?.to_str()?, file.contents_utf8()?)))
        .collect();
    found.sort_unstable();
    found
}
