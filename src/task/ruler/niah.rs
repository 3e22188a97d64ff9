//! Needles in a haystack: keys with values among a repeated noise, an essay or other needles.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use rand::seq::{SliceRandom, index};
use rand_chacha::ChaCha8Rng;

use super::draft::{Draft, Draw, Generator};
use super::words::NeedleText;
use crate::dataset::essay::Essay;

/// A line of haystack that says nothing.
pub(super) const NOISE: &str =
    "The kettle is warm. The road is long. The hills are quiet. Off we go. Back home by dusk.";

/// What needles are hidden in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Haystack {
    /// [`NOISE`], a line for each unit.
    Noise,
    /// Prose, a word for each unit.
    Essay,
    /// Needles with other keys, one for each unit.
    Needles,
}

/// What sets one of the eight tasks apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NiahConfig {
    pub haystack: Haystack,
    pub key: NeedleText,
    pub value: NeedleText,
    /// Keys that are planted.
    pub keys: usize,
    /// Values of each key.
    pub values: usize,
    /// Keys that are asked for.
    pub queries: usize,
}

/// One word key with one number in an essay, unless a task says otherwise.
const BASE: NiahConfig = NiahConfig {
    haystack: Haystack::Essay,
    key: NeedleText::Words,
    value: NeedleText::Numbers,
    keys: 1,
    values: 1,
    queries: 1,
};
pub(super) const SINGLE_1: NiahConfig = NiahConfig {
    haystack: Haystack::Noise,
    ..BASE
};
pub(super) const SINGLE_2: NiahConfig = BASE;
pub(super) const SINGLE_3: NiahConfig = NiahConfig {
    value: NeedleText::Uuids,
    ..BASE
};
pub(super) const MULTIKEY_1: NiahConfig = NiahConfig { keys: 4, ..BASE };
pub(super) const MULTIKEY_2: NiahConfig = NiahConfig {
    haystack: Haystack::Needles,
    ..BASE
};
pub(super) const MULTIKEY_3: NiahConfig = NiahConfig {
    haystack: Haystack::Needles,
    key: NeedleText::Uuids,
    value: NeedleText::Uuids,
    ..BASE
};
pub(super) const MULTIVALUE: NiahConfig = NiahConfig { values: 4, ..BASE };
pub(super) const MULTIQUERY: NiahConfig = NiahConfig {
    keys: 4,
    queries: 4,
    ..BASE
};

/// The depths in percent at which needles stand in an essay: `round(linspace(0, 100, 40))`.
pub(super) fn depths() -> [usize; 40] {
    std::array::from_fn(|i| (100.0 * i as f64 / 39.0).round_ties_even() as usize)
}

pub(super) struct Niah {
    pub config: NiahConfig,
    /// Read where the haystack is prose.
    pub essay: Arc<Essay>,
}

impl Niah {
    fn needle(&self, key: &str, value: &str) -> String {
        let thing = self.config.value.singular();
        format!("A special magic {thing} for {key} is: {value}.")
    }

    /// `needles` within `units` of prose, in order, each where a sentence ends.
    fn within_essay(&self, needles: &[String], units: usize, rng: &mut ChaCha8Rng) -> String {
        let depths = depths();
        let drawn = index::sample(rng, depths.len(), needles.len());
        let mut drawn: Vec<usize> = drawn.into_iter().map(|i| depths[i]).collect();
        drawn.sort_unstable();
        let sentences = self.essay.sentences(units);
        let mut parts: Vec<&str> = Vec::with_capacity(sentences.len() + needles.len());
        let mut copied = 0;
        for (needle, depth) in needles.iter().zip(drawn) {
            let at = sentences.len() * depth / 100;
            parts.extend(sentences[copied..at].iter().map(String::as_str));
            parts.push(needle);
            copied = at;
        }
        parts.extend(sentences[copied..].iter().map(String::as_str));
        parts.join(" ")
    }

