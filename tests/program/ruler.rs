//! Tasks other than the magic number, from start to end on the tiny model.

use crate::world::World;

/// `tiny.toml` with another task and fewer methods.
fn world(task: &str) -> World {
    let world = World::new();
    let rest = "[[method]]\nname = \"snapkv\"\nretention = 0.5\n";
    let model = "[model]\nsource = \"model\"\n";
    world.write(
        "other.toml",
        format!("name = \"other\"\n{model}\n[[task]]\n{task}\n{rest}"),
    );
    world
}

const SQUAD: &str = r#"{"data": [{"paragraphs": [{"context": "It is noon.", "qas": [
    {"question": "What is it?", "answers": [{"text": "noon"}]}]}]}]}"#;

#[test]
fn a_ruler_table_is_a_task_for_each_name() {
    let world = world(
        "name = 'ruler'\ntasks = ['niah_single_1', 'qa_1']\nsquad = 'squad.json'\nlengths = [800]\nseeds = 2",
    );
    world.write("squad.json", SQUAD);
    let table = world.good(&["eval", "other.toml", "--out", "out"]);
    let records = world.records("out");
    // Two needles and the one question there is, under two methods.
    assert_eq!(records.len(), 6, "{table}");
    for record in &records {
        let metric = match record.task.as_str() {
            "niah_single_1" => "string_match_all",
            _ => "string_match_part",
        };
        assert_eq!(record.metric, metric, "{record:?}");
        assert!(
            record.error.is_empty() && record.prompt_tokens < 800,
            "{record:?}"
        );
        assert!(record.sample.starts_with("length=800;seed="), "{record:?}");
    }
    assert!(
        table.contains("niah_single_1") && table.contains("qa_1"),
        "{table}"
    );

    let short = world.good(&[
        "eval",
        "other.toml",
        "--out",
        "short",
        "--lengths",
        "700",
        "--seeds",
        "1",
    ]);
    assert_eq!(world.records("short").len(), 4, "{short}");
    world.refused(
        &["eval", "other.toml", "--depths", "50"],
        &["--depths", "no task"],
    );
    world.write("squad.json", "{\"data\": [\n{}]}");
    world.refused(
        &["eval", "other.toml"],
        &["squad.json:2:", "missing field `paragraphs`"],
    );
}

#[test]
fn a_published_needle_leaves_both_scores_and_a_heat_map() {
    let world = world("name = 'needle-published'\nlengths = [700, 800]\ndepths = [0, 12.5]");
    world.good(&["eval", "other.toml", "--out", "out"]);
    let records = world.records("out");
    assert_eq!(records.len(), 8);
    assert_eq!(records[0].metric, "overlap");
    assert!(
        records
            .iter()
            .any(|record| record.sample == "length=800;depth=12.5")
    );
    for line in world.read("out/predictions.jsonl").lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(line["other_scores"]["rouge1"].is_f64(), "{line}");
    }
    let map = world.read("out/figures/needle-needle-published-full.svg");
    assert!(map.contains("12.5") && map.contains("mean 0."), "{map}");
}

#[test]
fn tables_whose_samples_have_one_name_are_refused() {
    let world = world(
        "name = 'needle'\nlengths = [600]\n[[task]]\nname = 'needle'\nlengths = [500, 600]\ncue = false",
    );
    let says = ["experiment other", "length=600;depth=0;", "twice"];
    world.refused(&["eval", "other.toml"], &says);
}

/// A haystack in Chinese, with its results in the same folder: the command is given twice.
#[test]
fn a_haystack_may_be_chinese_and_hold_its_results() {
    let world = world(
        "name = 'needle'\nlengths = [900]\ndepths = [0, 50, 100]\n[[task]]\nname = 'needle-published'\n\
         lengths = [700]\ndepths = [0, 50, 100]\n[[task]]\nname = 'ruler'\ntasks = ['niah_single_2']\nlengths = [900]\n\
         seeds = 1",
    );
    let sentence = |i: usize| format!("第{i}艘渡船载着{}箱苹果。", i * 37 % 91);
    world.write("texts/A.TXT", (0..60).map(sentence).collect::<String>());
    let args = [
        "eval",
        "other.toml",
        "--haystack",
        "texts",
        "--limit",
        "3",
        "--out",
        "texts/out",
    ];
    world.good(&args);
    let records = world.records("texts/out");
    assert_eq!(records.len(), 14);
    for record in &records {
        assert_eq!(record.error, "");
        let least = if record.task == "needle-published" {
            450
        } else {
            700
        };
        assert!(record.prompt_tokens > least, "{record:?}");
    }
    let rows = world.rows("texts/out");
    let done = world.run(&args);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.stderr
            .starts_with("note: texts/out/predictions.jsonl:1: an object without \"text\""),
        "{done:?}"
    );
    assert_eq!(done.stderr.lines().count(), 1, "{done:?}");
    assert_eq!(world.rows("texts/out"), rows);
}
