//! Frequent words extraction: made-up words whose counts fall off as a zeta distribution; which three lead?
//!
//! Words of six letters, as many as a fiftieth of the length, exponent 2. The one that would lead is `...` and counts
//! as noise. All as published.

use std::collections::BTreeSet;
use std::f64::consts::PI;
use std::ops::RangeInclusive;

use rand::seq::SliceRandom;

use super::draft::{Draft, Draw, Generator};
use super::words::letters;

/// Exponent of the zeta distribution.
pub(super) const ALPHA: f64 = 2.0;
/// How many words are asked for.
pub(super) const FREQUENT: usize = 3;
const LETTERS: usize = 6;
const NOISE: &str = "...";
/// zeta(2), which the shares of all ranks are over.
const ZETA: f64 = PI * PI / 6.0;

/// How often the word of `rank`, counted from 1, stands in a text of about `words`.
pub(super) fn count(words: usize, rank: usize) -> usize {
    (words as f64 * (rank as f64).powf(-ALPHA) / ZETA) as usize
}

/// Different words there are in a text for `length` tokens.
fn vocabulary(length: usize) -> usize {
    (length / 50).max(FREQUENT + 2)
}

pub(super) struct FrequentWords;

impl Generator for FrequentWords {
    fn max_new_tokens(&self) -> usize {
        50
    }

    /// A unit is a word of the text. Below the fewest, the last that is asked for need not lead the next.
    fn units(&self, _length: usize) -> RangeInclusive<usize> {
        let apart = |rank: f64| rank.powf(-ALPHA) / ZETA;
        let last = (FREQUENT + 1) as f64;
        let fewest = 1.0 / (apart(last) - apart(last + 1.0));
        fewest.ceil() as usize..=usize::MAX
    }

    fn draft(&self, draw: Draw) -> Draft {
        let Draw {
            units,
            length,
            mut rng,
            ..
        } = draw;
        let mut known = BTreeSet::new();
        let mut ranked = vec![NOISE.to_string()];
        while ranked.len() < vocabulary(length) {
            let word = letters(&mut rng, b'a', LETTERS);
            if known.insert(word.clone()) {
                ranked.push(word);
            }
        }
        let mut text: Vec<&str> = (1..)
            .zip(&ranked)
            .flat_map(|(rank, word)| vec![word.as_str(); count(units, rank)])
            .collect();
        text.shuffle(&mut rng);
        let answers = ranked[1..=FREQUENT].to_vec();
        Draft {
            context: format!(
                "Read the following text in code words and keep count of each code word. Find the three that stand in \
                 it most often. {}\n",
                text.join(" ")
            ),
            question: "Question: Explain nothing, and leave the dots '...' out of the count. Which three code words \
                       stand most often in the text above?"
                .into(),
            cue: "Answer: By the text above, the three code words that stand in it most often are:".into(),
            references: vec![format!(" {}", answers.join(" "))],
            answers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_fall_off_with_the_square_of_the_rank() {
        // 1000 / (pi^2 / 6) = 607.9, and that over 4, 9 and 16.
        assert_eq!(
            [1, 2, 3, 4].map(|rank| count(1000, rank)),
            [607, 151, 67, 37]
        );
    }

    #[test]
    fn the_last_asked_for_always_leads_the_next() {
        let fewest = *FrequentWords.units(0).start();
        assert_eq!(count(45, 4), count(45, 5), "a tie below them");
        assert!(fewest > 45);
        for units in fewest..10 * fewest {
            assert!(count(units, 4) > count(units, 5), "{units}");
        }
    }
}
