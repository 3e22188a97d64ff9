//! Our decoder against candle-transformers' Llama, Mistral, Qwen2 and Qwen3 on the same random tensors: logits after
//! the prefill and after each decoded token, one at a time and several at once.

use crate::common::tiny::{self, Tiny};
use crate::common::{distance, extend};
use spindle::generate::whole_cache;
use spindle::model::decoder::CHUNK;
use spindle::model::observe::Observe;
use spindle::store::StoreType;

/// Logits reach about 10; both sides sum in f32, in different orders.
const BOUND: f32 = 1e-4;
const STEPS: usize = 8;

/// Within one attention block, over several, and over two chunks of a prefill.
const PROMPTS: [usize; 4] = [5, 70, 300, CHUNK + 90];

fn agrees(tiny: Tiny) -> f32 {
    let dir = tempfile::tempdir().unwrap();
    tiny.write(dir.path()).unwrap();
    let model = tiny::load(dir.path()).unwrap();
    let next = tiny::tokens(STEPS, 9);
    let mut worst = 0f32;
    for len in PROMPTS {
        let prompt = tiny::tokens(len, 7);
        let expected = tiny::oracle_logits(dir.path(), tiny.family, &prompt, &next).unwrap();
        let prefilled = model
            .prefill(&prompt, Observe::default(), StoreType::F32)
            .unwrap();
        let mut check = |what: &str, found: &[f32], row: usize| {
            let off = distance(found, &expected[row]);
            assert!(
                off <= BOUND,
                "{tiny:?}, {len} tokens, {what} {row}: {off:e}"
            );
            worst = worst.max(off);
        };
        check("prefill", &prefilled.logits, 0);

        let mut cache = whole_cache(&prefilled);
        for (i, token) in next.iter().enumerate() {
            let logits = model.step(&[*token], &mut [&mut cache]).unwrap();
            check("step", &logits.to_vec2().unwrap()[0], i + 1);
        }
        assert_eq!(cache.seen, len + STEPS);

        let mut cache = whole_cache(&prefilled);
        let logits = extend(&model, &next, &mut cache).unwrap();
        for (i, row) in logits.to_vec2().unwrap().iter().enumerate() {
            check("extend", row, i + 1);
        }
        assert_eq!(cache.seen, len + STEPS);
    }
    worst
}

#[test]
fn logits_equal_those_of_candle_transformers() {
    let worst: Vec<f32> = Tiny::all().into_iter().map(agrees).collect();
    println!("largest differences: {worst:?}");
}

/// A prompt over several calls of `extend` is the same as one prefill: position and causality carry over.
#[test]
fn extending_from_one_token_equals_the_prefill() {
    for tiny in Tiny::all() {
        let model = tiny.load().unwrap();
        let tokens = tiny::tokens(150, 3);
        let whole = model
            .prefill(&tokens, Observe::default(), StoreType::F32)
            .unwrap();
        let first = model
            .prefill(&tokens[..1], Observe::default(), StoreType::F32)
            .unwrap();
        let mut cache = whole_cache(&first);
        let mut last = Vec::new();
        for part in [1..3, 3..100, 100..150] {
            let logits = extend(&model, &tokens[part], &mut cache).unwrap();
            last = logits.to_vec2::<f32>().unwrap().pop().unwrap();
        }
        let off = distance(&last, &whole.logits);
        assert!(off <= BOUND, "{tiny:?}: {off:e}");
    }
}

/// The RoPE tables end where the model's context does: asking for more is an error, not a panic.
#[test]
fn a_context_that_is_full_is_an_error() {
    let model = Tiny::new(tiny::Family::Llama).load().unwrap();
    let tokens = tiny::tokens(tiny::MAX_POSITIONS - 1, 3);
    let prefilled = model
        .prefill(&tokens, Observe::default(), StoreType::F16)
        .unwrap();
    let mut cache = whole_cache(&prefilled);
    model.step(&[1], &mut [&mut cache]).unwrap();
    for error in [
        model.step(&[1], &mut [&mut cache.fork()]),
        extend(&model, &[1, 2], &mut cache.fork()),
        model
            .prefill(
                &tiny::tokens(tiny::MAX_POSITIONS + 1, 3),
                Observe::default(),
                StoreType::F16,
            )
            .map(|_| unreachable!()),
    ] {
        let text = error.unwrap_err().to_string();
        assert!(text.contains(&tiny::MAX_POSITIONS.to_string()), "{text}");
    }
    assert_eq!(cache.seen, tiny::MAX_POSITIONS);
}
