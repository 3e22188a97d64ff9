//! Perplexity's samples on the default model's tokenizer.

use std::sync::LazyLock;

use spindle::dataset::texts::own_texts;
use spindle::error::exit_code;
use spindle::model::tokenizer::ModelTokenizer;
use spindle::source::{DEFAULT_MODEL, SourceOptions, resolve};
use spindle::task::Task;
use spindle::task::perplexity::{Perplexity, PerplexitySettings};

static TOKENIZER: LazyLock<ModelTokenizer> = LazyLock::new(|| {
    let files = resolve(DEFAULT_MODEL, &SourceOptions::default()).unwrap();
    ModelTokenizer::load(&files).unwrap()
});

fn settings(at: &[usize], continuation: usize, samples: usize) -> PerplexitySettings {
    PerplexitySettings {
        at: at.to_vec(),
        continuation,
        samples,
    }
}

#[test]
fn samples_are_consecutive_tokens_of_windows_that_share_none() {
    let text = own_texts().unwrap().join("\n\n");
    let settings = settings(&[40, 100], 20, 3);
    let task = Perplexity::new(&settings, &text, &TOKENIZER, 8192).unwrap();
    let opening = TOKENIZER.encode("", true).unwrap().len();
    assert_eq!(task.len(), 6);
    let mut all = Vec::new();
    for i in 0..task.len() {
        let sample = task.sample(i).unwrap();
        let at = settings.at[i % 2];
        assert_eq!(sample.id, format!("at={at};window={}", i / 2));
        assert_eq!((sample.context.len(), sample.reference.len()), (at, 20));
        assert_eq!(sample.reference_scored, 0..20);
        let tokens = [&sample.context[opening..], &sample.reference].concat();
        match i % 2 {
            0 => all.push(tokens),
            // The longer prefix goes on from the shorter, and is the window to its end.
            _ => {
                assert!(tokens.starts_with(&all.pop().unwrap()));
                all.push(tokens);
            }
        }
    }
    let joined = TOKENIZER.decode(&all.concat(), false).unwrap();
    assert!(text.starts_with(&joined));
    assert!(task.sample(6).is_err());
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |settings: PerplexitySettings, max_context, part: &str| {
        let made = Perplexity::new(&settings, "A short text.", &TOKENIZER, max_context);
        let error = made.err().unwrap();
        assert_eq!(exit_code(&error), 2);
        assert!(error.to_string().contains(part), "{error}");
    };
    refused(settings(&[], 1, 1), 100, "must not be empty");
    refused(settings(&[0], 1, 1), 100, "must not be empty");
    refused(settings(&[8, 8], 1, 1), 100, "stands twice");
    refused(settings(&[90], 20, 1), 100, "context of 100");
    refused(settings(&[8], 20, 1), 100, "expected at least");
}
