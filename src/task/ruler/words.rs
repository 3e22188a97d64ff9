//! What keys and values are made of: words, numbers, uuids. Words are petname's, of medium length lists, in place of
//! wonderwords', which RULER takes its from.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use petname::Petnames;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

static LISTS: LazyLock<Petnames<'static>> = LazyLock::new(Petnames::medium);

/// Every word once, in alphabetical order.
pub(super) static WORDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let Petnames {
        adjectives,
        adverbs,
        nouns,
    } = &*LISTS;
    let all = [adjectives, adverbs, nouns]
        .into_iter()
        .flat_map(|list| list.iter());
    all.copied().collect::<BTreeSet<_>>().into_iter().collect()
});

/// The kinds of text that a needle's key or value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeedleText {
    /// An adjective and a noun with a hyphen.
    Words,
    /// Seven digits.
    Numbers,
    /// UUIDs of version 4.
    Uuids,
}

impl NeedleText {
    pub fn plural(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Numbers => "numbers",
            Self::Uuids => "uuids",
        }
    }

    pub fn singular(self) -> &'static str {
        self.plural().trim_end_matches('s')
    }

    /// Draws a value that is not in `taken`, and adds it.
    pub fn draw(self, rng: &mut ChaCha8Rng, taken: &mut BTreeSet<String>) -> String {
        loop {
            let value = self.any(rng);
            if taken.insert(value.clone()) {
                return value;
            }
        }
    }

    fn any(self, rng: &mut ChaCha8Rng) -> String {
        match self {
            Self::Words => {
                let Petnames {
                    adjectives, nouns, ..
                } = &*LISTS;
                let pick = |words: &[&'static str], rng: &mut ChaCha8Rng| {
                    words.choose(rng).copied().unwrap_or_default()
                };
                format!("{}-{}", pick(adjectives, rng), pick(nouns, rng))
            }
            Self::Numbers => rng.random_range(1_000_000..10_000_000).to_string(),
            Self::Uuids => uuid::Builder::from_random_bytes(rng.random())
                .into_uuid()
                .to_string(),
        }
    }
}

/// `length` letters from `first` to the 26th after it.
pub(super) fn letters(rng: &mut ChaCha8Rng, first: u8, length: usize) -> String {
    let letter = |_| char::from(first + rng.random_range(0..26));
    (0..length).map(letter).collect()
}

/// `1. first 2. second ...`
pub(super) fn numbered(words: &[&str]) -> String {
    let numbered: Vec<String> = (1..)
        .zip(words)
        .map(|(i, word)| format!("{i}. {word}"))
        .collect();
    numbered.join(" ")
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    /// Other lists would be other samples: the tasks' version has to change with them.
    #[test]
    fn the_lists_are_those_of_petname_3_2() {
        let Petnames {
            adjectives, nouns, ..
        } = &*LISTS;
        assert_eq!(
            (adjectives.len(), nouns.len(), WORDS.len()),
            (1198, 1052, 3880)
        );
        assert_eq!((WORDS[0], WORDS[3879]), ("aardvark", "zorilla"));
        let plain = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
        assert!(WORDS.iter().all(plain));
    }

    #[test]
    fn a_value_is_drawn_once() {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut taken = BTreeSet::new();
        for value in [NeedleText::Numbers, NeedleText::Uuids, NeedleText::Words] {
            let drawn: Vec<String> = (0..100).map(|_| value.draw(&mut rng, &mut taken)).collect();
            assert!(drawn.iter().all(|drawn| taken.contains(drawn)));
        }
        assert_eq!(taken.len(), 300);
    }
}
