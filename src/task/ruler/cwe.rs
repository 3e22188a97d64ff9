//! Common words extraction: ten words stand more often than the others in a numbered list; which?
//!
//! 30 times against 3, after an example with 10 against 3. Below 4096 tokens, where that leaves no room for other
//! words, 6 times against 1, after an example with 3 against 1. All as published.

use std::ops::RangeInclusive;

use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::draft::{Draft, Draw, Generator};
use super::words::{WORDS, numbered};

/// How many words are asked for.
pub(super) const COMMON: usize = 10;

/// How often words stand in a list, and how many different ones an example has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frequencies {
    pub common: usize,
    pub uncommon: usize,
    pub example_words: usize,
    pub example_common: usize,
    pub example_uncommon: usize,
}

/// The frequencies of a list for a prompt of `length` tokens.
pub(super) fn frequencies(length: usize) -> Frequencies {
    match length < 4096 {
        true => Frequencies {
            common: 6,
            uncommon: 1,
            example_words: 20,
            example_common: 3,
            example_uncommon: 1,
        },
        false => Frequencies {
            common: 30,
            uncommon: 3,
            example_words: 40,
            example_common: 10,
            example_uncommon: 3,
        },
    }
}

pub(super) struct CommonWords;

impl Generator for CommonWords {
    fn max_new_tokens(&self) -> usize {
        120
    }

    /// A unit is a different word: at least one that is not asked for, at most as many as there are.
    fn units(&self, _length: usize) -> RangeInclusive<usize> {
        COMMON + 1..=WORDS.len()
    }

    fn draft(&self, draw: Draw) -> Draft {
        let Draw {
            units,
            length,
            mut rng,
            ..
        } = draw;
        let with = frequencies(length);
        let example = list(
            &mut rng,
            with.example_words,
            with.example_common,
            with.example_uncommon,
        );
        let asked = list(&mut rng, units, with.common, with.uncommon);
        let Draft {
            context,
            question,
            cue,
            references,
            ..
        } = example;
        Draft {
            context: format!(
                "{context}{question} {cue}{}\n{}",
                references.concat(),
                asked.context
            ),
            ..asked
        }
    }
}

/// A question without an example: `words` different words, the first ten `common` times, the others `uncommon` times.
fn list(rng: &mut ChaCha8Rng, words: usize, common: usize, uncommon: usize) -> Draft {
    let drawn: Vec<&str> = WORDS.choose_multiple(rng, words).copied().collect();
    let (asked, others) = drawn.split_at(COMMON);
    let mut all = [asked.repeat(common), others.repeat(uncommon)].concat();
    all.shuffle(rng);
    Draft {
        context: format!(
            "The following is a numbered list of words, some of which stand in it more often than others. Remember \
             those that stand in it most often.\n{}\n",
            numbered(&all)
        ),
        question: format!("Question: Which {COMMON} words stand most often in the list above?"),
        cue: format!("Answer: The {COMMON} words that stand most often in the list above are:"),
        answers: asked.iter().map(ToString::to_string).collect(),
        references: vec![format!(" {}", numbered(asked))],
    }
}
