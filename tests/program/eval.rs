//! A run from start to end, and what is left of it without the model.

use std::fs;

use spindle::record::{Record, read_layers};

use crate::world::World;

const METHODS: [&str; 7] = [
    "full",
    "streaming-llm",
    "snapkv",
    "pyramidkv",
    "spindle-evict",
    "spindle-code",
    "spindle",
];
const SAMPLES: usize = 4;
const CELLS: usize = 8;

#[test]
fn a_run_leaves_rows_table_and_figures_and_a_second_adds_nothing() {
    let world = World::new();
    let args = ["eval", "tiny.toml"];
    let table = world.good(&args);
    let results = world.results("tiny");
    assert!(table.contains(&format!("results in {results}")), "{table}");
    for method in METHODS {
        assert!(table.contains(method), "{table}");
    }

    let records = world.records(&results);
    assert_eq!(records.len(), SAMPLES * CELLS);
    for record in &records {
        let retention = record.retention.unwrap();
        assert_eq!(record.error, "");
        assert!(record.nll.unwrap() > 0.0 && record.score.is_some());
        assert!(METHODS.contains(&record.method.as_str()));
        for (kl, agreement) in [
            (record.kl, record.agreement),
            (record.kl_greedy, record.agreement_greedy),
        ] {
            let (kl, agreement) = (kl.unwrap(), agreement.unwrap());
            match record.method.as_str() {
                "full" => assert_eq!((kl, agreement), (0.0, 1.0)),
                _ => assert!(kl > 0.0 && (0.0..=1.0).contains(&agreement), "{record:?}"),
            }
        }
        assert!(record.nll_greedy.unwrap() > 0.0);
        assert_eq!(record.cut, Some(0));
        assert_eq!(record.method == "full", retention == 1.0, "{record:?}");
        let held = record.bytes_held.unwrap() as f64 / record.bytes_dense as f64;
        assert!((held - retention).abs() < 1e-12);
    }
    let layers = read_layers(&world.path(&results)).unwrap();
    assert_eq!(layers.len(), records.len() * 3);
    let predictions = world.read(&format!("{results}/predictions.jsonl"));
    assert_eq!(predictions.lines().count(), records.len());
    assert_eq!(
        world.read(&format!("{results}/experiment.toml")),
        crate::world::EXPERIMENT
    );
    let run: serde_json::Value =
        serde_json::from_str(&world.read(&format!("{results}/run.json"))).unwrap();
    assert!(run["start"].is_string() && run["end"].is_string(), "{run}");
    assert_eq!(run["command_line"][0], "spindle");
    assert_eq!(run["command_line"][1], "eval");
    methods_stand_in_full(&run, &records);

    let figures = figures(&world, &results);
    let named = |start: &str| {
        figures
            .iter()
            .filter(|name| name.starts_with(start))
            .count()
    };
    assert_eq!(named("accuracy-needle"), 2, "{figures:?}");
    assert_eq!(named("bytes-needle"), 2, "{figures:?}");
    assert_eq!(named("needle-"), 2 * METHODS.len(), "{figures:?}");
    let ends = |end: &str| figures.iter().filter(|name| name.ends_with(end)).count();
    assert_eq!(ends(".svg"), ends(".png"), "{figures:?}");

    let before = world.files();
    assert_eq!(world.good(&args), table);
    let after = world.files();
    assert!(before.keys().eq(after.keys()), "the same files");
    for (path, bytes) in &before {
        // run.json says when the program last ran.
        assert!(
            path.ends_with("run.json") || after[path] == *bytes,
            "{path:?}"
        );
    }
}

/// Rows hold the size and what is no default; `run.json` has the rest of each.
fn methods_stand_in_full(run: &serde_json::Value, records: &[Record]) {
    let methods = run["methods"].as_array().unwrap();
    assert_eq!(methods.len(), CELLS);
    for (method, record) in methods.iter().zip(records) {
        assert_eq!(method["method"], record.method);
        assert_eq!(method["settings"], record.settings);
    }
    let of = |row: usize| {
        (
            methods[row]["settings"].as_str(),
            methods[row]["in_full"].as_str(),
        )
    };
    assert_eq!(of(0), (Some(""), Some("")));
    assert_eq!(
        of(1),
        (
            Some("retention=0.4"),
            Some("retention=0.4;sinks=4;keys-as=whole;values-as=whole")
        )
    );
    let snapkv = "retention=0.7;window=32;pool=max;kernel=7;gqa=unfold;store=query-head;keys-as=whole;values-as=whole";
    assert_eq!(of(3), (Some("retention=0.7"), Some(snapkv)));
    let code = "theta-scale=6;theta-k=0.98;theta-v=0.95;learner=greedy;scope=kv-head;codeword=member;keys=pre-rope;\
                magnitudes=true;decode=code";
    assert_eq!(of(6), (Some("theta-scale=6"), Some(code)));
    assert_eq!(of(7).0, Some("share=0.5"));
}

