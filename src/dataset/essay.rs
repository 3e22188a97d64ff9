//! Prose by the word: sentences of which any number of words can be taken.

use anyhow::Result;

use super::sentence::gaps;
use crate::bad_input;

/// The sentences of texts in order, words apart by single spaces.
pub struct Essay {
    sentences: Vec<Vec<String>>,
}

impl Essay {
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if the texts are empty.
    pub fn new(texts: &[String]) -> Result<Self> {
        let mut sentences = Vec::new();
        for text in texts {
            let mut start = 0;
            for gap in gaps(text) {
                let words = text[start..gap.start].split_whitespace();
                sentences.push(words.map(String::from).collect());
                start = gap.end;
            }
        }
        if sentences.is_empty() {
            return Err(bad_input!("essay: its texts are empty, expected prose"));
        }
        Ok(Self { sentences })
    }

    /// The first `n_words` words, from the start again as often as needed, by sentence; the last may be cut short.
    pub fn sentences(&self, n_words: usize) -> Vec<String> {
        let mut left = n_words;
        let mut taken = Vec::new();
        for sentence in self.sentences.iter().cycle() {
            if left == 0 {
                break;
            }
            let count = sentence.len().min(left);
            taken.push(sentence[..count].join(" "));
            left -= count;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::Essay;

    #[test]
    fn takes_words_and_starts_again() {
        let texts = [
            "One  two.\nThree!".to_string(),
            "A title".into(),
            "Four.".into(),
        ];
        let essay = Essay::new(&texts).unwrap();
        assert_eq!(essay.sentences(0), [""; 0]);
        assert_eq!(essay.sentences(1), ["One"]);
        assert_eq!(essay.sentences(3), ["One two.", "Three!"]);
        assert_eq!(
            essay.sentences(6),
            ["One two.", "Three!", "A title", "Four."]
        );
        assert_eq!(essay.sentences(7)[4], "One");
        assert!(Essay::new(&["\n".into()]).is_err());
    }
}
