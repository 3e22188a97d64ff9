//! spindle-mini from start to end on the tiny model, one of whose tokens is one byte.

use crate::world::World;

#[test]
fn a_sample_is_answered_without_any_data() {
    let world = World::new();
    let text = "name = 'small'\n[model]\nsource = 'model'\n\
        [[task]]\nname = 'mini-topics'\nlengths = [800, 900]\n\
        [[method]]\nname = 'snapkv'\nretention = 0.5\n";
    world.write("small.toml", text);
    let table = world.good(&["eval", "small.toml", "--limit", "1", "--out", "out"]);
    assert!(table.contains("mini-topics\n"), "{table}");
    let records = world.records("out");
    assert_eq!(records.len(), 2, "{table}");
    for record in &records {
        assert!(record.error.is_empty(), "{record:?}");
        assert_eq!(record.metric, "classification");
        assert_eq!(record.sample, "length=800;n=0");
        assert!((400..=800).contains(&record.prompt_tokens), "{record:?}");
    }
    let run: serde_json::Value = serde_json::from_str(&world.read("out/run.json")).unwrap();
    assert_eq!(run["chance"][0][0], "mini-topics");
    let chance = run["chance"][0][1].as_f64().unwrap();
    assert!(chance > 0.0 && chance < 0.3, "{chance}");
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