    /// `needles` between `lines`, in random places and order.
    fn between_lines(needles: &[String], lines: Vec<String>, rng: &mut ChaCha8Rng) -> String {
        let mut places = index::sample(rng, lines.len(), needles.len()).into_vec();
        places.sort_unstable_by(|a, b| b.cmp(a));
        let mut lines = lines;
        for (place, needle) in places.into_iter().zip(needles) {
            lines.insert(place, needle.clone());
        }
        lines.join("\n")
    }
}

impl Generator for Niah {
    fn max_new_tokens(&self) -> usize {
        128
    }

    fn units(&self, _length: usize) -> RangeInclusive<usize> {
        let needles = self.config.keys * self.config.values;
        needles..=usize::MAX
    }

    fn draft(&self, draw: Draw) -> Draft {
        let Draw { units, mut rng, .. } = draw;
        let NiahConfig {
            haystack,
            key,
            value,
            keys,
            values,
            queries,
        } = self.config;
        let (mut known_keys, mut known_values) = (BTreeSet::new(), BTreeSet::new());
        let mut facts: Vec<(String, Vec<String>)> = Vec::with_capacity(keys);
        for _ in 0..keys {
            let key = key.draw(&mut rng, &mut known_keys);
            let values = (0..values).map(|_| value.draw(&mut rng, &mut known_values));
            facts.push((key, values.collect()));
        }
        let mut needles: Vec<String> = facts
            .iter()
            .flat_map(|(key, values)| values.iter().map(|value| self.needle(key, value)))
            .collect();
        needles.shuffle(&mut rng);
        let asked: Vec<&(String, Vec<String>)> = index::sample(&mut rng, keys, queries)
            .into_iter()
            .map(|i| &facts[i])
            .collect();
        let text = match haystack {
            Haystack::Essay => self.within_essay(&needles, units, &mut rng),
            Haystack::Noise => Self::between_lines(&needles, vec![NOISE.into(); units], &mut rng),
            Haystack::Needles => {
                let other = |_| {
                    let key = key.draw(&mut rng, &mut known_keys);
                    let value = value.draw(&mut rng, &mut known_values);
                    self.needle(&key, &value)
                };
                let lines = (0..units).map(other).collect();
                Self::between_lines(&needles, lines, &mut rng)
            }
        };
        let query = listed(
            &asked
                .iter()
                .map(|(key, _)| key.as_str())
                .collect::<Vec<_>>(),
        );
        let answers: Vec<String> = asked
            .iter()
            .flat_map(|(_, values)| values.clone())
            .collect();
        let answer = listed(&answers.iter().map(String::as_str).collect::<Vec<_>>());
        let (one, many) = (value.singular(), value.plural());
        let several = queries * values > 1;
        let instruction = match several {
            false => format!(
                "A special magic {one} is hidden in the following text. Keep it in mind: you will be asked for the \
                 {one} afterwards."
            ),
            true => format!(
                "Some special magic {many} are hidden in the following text. Keep them in mind: you will be asked \
                 for the {many} afterwards."
            ),
        };
        Draft {
            context: format!("{instruction}\n{text}\n"),
            question: match several {
                false => format!("What is the special magic {one} for {query} in the text above?"),
                true => {
                    format!("What are all the special magic {many} for {query} in the text above?")
                }
            },
            cue: match several {
                false => format!("The special magic {one} for {query} in the text above is"),
                true => format!("The special magic {many} for {query} in the text above are"),
            },
            answers,
            references: vec![format!(" {answer}.")],
        }
    }
}

/// `a`, `a, and b`, `a, b, and c`: as RULER lists keys.
fn listed(items: &[&str]) -> String {
    match items {
        [before @ .., last] if !before.is_empty() => format!("{}, and {last}", before.join(", ")),
        _ => items.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_are_as_published() {
        let depths = depths();
        assert_eq!(
            (depths[0], depths[1], depths[2], depths[39]),
            (0, 3, 5, 100)
        );
        assert!(depths.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn keys_are_listed_as_published() {
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b"]), "a, and b");
        assert_eq!(listed(&["a", "b", "c"]), "a, b, and c");
    }
}
