//! Tables from a fixed record file, the bootstrap, and the README splice.

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spindle::record::{Record, read_records};
use spindle::report::bootstrap::{Interval, interval, mean_of_means};
use spindle::report::{Report, splice};

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
    let text = Report::new(&fixture()).text(100);
    assert_eq!(text, include_str!("../fixtures/report.txt"));
    assert!(text.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn the_markdown_report_is_as_before() {
    assert_eq!(
        Report::new(&fixture()).markdown(),
        include_str!("../fixtures/report.md")
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
    assert!(
        report.text(100).contains("-50.0 of 1"),
        "{}",
        report.text(100)
    );
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

/// A mean is over tasks of one metric, and so of one kind of likelihood, whatever the order of the tables.
#[test]
fn what_differs_is_not_averaged() {
    let of = |task: &str, metric: &str, sample, score, nll| Record {
        metric: metric.into(),
        score,
        nll: Some(nll),
        ..record(task, sample, "full", 0.0)
    };
    let mut records = Vec::new();
    for sample in 0..3 {
        let nll = f64::from(sample as u8);
        records.push(of("text", "perplexity", sample, None, 3.0 + nll));
        records.push(of("needle", "recall", sample, Some(1.0), 0.125));
        records.push(of("far", "recall", sample, Some(0.5), 0.375 + nll));
        records.push(of("qasper", "qa_f1", sample, Some(0.25), 1.0));
        records.push(of("samsum", "rouge", sample, Some(0.75), 2.0));
    }
    let means = |records: &[Record]| {
        let sections = Report::new(records).sections.into_iter();
        let means = sections.filter(|section| section.title.starts_with("macro average"));
        means.collect::<Vec<_>>()
    };
    let found = means(&records);
    let of_title = |title: &str| {
        let section = found.iter().find(|section| section.title == title);
        let row = &section.unwrap_or_else(|| panic!("{found:?}")).rows[0];
        (row.score, row.nll, row.perplexity)
    };
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(
        of_title("macro average over 2 tasks of recall"),
        (Some(75.0), Some(0.75), None)
    );
    // LongBench's own average is over tasks each by its metric.
    assert_eq!(
        of_title("macro average over 2 tasks of LongBench"),
        (Some(50.0), Some(1.5), None)
    );
    records.reverse();
    assert_eq!(means(&records), found);
    // Alone, each of two metrics has no mean.
    records.retain(|record| ["text", "needle"].contains(&record.task.as_str()));
    assert_eq!(means(&records), []);
}

#[test]
fn samples_without_a_likelihood_are_counted() {
    let of = |sample, nll| Record {
        nll,
        ..record("t", sample, "full", 1.0)
    };
    let report = Report::new(&[of(0, Some(1.0)), of(1, None), of(2, Some(2.0))]);
    let row = &report.sections[0].rows[0];
    assert_eq!((row.n, row.likelihoods, row.nll), (3, 2, Some(1.5)));
    let text = report.text(100);
    assert!(
        text.contains("1.50 of 2") && text.contains("nll of k"),
        "{text}"
    );
    let report = Report::new(&[of(0, Some(1.0))]);
    assert!(
        !report.text(100).contains(" of k: "),
        "{}",
        report.text(100)
    );
}

fn sized(sample: usize, method: &str, settings: &str, retention: f64, score: f64) -> Record {
    Record {
        settings: settings.into(),
        retention: Some(retention),
        ..record("t", sample, method, score)
    }
}

#[test]
fn differences_from_another_method_are_at_the_same_size() {
    let records = [
        sized(0, "full", "", 1.0, 1.0),
        sized(0, "a", "retention=0.2;gqa=max", 0.2, 0.5),
        sized(0, "a", "retention=0.4;gqa=max", 0.4, 0.75),
        sized(0, "b", "retention=0.2", 0.2, 0.25),
        sized(0, "b", "retention=0.4", 0.4, 1.0),
        sized(0, "b", "retention=0.6", 0.6, 1.0),
    ];
    let report = Report::against(&records, "a").unwrap();
    let differences: Vec<Option<f64>> = report.sections[0]
        .rows
        .iter()
        .map(|row| row.difference.as_ref().map(|d| d.mean))
        .collect();
    assert_eq!(
        differences,
        [None, None, None, Some(-25.0), Some(25.0), None]
    );
    assert!(report.markdown().contains("from `a` at the same size"));
    // From full every cell but itself has one.
    let differences = Report::new(&records).sections[0]
        .rows
        .iter()
        .filter(|row| row.difference.is_some())
        .count();
    assert_eq!(differences, 5);
}

#[test]
fn a_baseline_that_is_unknown_or_several_is_refused() {
    let mut records = vec![
        sized(0, "full", "", 1.0, 1.0),
        sized(0, "a", "retention=0.2;gqa=max", 0.2, 0.5),
        sized(0, "a", "retention=0.2;gqa=mean", 0.2, 0.5),
    ];
    let refusal = |records: &[Record], baseline| {
        let error = Report::against(records, baseline).unwrap_err();
        assert_eq!(spindle::error::exit_code(&error), 2);
        error.to_string()
    };
    assert!(refusal(&records, "b").contains("expected one of full, a"));
    assert!(refusal(&records, "a").contains("of one size"));
    assert!(refusal(&records, "a:gqa=sum").contains("retention=0.2;gqa=max"));
    assert!(Report::against(&records, "a:gqa=mean").is_ok());
    records.pop();
    assert!(Report::against(&records, "a").is_ok());
}

/// Score 2 r on both samples under `a`; 1 under `full`.
fn line(retentions: &[f64], method: &str) -> Vec<Record> {
    let of = |retention: &f64, sample| {
        sized(
            sample,
            method,
            &format!("retention={retention}"),
            *retention,
            2.0 * retention,
        )
    };
    retentions
        .iter()
        .flat_map(|r| [of(r, 0), of(r, 1)])
        .collect()
}

#[test]
fn areas_are_mean_scores_over_the_retentions_that_most_methods_cover() {
    let mut records = line(&[0.1, 0.3, 0.5], "a");
    records.extend(line(&[0.2, 0.4], "b"));
    records.extend(line(&[0.45, 0.5], "elsewhere"));
    records.extend(line(&[0.3], "once"));
    records.extend([
        sized(0, "full", "", 1.0, 1.0),
        sized(1, "full", "", 1.0, 1.0),
    ]);
    let report = Report::new(&records);
    let areas = report.sections[0].areas.as_ref().unwrap();
    assert_eq!(areas.range, Some((0.2, 0.4)));
    let rows: Vec<_> = areas
        .rows
        .iter()
        .map(|row| (row.method.as_str(), row.sizes, row.n))
        .collect();
    assert_eq!(rows, [("a", 3, 2), ("b", 2, 2), ("elsewhere", 2, 0)]);
    // Of a straight line: its value in the middle.
    for row in &areas.rows[..2] {
        assert!((row.area.unwrap() - 60.0).abs() < 1e-9, "{row:?}");
        let difference = row.difference.as_ref().unwrap();
        assert!(
            (difference.mean + 40.0).abs() < 1e-9 && difference.pairs == 2,
            "{row:?}"
        );
    }
    assert_eq!(
        (areas.rows[2].area, &areas.rows[2].difference),
        (None, &None)
    );
    let text = report.text(100);
    assert!(text.contains("from 20.0 % to 40.0 %"), "{text}");
    assert!(
        report
            .markdown()
            .contains("| method | settings | sizes | n | area | difference [95 %] |")
    );

    let against = Report::against(&records, "a").unwrap();
    let rows = &against.sections[0].areas.as_ref().unwrap().rows;
    assert_eq!(rows[0].difference, None);
    assert!(rows[1].difference.as_ref().unwrap().mean.abs() < 1e-9);
}

#[test]
fn only_samples_scored_at_every_size_count_in_an_area() {
    let mut records = line(&[0.2, 0.4], "a");
    records[3] = Record {
        score: None,
        error: "lost".into(),
        ..records[3].clone()
    };
    let report = Report::new(&records);
    let area = &report.sections[0].areas.as_ref().unwrap().rows[0];
    assert_eq!((area.n, area.difference.as_ref()), (1, None));
}

/// Rows of earlier versions hold every setting, later ones what differs from its default: both read alike.
#[test]
fn a_default_that_is_left_out_reads_as_one_that_is_written() {
    let every = |store: &str, r: f64| {
        format!("retention={r};window=32;pool=max;kernel=7;gqa=unfold;store={store}")
    };
    let short = |store: &str, r: f64| match store {
        "query-head" => format!("retention={r}"),
        store => format!("retention={r};store={store}"),
    };
    let records = |settings: &dyn Fn(&str, f64) -> String| {
        let mut all = vec![
            sized(0, "full", "", 1.0, 1.0),
            sized(1, "full", "", 1.0, 0.75),
        ];
        for (store, gain) in [("query-head", 0.0), ("kv-head", 0.25)] {
            for r in [0.2, 0.4] {
                let settings = settings(store, r);
                all.extend([0, 1].map(|i| sized(i, "snapkv", &settings, r, r + gain)));
            }
        }
        all
    };
    let (every, short) = (records(&every), records(&short));
    let text = Report::new(&short).text(80);
    assert_eq!(text, Report::new(&every).text(80));
    for label in [
        "retention=0.2;store=query-head",
        "retention=0.4;store=kv-head",
    ] {
        let parts: Vec<&str> = label.split(';').collect();
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        assert!(Report::new(&short).markdown().contains(label));
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80));

    let against = "snapkv:store=query-head";
    let report = Report::against(&short, against).unwrap();
    assert_eq!(
        report.text(80),
        Report::against(&every, against).unwrap().text(80)
    );
    let differences: Vec<_> = report.sections[0]
        .rows
        .iter()
        .map(|row| row.difference.as_ref().map(|d| d.mean))
        .collect();
    assert_eq!(differences, [None, None, None, Some(25.0), Some(25.0)]);
    let unknown = Report::against(&short, "snapkv:store=nowhere").unwrap_err();
    assert!(unknown.to_string().contains("gqa=unfold;store=query-head"));
}

/// The size of a method that has none but its thresholds, and of one that this program does not know.
#[test]
fn curves_are_over_what_each_method_calls_a_size() {
    let records = [
        sized(0, "spindle-code", "theta-k=0.8", 0.3, 0.5),
        sized(0, "spindle-code", "", 0.8, 1.0),
        sized(0, "spindle", "share=0.3;theta-k=0.8", 0.2, 0.5),
        sized(0, "spindle", "share=0.6;theta-k=0.8", 0.4, 0.5),
        sized(0, "spindle", "share=0.6", 0.5, 0.5),
        sized(0, "unheard-of", "retention=0.2;share=0.1", 0.2, 0.5),
        sized(0, "unheard-of", "retention=0.4;share=0.1", 0.4, 0.5),
        sized(0, "unheard-of", "retention=0.4;share=0.2", 0.5, 0.5),
    ];
    let report = Report::new(&records);
    let areas = report.sections[0].areas.as_ref().unwrap();
    let rows: Vec<_> = areas
        .rows
        .iter()
        .map(|row| (row.method.as_str(), row.settings.as_str(), row.sizes))
        .collect();
    assert_eq!(
        rows,
        [
            ("spindle-code", "", 2),
            ("spindle", "theta-k=0.8", 2),
            ("unheard-of", "share=0.1", 2)
        ]
    );
}

#[test]
fn cut_prompts_are_counted_where_records_say_so() {
    let of = |sample, cut| Record {
        cut,
        ..record("t", sample, "full", 1.0)
    };
    let mut report = Report::new(&[of(0, Some(0)), of(1, Some(7))]);
    assert_eq!(report.sections[0].rows[0].cut, Some(1));
    assert!(report.text(100).contains("cut  failed"));
    report.note_left_out(&[("t".into(), 3)]);
    assert!(report.markdown().contains("3 records left out"));
    let report = Report::new(&[of(0, None)]);
    assert_eq!(report.sections[0].rows[0].cut, None);
    assert!(!report.text(100).contains("cut"));
}

#[test]
fn fidelity_is_a_table_of_its_own_where_records_have_it() {
    let of = |sample, kl| Record {
        kl: Some(kl),
        agreement: Some(0.5),
        kl_greedy: Some(kl / 2.0),
        settings: "retention=0.5;formula=as-published;unfold=query-head;store=kv-head".into(),
        ..record("t", sample, "a", 1.0)
    };
    let report = Report::new(&[of(0, 0.25), of(1, 0.75)]);
    let [right, own] = report.sections[0].rows[0].fidelity;
    assert_eq!((right.kl, right.agreement), (Some(0.5), Some(0.5)));
    assert_eq!((own.kl, own.agreement), (Some(0.25), None));
    let text = report.text(100);
    assert!(text.contains("fidelity to the full cache"), "{text}");
    assert!(text.contains("0.500     50.0 %"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 100),
        "{text}"
    );
    assert!(
        !Report::new(&[record("t", 0, "a", 1.0)])
            .text(100)
            .contains("fidelity")
    );
}

#[test]
fn likelihoods_are_compared_pair_by_pair_with_and_without_scores() {
    let of = |sample, method, nll| Record {
        score: None,
        nll: Some(nll),
        metric: "perplexity".into(),
        ..record("t", sample, method, 0.0)
    };
    let records = [
        of(0, "full", 1.0),
        of(1, "full", 2.0),
        of(2, "full", 4.0),
        of(0, "a", 1.25),
        of(1, "a", 2.75),
    ];
    let report = Report::new(&records);
    let [full, a] = &report.sections[0].rows[..] else {
        panic!("two rows expected");
    };
    assert_eq!((&full.nll_difference, &a.difference), (&None, &None));
    let difference = a.nll_difference.as_ref().unwrap();
    assert_eq!((difference.mean, difference.pairs), (0.5, 2));
    let interval = difference.interval.unwrap();
    assert_eq!((interval.low, interval.high), (0.25, 0.75));
    assert!(report.text(100).contains("+0.50 [+0.25, +0.75]"));
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
