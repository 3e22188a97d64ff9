//! Results folders: resuming after a kill, retrying failures, refusing what must not be mixed.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use spindle::error::BadInput;
use spindle::record::{
    LAYERS_FILE, LayerRecord, RECORDS_FILE, Record, RecordWriter, read_layers, read_records,
};

fn record(sample: &str) -> Record {
    Record {
        model: "m".into(),
        task: "needle".into(),
        sample: sample.into(),
        method: "snapkv".into(),
        settings: "retention=0.3".into(),
        program_version: "0.1.0".into(),
        retention: Some(0.1 + 0.2),
        score: Some(1.0),
        ..Record::default()
    }
}

fn layers(record: &Record) -> Vec<LayerRecord> {
    let layer = |layer| LayerRecord {
        model: record.model.clone(),
        task: record.task.clone(),
        sample: record.sample.clone(),
        method: record.method.clone(),
        settings: record.settings.clone(),
        layer,
        ..LayerRecord::default()
    };
    (0..2).map(layer).collect()
}

fn failed(sample: &str, error: &str) -> Record {
    Record {
        score: None,
        error: error.into(),
        ..record(sample)
    }
}

/// Writes the samples to a new run in `dir`.
fn run(dir: &Path, samples: &[&str]) {
    let mut writer = RecordWriter::open(dir).unwrap();
    for sample in samples {
        let record = record(sample);
        if !writer.is_finished(&record.key()) {
            writer.append(&record, &layers(&record)).unwrap();
        }
    }
}

fn cut(path: &Path, bytes: usize) {
    let content = fs::read(path).unwrap();
    fs::write(path, &content[..content.len() - bytes]).unwrap();
}

fn refusal(dir: &Path) -> String {
    let error = read_records(dir).unwrap_err();
    assert!(error.is::<BadInput>(), "{error:#}");
    error.to_string().replace(&dir.display().to_string(), "DIR")
}

#[test]
fn rows_read_back_as_written_with_shortest_floats() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["a", "b"]);
    assert_eq!(
        read_records(dir.path()).unwrap(),
        [record("a"), record("b")]
    );
    assert_eq!(read_layers(dir.path()).unwrap().len(), 4);
    let text = fs::read_to_string(dir.path().join(RECORDS_FILE)).unwrap();
    assert!(text.contains(",0.30000000000000004,"), "{text}");
}

#[test]
fn a_second_run_adds_nothing() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["a", "b"]);
    let before = fs::read(dir.path().join(RECORDS_FILE)).unwrap();
    run(dir.path(), &["a", "b"]);
    assert_eq!(fs::read(dir.path().join(RECORDS_FILE)).unwrap(), before);
    let record = record("a");
    assert!(
        RecordWriter::open(dir.path())
            .unwrap()
            .append(&record, &[])
            .is_err()
    );
}

#[test]
fn a_killed_run_resumes_to_the_same_files_wherever_it_was_cut() {
    let whole = tempfile::tempdir().unwrap();
    run(whole.path(), &["a", "b", "c"]);
    let bytes =
        |dir: &Path| [RECORDS_FILE, LAYERS_FILE].map(|file| fs::read(dir.join(file)).unwrap());
    let row = bytes(whole.path())[0].len() / 4;
    for torn in 1..=row {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), &["a", "b", "c"]);
        cut(&dir.path().join(RECORDS_FILE), torn);
        assert!(read_records(dir.path()).unwrap().len() < 3);
        run(dir.path(), &["a", "b", "c"]);
        assert_eq!(
            bytes(dir.path()),
            bytes(whole.path()),
            "{torn} bytes torn off"
        );
    }
}

#[test]
fn a_torn_layer_row_and_layers_without_a_record_are_dropped() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["a"]);
    let path = dir.path().join(LAYERS_FILE);
    let orphan = fs::read_to_string(&path)
        .unwrap()
        .lines()
        .last()
        .unwrap()
        .replace(",a,", ",b,");
    let content = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{content}{orphan}\n{}", &orphan[..8])).unwrap();
    RecordWriter::open(dir.path()).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), content);
}