#[test]
fn perplexity_is_of_tokens_after_a_compressed_prefix_and_has_no_score() {
    let world = World::new();
    let text: Vec<String> = (0..80).map(|i| format!("Line {i} of the log.")).collect();
    world.write("log.txt", text.join("\n"));
    let task = "[[task]]\nname = \"perplexity\"\ntext = \"log.txt\"\nat = [60, 120]\ncontinuation = 30\nsamples = 3\n";
    world.write(
        "perplexity.toml",
        format!(
            "name = \"p\"\nmodel.source = \"model\"\n{task}[[method]]\nname = \"streaming-llm\"\nretention = 0.5\n"
        ),
    );
    let table = world.good(&["eval", "perplexity.toml", "--out", "out"]);
    assert!(
        table.contains("perplexity") && !table.contains("recall"),
        "{table}"
    );
    let records = world.records("out");
    assert_eq!(records.len(), 12);
    for record in &records {
        assert_eq!((record.error.as_str(), record.score), ("", None));
        assert_eq!((record.new_tokens, record.kl_greedy), (Some(0), None));
        assert!(record.nll.unwrap() > 0.0);
    }
    let mean = |method: &str| {
        let nlls = records.iter().filter(|r| r.method == method);
        let nlls: Vec<f64> = nlls.filter_map(|r| r.nll).collect();
        nlls.iter().sum::<f64>() / nlls.len() as f64
    };
    let perplexity = format!("{:.2}", mean("full").exp());
    let row = table.lines().find(|line| line.starts_with("full")).unwrap();
    assert!(row.contains(&perplexity), "{perplexity}: {table}");

    // Without the comparison with the full cache the likelihoods are the same.
    world.good(&[
        "eval",
        "perplexity.toml",
        "--fidelity",
        "false",
        "--out",
        "plain",
    ]);
    let plain = world.records("plain");
    for (record, plain) in records.iter().zip(&plain) {
        assert_eq!(plain.kl, None);
        assert!((record.nll.unwrap() - plain.nll.unwrap()).abs() < 1e-12);
    }
}

#[test]
fn figures_and_report_need_no_model() {
    let world = World::new();
    let table = world.good(&["eval", "tiny.toml", "--out", "out"]);
    let drawn = world.files();
    fs::remove_dir_all(world.path("model")).unwrap();
    fs::remove_dir_all(world.path("out/figures")).unwrap();
    fs::remove_file(world.path("tiny.toml")).unwrap();

    let printed = world.good(&["figures", "out"]);
    let names = figures(&world, "out");
    assert_eq!(printed.lines().count(), names.len());
    for name in names {
        let path = world.path("out/figures").join(name);
        assert!(
            fs::read(&path).unwrap() == drawn[&path],
            "{path:?} is the same again"
        );
        assert!(printed.contains(path.file_name().unwrap().to_str().unwrap()));
    }

    let report = world.good(&["report", "out"]);
    assert_eq!(format!("{report}results in out\n"), table);
    let (open, close) = ("<!-- spindle:report -->", "<!-- /spindle:report -->");
    world.write(
        "README.md",
        format!("# Mine\n{open}\nold\n{close}\nafter\n"),
    );
    world.good(&["report", "out", "--splice", "README.md"]);
    let text = world.read("README.md");
    assert!(text.starts_with(&format!("# Mine\n{open}\n")), "{text}");
    assert!(text.ends_with(&format!("\n{close}\nafter\n")), "{text}");
    assert!(!text.contains("old") && METHODS.iter().all(|method| text.contains(method)));
    world.good(&["report", "out", "--splice", "README.md"]);
    assert_eq!(world.read("README.md"), text);
    // Without marks the file stays as it is.
    world.write("plain.md", "no marks");
    let args = ["report", "out", "--splice", "plain.md"];
    world.refused(&args, &["plain.md", open]);
    world.refused(&["report", "out", "--splice", "none.md"], &["none.md"]);
}

#[test]
fn threads_change_no_row() {
    let world = World::new();
    for threads in ["1", "2"] {
        world.good(&["eval", "tiny.toml", "--threads", threads, "--out", threads]);
    }
    assert_eq!(world.rows("1").len(), SAMPLES * CELLS);
    assert_eq!(world.rows("1"), world.rows("2"));
    for file in ["layers.csv", "predictions.jsonl"] {
        assert_eq!(
            world.read(&format!("1/{file}")),
            world.read(&format!("2/{file}"))
        );
    }
}

