//! Models whose files say something that is not computed, and those that say something beside.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use serde_json::{Value, json};

use crate::world::World;

/// Lays `changes` over the model's configuration.
fn configure(world: &World, changes: &Value) {
    let mut config: Value = serde_json::from_str(&world.read("model/config.json")).unwrap();
    let map = config.as_object_mut().unwrap();
    map.extend(changes.as_object().unwrap().clone());
    world.write("model/config.json", config.to_string());
}

/// Adds tensors of ones to the model's weights.
fn add(world: &World, tensors: &[(&str, &[usize])]) {
    let path = world.path("model/model.safetensors");
    let mut all: HashMap<String, Tensor> =
        candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    for (name, shape) in tensors {
        let tensor = Tensor::ones(*shape, DType::F32, &Device::Cpu).unwrap();
        all.insert((*name).to_owned(), tensor);
    }
    candle_core::safetensors::save(&all, &path).unwrap();
}

#[test]
fn configurations_that_are_not_computed() {
    let refused: [(Value, &[&str]); 16] = [
        (
            json!({"model_type": "mistral", "sliding_window": 64}),
            &[
                "model/config.json: sliding_window is 64",
                "at most 64 tokens",
            ],
        ),
        (
            json!({"model_type": "mistral", "sliding_window": 64,
                   "layer_types": ["full_attention", "full_attention", "sliding_attention"]}),
            &["sliding_window is 64"],
        ),
        (
            json!({"rope_scaling": {"type": "yarn", "factor": 4.0}, "rope_parameters": {"rope_type": "default"}}),
            &["rope_scaling.type is \"yarn\"", "default, linear or llama3"],
        ),
        (
            json!({"rope_scaling": {"factor": 4.0}}),
            &["rope_scaling.factor is 4.0", "rope_type"],
        ),
        (
            json!({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.25}}),
            &[
                "rope_parameters.partial_rotary_factor is 0.25",
                "expected 1",
            ],
        ),
        (
            json!({"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e6},
                                       "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}}),
            &[
                "rope_parameters.sliding_attention is {",
                "the same as rope_parameters.full_attention",
                "not supported",
            ],
        ),
        (
            json!({"rope_scaling": {"full_attention": {"rope_theta": 1e6}, "rope_type": "default"}}),
            &[
                "rope_scaling.rope_type is \"default\"",
                "the same as rope_scaling.full_attention",
            ],
        ),
        (
            json!({"attn_logit_softcapping": 50.0}),
            &["attn_logit_softcapping is 50.0", "not supported"],
        ),
        (
            json!({"num_local_experts": 8}),
            &["num_local_experts is 8", "not supported"],
        ),
        (
            json!({"is_causal": false}),
            &["is_causal is false", "expected true"],
        ),
        (
            json!({"num_hidden_layers": 4_000_000_000u32}),
            &["model/model.safetensors", "model.layers.3.", "is missing"],
        ),
        (
            json!({"hidden_size": 4_294_967_295u32}),
            &["model/model.safetensors", "expected [300, 4294967295]"],
        ),
        (
            json!({"vocab_size": 299}),
            &["has shape [300, 64], expected [299, 64]"],
        ),
        (
            json!({"vocab_size": 5_000_000_000u64}),
            &["vocab_size is 5000000000", "from 1 to 4294967295"],
        ),
        (
            json!({"num_attention_heads": 4_294_967_294u32}),
            &["model/model.safetensors", "has shape"],
        ),
        (
            json!({"rope_theta": -1.0}),
            &["rope_theta is -1", "positive"],
        ),
    ];
    for (changes, says) in refused {
        let world = World::new();
        configure(&world, &changes);
        world.refused(&["eval", "tiny.toml"], says);
        world.refused(&["inspect", "--model", "model", "--length", "500"], says);
    }
}

/// The window is no reason to refuse what fits into it.
#[test]
fn prompts_within_the_window_run() {
    let world = World::new();
    configure(
        &world,
        &json!({"model_type": "mistral", "sliding_window": 900}),
    );
    let experiment = crate::world::EXPERIMENT.replace("lengths = [500, 700]", "lengths = [500]");
    world.write("short.toml", experiment);
    let done = world.run(&["eval", "short.toml", "--limit", "1"]);
    assert_eq!(done.code, 0, "{done:?}");
    let note = "model/config.json: sliding_window is 900, and windows are not computed";
    assert!(done.stderr.contains(&format!("note: {note}")), "{done:?}");
    let run: Value =
        serde_json::from_str(&world.read(&format!("{}/run.json", world.results("tiny")))).unwrap();
    assert!(run["notes"][0].as_str().unwrap().starts_with(note), "{run}");
}

#[test]
fn tensors_that_would_change_the_result() {
    let refused: [(&str, &[usize]); 5] = [
        ("model.layers.1.self_attn.q_norm.weight", &[16]),
        ("model.layers.0.mlp.up_proj.bias", &[96]),
        ("model.layers.0.mlp.up_proj.weight_scale", &[1]),
        ("lm_head.bias", &[300]),
        ("model.embed_norm.weight", &[64]),
    ];
    for (name, shape) in refused {
        let world = World::new();
        add(&world, &[(name, shape)]);
        world.refused(
            &["eval", "tiny.toml"],
            &["model/model.safetensors", name, "would change the result"],
        );
    }
}

#[test]
fn what_is_not_used_is_told_once() {
    let world = World::new();
    configure(&world, &json!({"frobnicate": 3, "zz_new": [1]}));
    add(
        &world,
        &[
            ("score.weight", &[2, 64]),
            ("model.layers.0.self_attn.rotary_emb.inv_freq", &[8]),
            ("model.layers.1.self_attn.rotary_emb.inv_freq", &[8]),
        ],
    );
    let says = [
        "model/config.json: not known, and not used: 2 keys (frobnicate, zz_new)",
        "model/model.safetensors: tensors that the model does not use: 2 kinds \
         (2 of model.layers.*.self_attn.rotary_emb.inv_freq, score.weight)",
    ];
    let done = world.run(&["eval", "tiny.toml", "--limit", "1"]);
    assert_eq!(done.code, 0, "{done:?}");
    let run: Value =
        serde_json::from_str(&world.read(&format!("{}/run.json", world.results("tiny")))).unwrap();
    assert_eq!(run["notes"], json!(says));
    for note in says {
        assert_eq!(
            done.stderr.matches(&format!("note: {note}\n")).count(),
            1,
            "{done:?}"
        );
    }
    let done = world.run(&[
        "inspect", "--model", "model", "--length", "500", "--method", "full", "--json",
    ]);
    assert_eq!((done.code, done.stderr.lines().count()), (0, 2), "{done:?}");
}

/// What a model's authors ask for of its answers is noted where it is not done.
#[test]
fn settings_of_generation_are_noted() {
    let world = World::new();
    configure(
        &world,
        &json!({"repetition_penalty": 1.2, "temperature": 0.7, "num_beams": 1, "forced_eos_token_id": 0}),
    );
    let generation = json!({
        "do_sample": true, "temperature": 0.6, "top_p": 1.0, "top_k": 20, "repetition_penalty": 1.0, "num_beams": 4,
        "no_repeat_ngram_size": 0, "min_new_tokens": 3, "suppress_tokens": [], "bad_words_ids": [[1, 2]],
        "max_length": 99, "eos_token_id": [2], "transformers_version": "5", "xyz": 1,
    });
    world.write("model/generation_config.json", generation.to_string());
    let done = world.run(&crate::world::short_run("out"));
    assert_eq!(done.code, 0, "{done:?}");
    let run: Value = serde_json::from_str(&world.read("out/run.json")).unwrap();
    let without = "without effect, as each token of an answer is the most likely one";
    let notes = [
        format!(
            "model/config.json: {without}: repetition_penalty is 1.2, forced_eos_token_id is 0"
        ),
        format!(
            "model/generation_config.json: {without}: do_sample is true, temperature is 0.6, top_k is 20, num_beams is 4, \
             min_new_tokens is 3, bad_words_ids is [[1,2]]"
        ),
        "model/generation_config.json: not known, and not used: 1 key (xyz)".to_owned(),
    ];
    assert_eq!(run["notes"], json!(notes));
    for note in notes {
        assert!(done.stderr.contains(&format!("note: {note}\n")), "{done:?}");
    }
    let neutral =
        json!({"do_sample": false, "temperature": 0.6, "top_p": 0.9, "repetition_penalty": 1});
    world.write("model/generation_config.json", neutral.to_string());
    configure(
        &world,
        &json!({"repetition_penalty": null, "forced_eos_token_id": null}),
    );
    let done = world.run(&crate::world::short_run("plain"));
    assert!(!done.stderr.contains("note: "), "{done:?}");
    world.write("model/generation_config.json", "[]");
    world.refused(
        &crate::world::short_run("no"),
        &["model/generation_config.json: not a JSON object"],
    );
}

/// The notes of a run have every name; a line on standard error has the first and is cut.
#[test]
fn every_name_is_noted() {
    let world = World::new();
    let keys: Vec<String> = (0..100)
        .map(|i| format!("a_key_of_nobody_{i:03}"))
        .collect();
    let unknown: serde_json::Map<_, _> = keys.iter().map(|key| (key.clone(), json!(1))).collect();
    configure(&world, &Value::Object(unknown));
    let tensors: Vec<String> = (0..100)
        .map(|i| format!("kind{i:03}.of.a.tensor"))
        .collect();
    let named: Vec<(&str, &[usize])> = tensors
        .iter()
        .map(|name| (name.as_str(), &[2][..]))
        .collect();
    add(&world, &named);
    let done = world.run(&crate::world::short_run("out"));
    assert_eq!(done.code, 0, "{done:?}");
    let run: Value = serde_json::from_str(&world.read("out/run.json")).unwrap();
    for (note, names) in [(0, &keys), (1, &tensors)] {
        let said = run["notes"][note].as_str().unwrap();
        assert!(said.ends_with(&format!("({})", names.join(", "))), "{said}");
        let line = done.stderr.lines().nth(note).unwrap();
        let shown = names.iter().filter(|name| line.contains(*name)).count();
        assert!((20..100).contains(&shown) && line.len() < 1300, "{line}");
    }
}

/// `model/` with an embedding of so many rows, and one more token in its tokenizer, with this id.
fn with_rows(rows: usize, added: Option<u32>) -> World {
    let world = World::new();
    configure(&world, &json!({"vocab_size": rows}));
    let path = world.path("model/model.safetensors");
    let mut all = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    for name in ["model.embed_tokens.weight", "lm_head.weight"] {
        all.insert(
            name.into(),
            all[name].narrow(0, 0, rows).unwrap().contiguous().unwrap(),
        );
    }
    candle_core::safetensors::save(&all, &path).unwrap();
    if let Some(id) = added {
        let mut tokenizer: Value =
            serde_json::from_str(&world.read("model/tokenizer.json")).unwrap();
        let mut token = tokenizer["added_tokens"][0].clone();
        token["id"] = json!(id);
        token["content"] = json!("<|odd|>");
        tokenizer["added_tokens"]
            .as_array_mut()
            .unwrap()
            .push(token);
        world.write("model/tokenizer.json", tokenizer.to_string());
    }
    world
}

#[test]
fn tokens_beyond_the_embedding() {
    // The tokenizer's own vocabulary has 259 tokens; 84 rows are filled up to 96 in memory.
    for rows in [50, 84, 258] {
        let world = with_rows(rows, None);
        let says = [
            "model/tokenizer.json",
            "ids up to 258",
            &format!("{rows} rows"),
            "vocab_size",
        ];
        world.refused(&["eval", "tiny.toml"], &says);
        world.refused(&["inspect", "--model", "model"], &says);
    }
    // One that was added is no harm as long as no prompt has it.
    let world = with_rows(259, Some(259));
    world.write("plain.txt", "a text of some twenty tokens");
    world.write("odd.txt", "a text of some <|odd|> tokens");
    let inspect = |file: &str| {
        [
            "inspect", file, "--model", "model", "--method", "full", "--json",
        ]
        .map(str::to_owned)
    };
    let done = world.run(&inspect("plain.txt").each_ref().map(String::as_str));
    assert_eq!(done.code, 0, "{done:?}");
    let note = "model/tokenizer.json: beyond the 259 rows of the embedding (vocab_size): 1 added token (<|odd|>)";
    assert!(
        done.stderr.starts_with(&format!("note: {note}")),
        "{done:?}"
    );
    world.refused(
        &inspect("odd.txt").each_ref().map(String::as_str),
        &[
            "prompt odd.txt",
            "1 token id (259)",
            "259 rows",
            "vocab_size",
        ],
    );
}

/// The table of rotations follows the prompts, not the context that the model states.
#[test]
fn a_context_of_two_thousand_million_positions_runs() {
    let world = World::new();
    configure(
        &world,
        &json!({"max_position_embeddings": 2_147_483_648u32}),
    );
    world.good(&["eval", "tiny.toml", "--limit", "1"]);
    let much = ["eval", "tiny.toml", "--lengths", "2000000000", "--dry-run"];
    world.good(&much);
    world.refused(
        &much[..4],
        &[
            "tokens does not fit this machine's memory",
            "length 2000000000",
        ],
    );
}
