//! spindle-mini from start to end on the tiny model, one of whose tokens is one byte.

use crate::world::World;

#[test]
fn a_sample_of_each_task_is_answered_offline() {
    let world = World::new();
    let config = world.read("model/config.json");
    let wider = config.replace(
        "\"max_position_embeddings\":1024",
        "\"max_position_embeddings\":8192",
    );
    assert_ne!(config, wider);
    world.write("model/config.json", wider);
    let mut text = "name = 'small'\n[model]\nsource = 'model'\n".to_string();
    for (task, length) in [("mini-qa", 4000), ("mini-topics", 1500)] {
        text += &format!("[[task]]\nname = '{task}'\nlengths = [{length}]\n");
    }
    text += "[[method]]\nname = 'snapkv'\nretention = 0.5\n";
    world.write("small.toml", text);
    let table = world.good(&["eval", "small.toml", "--limit", "1", "--out", "out"]);
    assert!(
        table.contains("mini-qa") && table.contains("metric classification"),
        "{table}"
    );
    let records = world.records("out");
    assert_eq!(records.len(), 4, "{table}");
    for (record, length) in records.iter().zip([4000, 4000, 1500, 1500]) {
        assert!(record.error.is_empty(), "{record:?}");
        assert_eq!(record.sample, format!("length={length};n=0"));
        assert!(record.prompt_tokens <= length && record.prompt_tokens > length / 2);
    }
    let run: serde_json::Value = serde_json::from_str(&world.read("out/run.json")).unwrap();
    assert_eq!(run["chance"][1][0], "mini-topics");
    assert!((0.0..0.3).contains(&run["chance"][1][1].as_f64().unwrap()));
}

#[test]
fn the_suite_is_there_by_name_and_takes_lengths() {
    let world = World::new();
    let plan = world.good(&["eval", "--suite", "mini", "--lengths", "1024", "--dry-run"]);
    assert_eq!(
        plan.matches(": lengths [1024], 40 samples").count(),
        7,
        "{plan}"
    );
    let world_model = ["eval", "mini", "--model", "model", "--lengths", "300"];
    world.refused(&world_model, &["mini-qa: length 300 is too short"]);
}