#[test]
fn compressing_before_the_question_is_a_run_of_its_own() {
    let world = World::new();
    let flags = ["--compress", "context", "--kv-dtype", "f32", "--seed", "3"];
    let args = [&["eval", "tiny.toml", "--limit", "1"][..], &flags].concat();
    world.good(&args);
    let records = world.records(&world.results("tiny"));
    assert_eq!(records.len(), CELLS);
    for record in records {
        assert_eq!((&*record.compress_at, &*record.dtype), ("context", "f32"));
        assert!(record.sample.ends_with("seed=3"), "{}", record.sample);
    }
    // Another experiment of that name gets a folder beside it.
    world.good(&["eval", "tiny.toml", "--limit", "1", "--methods", "full"]);
    assert_eq!(fs::read_dir(world.path("results/tiny")).unwrap().count(), 2);
}

#[test]
fn compressing_prompt_and_context_from_one_prefill_is_as_each_alone() {
    let world = World::new();
    let run = |compress: &str, out: &str| {
        let flags = ["--limit", "2", "--compress", compress, "--out", out];
        world.good(&[&["eval", "tiny.toml"][..], &flags].concat());
        let values = |r: Record| {
            (
                r.compress_at,
                r.sample,
                r.settings,
                r.score,
                r.nll,
                r.bytes_held,
            )
        };
        world
            .records(out)
            .into_iter()
            .map(values)
            .collect::<Vec<_>>()
    };
    let both = run("prompt,context", "both");
    for at in ["prompt", "context"] {
        let of_both = both.iter().filter(|row| row.0 == at).cloned();
        assert_eq!(of_both.collect::<Vec<_>>(), run(at, at), "{at}");
    }
}

/// A size out of reach is a finished row of its own kind; an error of the moment is tried again.
#[test]
fn a_retention_out_of_reach_is_no_failure() {
    let world = World::new();
    let method = "pyramidkv:retention=0.01;window=400";
    let flags = [
        "--method",
        method,
        "--methods",
        "snapkv",
        "--retention",
        "0.5",
    ];
    let args = [&["eval", "tiny.toml", "--out", "out"][..], &flags].concat();
    let mut before = None;
    for again in [false, true] {
        let done = world.run(&args);
        assert_eq!(done.code, 0, "{done:?}");
        let said = done
            .stderr
            .contains(&format!("{SAMPLES} cells out of reach"));
        assert_eq!(said, !again, "{done:?}");
        assert!(!done.stderr.contains("failed"), "{done:?}");
        assert!(done.stdout.contains("out of reach"), "{done:?}");
        let records = world.records("out");
        assert_eq!(records.len(), SAMPLES * 3);
        for record in records {
            let is_out = record.method == "pyramidkv";
            assert_eq!(record.is_out_of_reach(), is_out, "{record:?}");
            assert_eq!(record.score.is_none(), is_out);
            assert_eq!(
                record.retention.is_some_and(|held| held <= 0.5),
                record.method == "snapkv"
            );
        }
        // It is not tried again.
        let rows = fs::read_to_string(world.path("out/records.csv")).unwrap();
        assert_eq!(*before.get_or_insert(rows.clone()), rows);
    }
    let before = world.rows("out");
    // A row whose error was of the moment is replaced by a result.
    let path = world.path("out/records.csv");
    let text = fs::read_to_string(&path).unwrap();
    let good = text.lines().find(|line| line.contains("snapkv")).unwrap();
    let columns: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    let known = [
        "seen",
        "entries",
        "bytes_held",
        "retention",
        "retention_paper",
        "score",
    ];
    let known = [
        &known[..],
        &[
            "new_tokens",
            "nll",
            "prefill_ms",
            "compress_ms",
            "decode_ms",
        ],
    ]
    .concat();
    let known = [&known[..], &["bytes_peak", "bytes_end", "saturated"]].concat();
    let broken = good
        .split(',')
        .zip(&columns)
        .map(|(value, column)| match *column {
            "error" => "out of memory",
            column if known.contains(&column) => "",
            _ => value,
        });
    let broken: Vec<&str> = broken.collect();
    fs::write(&path, text.replace(good, &broken.join(","))).unwrap();
    let records = world.records("out");
    assert_eq!(records.iter().filter(|r| !r.is_finished()).count(), 1);
    assert_eq!(world.run(&args).code, 0);
    assert_eq!(world.rows("out"), before);
    assert_eq!(
        read_layers(&world.path("out")).unwrap().len(),
        2 * SAMPLES * 3
    );
}

/// The real thing, short: the default model finds a needle, and smaller caches are smaller.
#[test]
fn the_default_model_answers() {
    let world = World::new();
    let args = [
        "eval",
        "ci",
        "--lengths",
        "512",
        "--depths",
        "50",
        "--out",
        "out",
    ];
    let table = world.good(&args);
    let records = world.records("out");
    assert_eq!(records.len(), METHODS.len(), "{table}");
    for record in &records {
        assert_eq!(record.error, "", "{record:?}");
        if record.method == "full" {
            assert_eq!((record.score, record.retention), (Some(1.0), Some(1.0)));
        } else {
            assert!(record.retention.unwrap() < 1.0, "{record:?}");
        }
    }
}

fn figures(world: &World, results: &str) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(world.path(results).join("figures"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
