//! Chat templates and tokenizers as files have them: what the program makes of them, and which it refuses.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::World;

/// Puts `value` at `pointer` of a JSON file, or at a new key.
fn edit(world: &World, name: &str, key: &str, value: Value) {
    let mut json: Value = serde_json::from_str(&world.read(name)).unwrap();
    json[key] = value;
    world.write(name, json.to_string());
}

fn template(world: &World, source: &str) {
    edit(
        world,
        "model/tokenizer_config.json",
        "chat_template",
        source.into(),
    );
}

const TURN: &str = "{% for m in messages %}<s>{{ m.content }}</s>{% endfor %}";

/// Tokens of a prompt in the chat template.
fn tokens(world: &World, flags: &[&str]) -> u64 {
    let fixed = [
        "inspect", "q.txt", "--chat", "--json", "--model", "model", "--method", "full",
    ];
    let out = world.good(&[&fixed, flags].concat());
    serde_json::from_str::<Value>(&out).unwrap()["tokens"]
        .as_u64()
        .unwrap()
}

#[test]
fn templates_are_told_what_the_experiment_says() {
    let world = World::new();
    world.write("q.txt", "What is this about, and why?");
    template(&world, TURN);
    let plain = tokens(&world, &[]);
    let told = format!(
        "{{{{ strftime_now('%-d') }}}}{{% if thinking is defined %}}{{{{ thinking }}}}{{% endif %}}{TURN}"
    );
    template(&world, &told);
    // 26 without a flag; `True` and `False` are Python's.
    assert_eq!(tokens(&world, &[]), plain + 2);
    assert_eq!(tokens(&world, &["--date", "2025-01-03"]), plain + 1);
    assert_eq!(
        tokens(&world, &["--template-arg", "thinking=false"]),
        plain + 7
    );
    edit(
        &world,
        "model/tokenizer_config.json",
        "chat_template",
        json!({"default": TURN, "rag": format!("R{TURN}")}),
    );
    assert_eq!(tokens(&world, &[]), plain);
    assert_eq!(tokens(&world, &["--chat-template", "rag"]), plain + 1);

    template(&world, &told);
    let experiment = "name = 'told'\nfidelity = false\n[model]\nsource = 'model'\ndate = 2025-01-03\n\
                      [model.template]\nthinking = 'no'\n[[task]]\nname = 'needle'\nlengths = [500]\ndepths = [20]\n\
                      [[method]]\nname = 'full'\n";
    world.write("told.toml", experiment);
    world.good(&["eval", "told.toml"]);
    let results = world.results("told");
    let run: Value = serde_json::from_str(&world.read(&format!("{results}/run.json"))).unwrap();
    assert_eq!(run["template_date"], "2025-01-03");
    // A flag stands over the file, and is in the experiment that the results keep.
    world.good(&[
        "eval",
        "told.toml",
        "--date",
        "2025-02-01",
        "--template-arg",
        "thinking=true",
        "--out",
        "other",
    ]);
    let kept = world.read("other/experiment.toml");
    assert!(
        kept.contains("date = \"2025-02-01\"") && kept.contains("thinking = true"),
        "{kept}"
    );
    let run: Value = serde_json::from_str(&world.read("other/run.json")).unwrap();
    assert_eq!(run["template_date"], "2025-02-01");
    world.good(&[
        "eval",
        "tiny.toml",
        "--method",
        "full",
        "--limit",
        "1",
        "--out",
        "third",
    ]);
    let run: Value = serde_json::from_str(&world.read("third/run.json")).unwrap();
    assert_eq!(run["template_date"], "2024-07-26");
}

#[test]
fn flags_that_no_template_takes_are_refused() {
    let world = World::new();
    for (flags, says) in [
        (
            &["--date", "2025-02-30"][..],
            "model.date = \"2025-02-30\": expected a day as YYYY-MM-DD",
        ),
        (&["--date", "tomorrow"], "expected a day"),
        (
            &["--chat-template", "rag"],
            "chat template rag: the model has no such template, expected one of default",
        ),
        (
            &["--template-arg", "x"],
            "--template-arg x: expected KEY=VALUE",
        ),
        (
            &["--template-arg", "thinking=1"],
            "template argument thinking: model/tokenizer_config.json: chat_template does not use it",
        ),
        (
            &["--template-arg", "messages=1"],
            "template argument messages",
        ),
    ] {
        world.refused(&[&["eval", "tiny.toml"], flags].concat(), &[says]);
        world.refused(&[&["inspect", "--model", "model"], flags].concat(), &[says]);
    }
    edit(
        &world,
        "model/tokenizer_config.json",
        "chat_template",
        Value::Null,
    );
    let says = ["the model has no chat template"];
    world.refused(&["eval", "tiny.toml", "--chat-template", "rag"], &says);
    world.refused(&["eval", "tiny.toml", "--template-arg", "x=1"], &says);
    world.write(
        "date.toml",
        "name = 'x'\n[model]\ndate = 7\n[[task]]\nname = 'needle'\n[[method]]\nname = 'full'\n",
    );
    world.refused(
        &["eval", "date.toml"],
        &["date.toml:3", "expected a day as YYYY-MM-DD"],
    );
    world.write(
        "when.toml",
        "name = 'x'\n[model.template]\nday = 2025-01-01\n[[task]]\nname = 'needle'\n[[method]]\nname = 'full'\n",
    );
    world.refused(&["eval", "when.toml"], &["when.toml", "model.template.day"]);
}

