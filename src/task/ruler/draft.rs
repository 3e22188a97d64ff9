//! A sample as text, and what makes it: one generator for each family of tasks.

use std::ops::RangeInclusive;

use rand_chacha::ChaCha8Rng;

use crate::task::metric::string_match;

/// The parts of a prompt, and the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The prompt up to the question: instruction and haystack, an example before them where one is published.
    pub context: String,
    pub question: String,
    /// What the answer begins with.
    pub cue: String,
    /// What the answer should contain.
    pub answers: Vec<String>,
    /// Right answers, each as it goes on after the cue.
    pub references: Vec<String>,
}

/// What a draft depends on.
pub struct Draw {
    /// Seed of the sample; where questions are not made up, it says which one is asked.
    pub seed: u64,
    /// Tokens of prompt and answer: some constants depend on it.
    pub length: usize,
    /// How many units the haystack has: sentences, lines, words or documents, as the generator counts.
    pub units: usize,
    /// Generator of random numbers, in the same state for every number of units.
    pub rng: ChaCha8Rng,
}

/// A metric's name, and the function of the answers and a response.
pub(super) type Metric = (&'static str, fn(&[String], &str) -> f64);

pub trait Generator {
    /// Tokens the model may generate.
    fn max_new_tokens(&self) -> usize;
    /// Fewest and most units that a haystack may have.
    fn units(&self, length: usize) -> RangeInclusive<usize>;
    /// The sample of `draw`.
    fn draft(&self, draw: Draw) -> Draft;
    fn metric(&self) -> Metric {
        ("string_match_all", string_match::all)
    }
    /// How many questions there are, where they are not made up.
    fn questions(&self) -> Option<usize> {
        None
    }
}