#[test]
fn a_torn_header_is_written_again() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(RECORDS_FILE), "experiment,mod").unwrap();
    run(dir.path(), &["a"]);
    assert_eq!(read_records(dir.path()).unwrap(), [record("a")]);
}

#[test]
fn an_error_is_retried_and_its_row_replaced_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = RecordWriter::open(dir.path()).unwrap();
    let first = failed("a", "layer 3: out of memory,\nasked for \"2 GiB\"");
    writer.append(&first, &layers(&first)).unwrap();
    assert_eq!(read_layers(dir.path()).unwrap(), []);
    drop(writer);
    run(dir.path(), &["b"]);

    let mut writer = RecordWriter::open(dir.path()).unwrap();
    assert!(!writer.is_finished(&first.key()));
    assert!(writer.is_finished(&record("b").key()));
    writer.append(&failed("a", "again"), &[]).unwrap();
    assert_eq!(
        read_records(dir.path()).unwrap(),
        [failed("a", "again"), record("b")]
    );
    writer.append(&record("a"), &layers(&record("a"))).unwrap();
    writer.append(&record("c"), &[]).unwrap();
    assert_eq!(
        read_records(dir.path()).unwrap(),
        [record("a"), record("b"), record("c")]
    );
    assert_eq!(read_layers(dir.path()).unwrap().len(), 4);
}

#[test]
fn duplicates_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["a", "b"]);
    let path = dir.path().join(RECORDS_FILE);
    let content = fs::read_to_string(&path).unwrap();
    fs::write(
        &path,
        format!("{content}{}\n", content.lines().nth(1).unwrap()),
    )
    .unwrap();
    assert_eq!(
        refusal(dir.path()),
        "DIR/records.csv:4: duplicate of line 2: task `needle`, sample `a`, method `snapkv`, settings `retention=0.3`"
    );
    assert!(RecordWriter::open(dir.path()).is_err());
}

#[test]
fn mixed_versions_are_refused_by_reader_and_writer() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["a"]);
    let other = Record {
        program_version: "0.2.0".into(),
        ..record("b")
    };
    let error = RecordWriter::open(dir.path())
        .unwrap()
        .append(&other, &[])
        .unwrap_err();
    assert!(error.is::<BadInput>());
    let path = dir.path().join(RECORDS_FILE);
    let content = fs::read_to_string(&path).unwrap();
    let row = content
        .lines()
        .nth(1)
        .unwrap()
        .replace(",a,", ",b,")
        .replace("0.1.0", "0.2.0");
    fs::write(&path, format!("{content}{row}\n")).unwrap();
    assert_eq!(
        refusal(dir.path()),
        "DIR/records.csv:3: program_version is `0.2.0`, but earlier rows have `0.1.0`: \
         results of different versions cannot share a folder"
    );
}

#[test]
fn another_schema_and_bad_values_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["a"]);
    let path = dir.path().join(RECORDS_FILE);
    let content = fs::read_to_string(&path).unwrap();
    fs::write(&path, content.replace("model_revision", "revision")).unwrap();
    assert_eq!(
        refusal(dir.path()),
        "DIR/records.csv:1: column 3 is `revision`, which this version of the program does not know"
    );
    fs::write(&path, content.replace("0.30000000000000004", "much")).unwrap();
    assert_eq!(
        refusal(dir.path()),
        "DIR/records.csv:2: retention is `much`: invalid float literal"
    );
    fs::remove_file(&path).unwrap();
    assert!(format!("{:#}", read_records(dir.path()).unwrap_err()).contains(RECORDS_FILE));
}

