//! Figures drawn from a fixed results folder.

use std::fs;
use std::path::{Path, PathBuf};

use spindle::plot::draw_all;
use spindle::record::{Record, RecordWriter};
use tempfile::TempDir;

/// A results folder with the rows of `tests/fixtures`.
fn fixture() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["records.csv", "layers.csv"] {
        let from = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(file);
        fs::copy(from, dir.path().join(file)).unwrap();
    }
    dir
}

fn names(paths: &[PathBuf]) -> Vec<&str> {
    paths
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap())
        .collect()
}

/// Width and height of a PNG, after checking that it begins and ends as one.
fn png_size(bytes: &[u8]) -> (u32, u32) {
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    assert_eq!(&bytes[12..16], b"IHDR");
    assert_eq!(&bytes[bytes.len() - 12..], b"\0\0\0\0IEND\xaeB`\x82");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn each_figure_has_both_formats_of_one_size_and_the_same_bytes_again() {
    let dir = fixture();
    let paths = draw_all(dir.path()).unwrap();
    let stems = [
        "accuracy-needle",
        "needle-needle-full",
        "needle-needle-snapkv",
        "needle-needle-spindle",
        "needle-needle-spindle-code",
        "bytes-needle",
    ];
    let expected: Vec<String> = stems
        .iter()
        .flat_map(|stem| [format!("{stem}.svg"), format!("{stem}.png")])
        .collect();
    assert_eq!(names(&paths), expected);

    let drawn: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    for pair in drawn.chunks(2) {
        let (width, height) = png_size(&pair[1]);
        let svg = String::from_utf8(pair[0].clone()).unwrap();
        assert!(svg.starts_with(&format!("<svg width=\"{width}\" height=\"{height}\"")));
        assert!(svg.trim_end().ends_with("</svg>"));
        assert!(pair[1].len() > 10_000, "an all but empty PNG");
    }
    draw_all(dir.path()).unwrap();
    let again: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(drawn == again, "redrawing changed a file");
}

#[test]
fn figures_name_their_series_settings_and_measurements() {
    let dir = fixture();
    let paths = draw_all(dir.path()).unwrap();
    let lines = |name: &str| -> Vec<String> {
        let path = paths.iter().find(|path| path.ends_with(name)).unwrap();
        fs::read_to_string(path)
            .unwrap()
            .lines()
            .map(String::from)
            .collect()
    };
    let has = |lines: &[String], text: &str| {
        assert!(lines.iter().any(|line| line == text), "no `{text}`")
    };

    let accuracy = lines("accuracy-needle.svg");
    for text in ["full", "snapkv", "spindle", "spindle-code"] {
        has(&accuracy, text);
    }
    let needle = lines("needle-needle-snapkv.svg");
    for text in [
        "retention=0.15",
        "token length",
        "depth, %",
        "4096",
        "50",
        "0.25",
        "1 failed",
        "measured retention 15.3 %, mean 0.444,",
    ] {
        has(&needle, text);
    }
    let bytes = lines("bytes-needle.svg");
    for text in [
        "codewords",
        "lists",
        "spindle-code",
        "theta-k=0.9;theta-v=0.8",
        "layer",
    ] {
        has(&bytes, text);
    }
}

#[test]
fn samples_without_a_place_have_no_heat_map_and_setups_have_their_own_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = RecordWriter::open(dir.path()).unwrap();
    for (model, method) in [
        ("org/a", "full"),
        ("org/a", "h2o"),
        ("b", "full"),
        ("b", "h2o"),
    ] {
        let record = Record {
            model: model.into(),
            task: "qa".into(),
            sample: "0".into(),
            method: method.into(),
            retention: Some(0.5),
            score: Some(0.5),
            ..Record::default()
        };
        writer.append(&record, &[]).unwrap();
    }
    let paths = draw_all(dir.path()).unwrap();
    let expected = [
        "accuracy-qa-org-a.svg",
        "accuracy-qa-org-a.png",
        "accuracy-qa-b.svg",
        "accuracy-qa-b.png",
    ];
    assert_eq!(names(&paths), expected);
}

#[test]
fn a_folder_without_rows_is_bad_input() {
    let dir = tempfile::tempdir().unwrap();
    RecordWriter::open(dir.path()).unwrap();
    assert_eq!(
        spindle::error::exit_code(&draw_all(dir.path()).unwrap_err()),
        2
    );
}
