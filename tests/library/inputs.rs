//! That what is compiled into the program is what the build script asks git about: a result of changed data says so.

use std::path::Path;

use walkdir::WalkDir;

#[path = "../../build.rs"]
#[allow(dead_code)]
mod build;

#[test]
fn every_folder_that_is_compiled_in_is_an_input_of_the_build() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for input in build::INPUTS {
        assert!(root.join(input).exists(), "{input}");
    }
    let mut folders = 0;
    for entry in WalkDir::new(root.join("src")) {
        let entry = entry.unwrap();
        if !entry.file_type().is_file() {
            continue;
        }
        let text = std::fs::read_to_string(entry.path()).unwrap();
        for part in text.split("\"$CARGO_MANIFEST_DIR/").skip(1) {
            let folder = part.split(['/', '"']).next().unwrap();
            assert!(
                build::INPUTS.contains(&folder),
                "{}: {folder}",
                entry.path().display()
            );
            folders += 1;
        }
        // A path from the file itself would not be seen above.
        assert!(
            !text.contains("include_str!") && !text.contains("include_bytes!"),
            "{}",
            entry.path().display()
        );
    }
    assert!(folders > 0);
}