#[test]
fn a_file_without_the_last_columns_is_read_and_not_written_to() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["a"]);
    let path = dir.path().join(RECORDS_FILE);
    let content = fs::read_to_string(&path).unwrap();
    let shorter = |line: &str| line.rsplit_once(',').unwrap().0.to_string() + "\n";
    let older: String = content.lines().map(shorter).collect();
    fs::write(&path, &older).unwrap();
    assert_eq!(read_records(dir.path()).unwrap(), [record("a")]);
    let error = RecordWriter::open(dir.path()).err().unwrap();
    assert!(error.is::<BadInput>(), "{error:#}");
    assert!(error.to_string().contains("is none, expected"), "{error:#}");
    assert_eq!(fs::read_to_string(&path).unwrap(), older);
}

/// Replaces the columns of a file by those at `order`, in that order.
fn rearrange(path: &Path, order: &[usize]) {
    let content = fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let cells: Vec<&str> = order.iter().map(|&at| cells[at]).collect();
        cells.join(",") + "\n"
    };
    fs::write(path, content.lines().map(row).collect::<String>()).unwrap();
}

#[test]
fn columns_are_known_by_their_names() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), &["a"]);
    let path = dir.path().join(LAYERS_FILE);
    let content = fs::read_to_string(&path).unwrap();
    let header: Vec<&str> = content.lines().next().unwrap().split(',').collect();
    let at = |name: &str| header.iter().position(|&column| column == name).unwrap();
    let refusal = || format!("{:#}", read_layers(dir.path()).unwrap_err());

    // In another order, without what may be empty and without one content of bytes.
    let without = |names: &[&str]| -> Vec<usize> {
        let keeps = |&i: &usize| !names.contains(&header[i]);
        (0..header.len()).rev().filter(keeps).collect()
    };
    rearrange(&path, &without(&["r1", "bytes_lists"]));
    assert_eq!(read_layers(dir.path()).unwrap(), layers(&record("a")));

    fs::write(&path, &content).unwrap();
    rearrange(&path, &without(&["entries"]));
    assert!(refusal().ends_with("layers.csv:1: no column `entries`"));

    fs::write(&path, &content).unwrap();
    let contents: Vec<&str> = header
        .iter()
        .copied()
        .filter(|name| name.starts_with("bytes_") && *name != "bytes_dense")
        .collect();
    assert!(contents.len() > 3, "{contents:?}");
    rearrange(&path, &without(&contents));
    assert!(
        refusal().contains("no column of bytes but `bytes_dense`"),
        "{}",
        refusal()
    );

    fs::write(&path, &content).unwrap();
    let twice: Vec<usize> = (0..header.len()).chain([at("task")]).collect();
    rearrange(&path, &twice);
    let said = format!(
        "layers.csv:1: columns {} and {} are both `task`, expected each once",
        at("task") + 1,
        twice.len()
    );
    assert!(refusal().ends_with(&said), "{}", refusal());
}

proptest! {
    /// Whatever stands in the file, its rows are read or it is refused in a line that names it, within reason.
    #[test]
    fn any_file_of_rows_is_read_or_refused(
        at in 0usize..600,
        put in prop::collection::vec(any::<u8>(), 0..6),
        cell in r#"[a-z0-9.\-+",;=\n]{0,12}|1e999|-inf|NaN|18446744073709551616|"{3,5}"#,
    ) {
        let dir = tempfile::tempdir().unwrap();
        run(dir.path(), &["a", "b"]);
        let path = dir.path().join(RECORDS_FILE);
        let bytes = fs::read(&path).unwrap();
        let at = at % bytes.len();
        let damaged = [&bytes[..at], &put, cell.as_bytes(), &bytes[at..]].concat();
        for bytes in [damaged, put] {
            fs::write(&path, bytes).unwrap();
            match read_records(dir.path()) {
                Ok(records) => prop_assert!(records.len() <= 4),
                Err(error) => {
                    let said = error.to_string();
                    prop_assert!(said.contains("records.csv") && !said.trim().contains('\n'), "{}", said);
                    prop_assert!(error.is::<BadInput>(), "{}", said);
                    prop_assert!(said.chars().count() < 1000, "{}", said);
                }
            }
        }
    }
}