#[test]
fn hostile_templates_are_refused_soon_by_file_and_key() {
    let world = World::new();
    let doubling = "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}";
    let loops = "{% for i in range(100000) %}".repeat(3) + &"{% endfor %}".repeat(3);
    for (source, says) in [
        (
            format!("{{{{ {}1 }}}}", "-".repeat(50_000)),
            "200 operators",
        ),
        (loops, "it ran too long"),
        (
            doubling.to_owned(),
            "it ran too long, or made too much text",
        ),
        ("{{ 'x' * 100000000 }}".to_owned(), "made too much text"),
        (
            "{{ 'x'.ljust(99999999999) }}".to_owned(),
            "made too much text",
        ),
        (
            "{{ messages | tojson(indent=18446744073709551615) }}".to_owned(),
            "an indent of 18446744073709551615",
        ),
        (
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}".to_owned(),
            "recursion",
        ),
        (" ".repeat(140_000), "140000 bytes"),
        ("{{ raise_exception('not\nthis') }}".to_owned(), "not this"),
        ("{% for %}".to_owned(), "syntax error"),
        ("{{ messages | nonsense }}".to_owned(), "nonsense"),
        (
            "{{ strftime_now('%Q') }}".to_owned(),
            "\"%Q\" is not a time format",
        ),
        ("{% generation %}".to_owned(), "unexpected end"),
    ] {
        template(&world, &source);
        let start = Instant::now();
        let says = ["model/tokenizer_config.json: chat_template: ", says];
        world.refused(&["eval", "tiny.toml"], &says);
        assert!(start.elapsed() < Duration::from_secs(10), "{says:?}");
    }
    template(&world, "no message");
    let says = [
        "model/tokenizer_config.json: chat_template: ",
        "does not show what the user says",
    ];
    world.refused(&["eval", "tiny.toml"], &says);
    // What no task asks for is no fault.
    world.write("text.txt", "The ship left at noon. ".repeat(40));
    let text = "name = 'text'\n[model]\nsource = 'model'\n[[task]]\nname = 'perplexity'\ntext = 'text.txt'\nat = [100]\n\
                continuation = 20\nsamples = 1\n[[method]]\nname = 'full'\n";
    world.write("text.toml", text);
    world.good(&["eval", "text.toml", "--out", "text"]);
    edit(
        &world,
        "model/tokenizer_config.json",
        "chat_template",
        json!({"rag": "R", "tool_use": "T"}),
    );
    world.refused(
        &["eval", "tiny.toml"],
        &[
            "tokenizer_config.json: chat_template: several templates",
            "rag, tool_use",
        ],
    );
    world.write("model/chat_template.jinja", "{{ nonsense( }}");
    world.refused(
        &["eval", "tiny.toml"],
        &["model/chat_template.jinja: ", "syntax error"],
    );
}

#[test]
fn ends_beyond_the_vocabulary_are_never_met() {
    let world = World::new();
    edit(
        &world,
        "model/config.json",
        "eos_token_id",
        json!([128_009, 2]),
    );
    let record = json!({
        "input": "Who came?", "context": "Ann came at noon. ".repeat(20), "answers": ["Ann came."], "length": 80,
        "dataset": "samsum", "language": "en", "all_classes": null, "_id": "s1",
    });
    world.write("data/samsum.jsonl", record.to_string() + "\n");
    let suite = [
        "eval",
        "--suite",
        "longbench",
        "--data",
        "data",
        "--tasks",
        "samsum",
        "--model",
        "model",
    ];
    world.good(
        &[
            &suite[..],
            &["--method", "knorm:budget=100", "--out", "out"],
        ]
        .concat(),
    );
    assert!(
        world
            .records("out")
            .iter()
            .all(|record| record.error.is_empty() && record.new_tokens > Some(0))
    );
}

#[test]
fn tokenizers_that_fail_are_refused_by_file() {
    let world = World::new();
    let file = "model/tokenizer.json";
    let text = world.read(file);
    let charsmap = json!({"type": "Precompiled", "precompiled_charsmap": "AAAA"});
    let pattern = json!({"type": "Split", "pattern": {"Regex": "(([a-z ]+)*)*~"}, "behavior": "Isolated",
                         "invert": false});
    let mut random: Value = serde_json::from_str::<Value>(&text).unwrap()["model"].clone();
    random["dropout"] = 0.1.into();
    for (key, value, says) in [
        ("normalizer", charsmap, "not a tokenizer"),
        (
            "pre_tokenizer",
            pattern,
            "its patterns are `(([a-z ]+)*)*~`",
        ),
        ("model", random, "model.dropout is 0.1"),
        ("decoder", json!({"type": "Nonsense"}), "not a tokenizer"),
    ] {
        edit(&world, file, key, value);
        let start = Instant::now();
        world.refused(&["eval", "tiny.toml"], &["model/tokenizer.json: ", says]);
        assert!(start.elapsed() < Duration::from_secs(10), "{says}");
        world.write(file, &text);
    }
    world.write(
        file,
        text.replacen("\"decoder\":{", "\"decoder\":{\"x\":nope,", 1),
    );
    let says = ["model/tokenizer.json: not a tokenizer", "line 1"];
    world.refused(&["eval", "tiny.toml"], &says);
}
