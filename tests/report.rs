//! Tables from a fixed record file, the bootstrap, and the README splice.

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spindle::record::{Record, read_records};
use spindle::report::bootstrap::{Interval, interval, mean_of_means};
use spindle::report::{Report, splice, wrap};

fn fixture() -> Vec<Record> {
    read_records(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")).unwrap()
}

fn record(task: &str, sample: usize, method: &str, score: f64) -> Record {
    Record {
        task: task.into(),
        sample: sample.to_string(),
        method: method.into(),
        retention: Some(0.5),
        score: Some(score),
        ..Record::default()
    }
}

#[test]
fn the_text_report_is_as_before() {
    let text = Report::new(&fixture()).text();
    assert_eq!(text, include_str!("fixtures/report.txt"));
    assert!(text.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn the_markdown_report_is_as_before() {
    assert_eq!(
        Report::new(&fixture()).markdown(),
        include_str!("fixtures/report.md")
    );
}

#[test]
fn full_comes_first_and_methods_keep_their_order() {
    let records = [
        record("t", 0, "b", 1.0),
        record("t", 0, "a", 1.0),
        record("t", 0, "full", 1.0),
    ];
    let report = Report::new(&records);
    let methods: Vec<&str> = report.sections[0]
        .rows
        .iter()
        .map(|row| row.method.as_str())
        .collect();
    assert_eq!(methods, ["full", "b", "a"]);
}

#[test]
fn only_samples_with_a_full_partner_count_in_a_difference() {
    let mut records = vec![record("t", 0, "a", 0.5), record("t", 1, "a", 0.0)];
    assert_eq!(Report::new(&records).sections[0].rows[0].difference, None);
    records.push(record("t", 0, "full", 1.0));
    records.push(Record {
        score: None,
        error: "lost".into(),
        ..record("t", 1, "full", 0.0)
    });
    let report = Report::new(&records);
    let [full, a] = &report.sections[0].rows[..] else {
        panic!("two rows")
    };
    assert_eq!(
        (full.n, full.failed, full.difference.as_ref()),
        (1, 1, None)
    );
    let difference = a.difference.as_ref().unwrap();
    assert_eq!(
        (difference.mean, difference.interval, difference.pairs, a.n),
        (-50.0, None, 1, 2)
    );
    assert!(report.text().contains("-50.0 of 1"), "{}", report.text());
}

#[test]
fn tasks_count_alike_in_the_macro_average_and_incomplete_methods_have_none() {
    let mut records = Vec::new();
    for sample in 0..2 {
        records.push(record("small", sample, "full", 1.0));
        records.push(record("small", sample, "a", 0.0));
        records.push(record("small", sample, "only-here", 0.0));
    }
    for sample in 0..8 {
        records.push(record("large", sample, "full", 1.0));
        records.push(record("large", sample, "a", 1.0));
    }
    let report = Report::new(&records);
    assert_eq!(report.sections.len(), 3);
    let rows = &report.sections[2].rows;
    assert_eq!(
        rows.iter()
            .map(|row| row.method.as_str())
            .collect::<Vec<_>>(),
        ["full", "a"]
    );
    assert_eq!((rows[1].n, rows[1].score), (10, Some(50.0)));
    assert_eq!(
        rows[1].difference.as_ref().unwrap().interval,
        Some(Interval {
            low: -50.0,
            high: -50.0
        })
    );
}

#[test]
fn models_are_never_averaged_together() {
    let records = [
        record("t", 0, "full", 1.0),
        Record {
            model: "other".into(),
            ..record("t", 0, "full", 0.0)
        },
    ];
    let report = Report::new(&records);
    assert_eq!(
        report
            .sections
            .iter()
            .map(|s| s.rows[0].score)
            .collect::<Vec<_>>(),
        [Some(100.0), Some(0.0)]
    );
}

#[test]
fn an_interval_is_the_same_each_time_and_near_the_normal_one() {
    let coin: Vec<f64> = (0..400).map(|i| f64::from(i % 2)).collect();
    let found = interval(std::slice::from_ref(&coin)).unwrap();
    assert_eq!(Some(found), interval(&[coin]));
    // 1.96 x 0.5 / sqrt(400)
    assert!(
        (found.low - 0.451).abs() < 0.004 && (found.high - 0.549).abs() < 0.004,
        "{found:?}"
    );
    assert_eq!(interval(&[vec![1.0]]), None);
    assert_eq!(interval(&[]), None);
    assert_eq!(mean_of_means(&[vec![1.0, 3.0], vec![4.0]]), Some(3.0));
}

#[test]
fn an_interval_covers_the_true_mean_about_95_times_in_100() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let covers = |_: &u32| {
        let sample: Vec<f64> = (0..40).map(|_| rng.random::<f64>()).collect();
        let Interval { low, high } = interval(&[sample]).unwrap();
        (low..=high).contains(&0.5)
    };
    let covered = (0..200).filter(covers).count();
    assert!((180..=198).contains(&covered), "{covered} of 200");
}

#[test]
fn splicing_replaces_the_block_and_nothing_else() {
    let readme = "# T\n<!-- spindle:report -->\nold\n<!-- /spindle:report -->\nend\n";
    let spliced = splice(readme, "| new |\n").unwrap();
    assert_eq!(
        spliced,
        "# T\n<!-- spindle:report -->\n| new |\n<!-- /spindle:report -->\nend\n"
    );
    assert_eq!(splice(&spliced, "| new |\n").unwrap(), spliced);
    for bad in [
        "no markers",
        "<!-- spindle:report -->",
        "<!-- /spindle:report --> <!-- spindle:report -->",
        "<!-- spindle:report --> <!-- spindle:report --> <!-- /spindle:report -->",
    ] {
        assert_eq!(
            spindle::error::exit_code(&splice(bad, "").unwrap_err()),
            2,
            "{bad}"
        );
    }
}

#[test]
fn wrapping_breaks_after_the_separator_and_loses_nothing() {
    assert_eq!(wrap("a=1;bb=2;c=3", ';', 9), ["a=1;bb=2;", "c=3"]);
    assert_eq!(wrap("abcdefgh", ';', 3), ["abc", "def", "gh"]);
    assert_eq!(wrap("one, two, three", ',', 10), ["one, two,", "three"]);
    assert_eq!(wrap("", ';', 3), [""]);
}
