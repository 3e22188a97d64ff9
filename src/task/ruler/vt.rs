//! Variable tracking: a value goes from variable to variable among lines of noise; which variables hold it?
//!
//! One chain of four hops, five variables of five letters, a number of five digits, and before it a worked example
//! whose variables have three letters, as published.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use rand::Rng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use super::draft::{Draft, Draw, Generator};
use super::niah::NOISE;
use super::words::letters;

pub(super) const HOPS: usize = 4;
const LETTERS: usize = 5;
const EXAMPLE_LETTERS: usize = 3;
/// Lines of noise in the example: what the published rule, at most 500 tokens by steps of five lines, comes to.
const EXAMPLE_UNITS: usize = 10;

pub(super) struct VariableTracking;

impl Generator for VariableTracking {
    fn max_new_tokens(&self) -> usize {
        30
    }

    fn units(&self, _length: usize) -> RangeInclusive<usize> {
        HOPS + 1..=usize::MAX
    }

    fn draft(&self, draw: Draw) -> Draft {
        let Draw { units, mut rng, .. } = draw;
        let example = chain(&mut rng, EXAMPLE_LETTERS, EXAMPLE_UNITS);
        let asked = chain(&mut rng, LETTERS, units);
        let Draft {
            context,
            question,
            cue,
            references,
            ..
        } = example;
        Draft {
            context: format!(
                "{context}{question} {cue}{}\n\n{}",
                references.concat(),
                asked.context
            ),
            ..asked
        }
    }
}

/// A question without an example: a chain in `units` lines of noise.
fn chain(rng: &mut ChaCha8Rng, length: usize, units: usize) -> Draft {
    let mut known = BTreeSet::new();
    let mut variables = Vec::with_capacity(HOPS + 1);
    while variables.len() <= HOPS {
        let name = letters(rng, b'A', length);
        if known.insert(name.clone()) {
            variables.push(name);
        }
    }
    let value = rng.random_range(10_000..99_999).to_string();
    let mut lines = vec![NOISE.to_string(); units];
    let mut places = index::sample(rng, units, variables.len()).into_vec();
    places.sort_unstable();
    for (i, (place, name)) in places.into_iter().zip(&variables).enumerate() {
        let line = match i.checked_sub(1) {
            None => format!("VAR {name} = {value}"),
            Some(before) => format!("VAR {name} = VAR {}", variables[before]),
        };
        lines.insert(place + i, line);
    }
    Draft {
        context: format!(
            "Remember the assignments of variables that are hidden in the following text, and follow them from one \
             variable to the next.\n\n{}\n",
            lines.join("\n")
        ),
        question: format!(
            "Question: Which variables in the text above hold the value {value}? Find all of them."
        ),
        cue: format!(
            "Answer: By the assignments in the text above, {} variables hold the value {value}, they are:",
            HOPS + 1
        ),
        references: vec![format!(" {}", variables.join(" "))],
        answers: variables,
    }
}
