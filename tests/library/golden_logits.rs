//! The default model's logits and greedy answers against those of Python transformers
//! (tests/golden/logits.json, made by tests/golden/logits.py).

use crate::common::default_model;
use candle_core::{Device, Tensor};
use serde_json::Value;
use spindle::generate::{AnswerLimits, decode, whole_cache};
use spindle::model::observe::Observe;
use spindle::store::StoreType;

/// Largest difference of any stored logit: 5.4e-5 measured. Logits are recorded to five decimals and reach 32.
const BOUND_F32: f64 = 1e-4;
/// The same with keys and values rounded to f16: 1.3e-2 measured. 11 bits of each, over 30 layers.
const BOUND_F16: f64 = 0.02;

struct Prompt {
    name: String,
    tokens: Vec<u32>,
    /// Token and logit, the largest first.
    top: Vec<(usize, f64)>,
    /// Every 16th logit of the vocabulary.
    every_16th: Vec<f64>,
    greedy: Vec<u32>,
}

fn prompts() -> Vec<Prompt> {
    let golden: Value = serde_json::from_str(include_str!("../golden/logits.json")).unwrap();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let ids = |value: &Value| -> Vec<u32> {
        let ids = list(value);
        ids.iter().map(|id| id.as_u64().unwrap() as u32).collect()
    };
    let prompts = golden["prompts"].as_object().unwrap().iter();
    let prompt = |(name, prompt): (&String, &Value)| Prompt {
        name: name.clone(),
        tokens: ids(&prompt["tokens"]),
        top: list(&prompt["top"])
            .iter()
            .map(|pair| {
                (
                    pair[0].as_u64().unwrap() as usize,
                    pair[1].as_f64().unwrap(),
                )
            })
            .collect(),
        every_16th: list(&prompt["every_16th"])
            .iter()
            .map(|x| x.as_f64().unwrap())
            .collect(),
        greedy: ids(&prompt["greedy"]),
    };
    prompts.map(prompt).collect()
}

/// Largest difference over the stored logits of all prompts, top-1 checked; and per prompt the greedy answer.
fn compare(store: StoreType) -> (f64, Vec<(Prompt, Vec<u32>)>) {
    let model = default_model::model();
    let mut worst = 0f64;
    let mut answers = Vec::new();
    for prompt in prompts() {
        let prefilled = model
            .prefill(&prompt.tokens, Observe::default(), store)
            .unwrap();
        let logits = &prefilled.logits;
        let best = (0..logits.len())
            .max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
            .unwrap();
        assert_eq!(best, prompt.top[0].0, "{}: top-1", prompt.name);
        let sampled = prompt
            .every_16th
            .iter()
            .enumerate()
            .map(|(i, x)| (16 * i, *x));
        assert_eq!(prompt.every_16th.len(), logits.len() / 16);
        for (token, expected) in prompt.top.iter().copied().chain(sampled) {
            worst = worst.max((f64::from(logits[token]) - expected).abs());
        }
        let mut cache = whole_cache(&prefilled);
        let first = Tensor::from_slice(logits.as_slice(), (1, logits.len()), &Device::Cpu).unwrap();
        let count = prompt.greedy.len();
        let mut answer = decode(
            model,
            &mut [&mut cache],
            &first,
            &AnswerLimits::tokens(count),
        )
        .unwrap();
        answers.push((prompt, answer.remove(0)));
    }
    println!("{}: largest difference {worst:e}", store.name());
    (worst, answers)
}

#[test]
fn logits_and_greedy_answers_equal_those_of_transformers() {
    let (worst, answers) = compare(StoreType::F32);
    assert!(worst <= BOUND_F32, "{worst}");
    assert_eq!(answers.len(), 3);
    for (prompt, answer) in answers {
        assert_eq!(answer, prompt.greedy, "{}", prompt.name);
    }
}

#[test]
fn half_precision_storage_moves_logits_little() {
    let (worst, _) = compare(StoreType::F16);
    assert!(worst > 0.0 && worst <= BOUND_F16, "{worst}");
}
