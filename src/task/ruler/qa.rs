//! Questions over documents: those that hold the answer among others of the same file.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use rand::seq::{IndexedRandom, SliceRandom};

use super::draft::{Draft, Draw, Generator, Metric};
use crate::dataset::documents::{DocumentQuestion, Documents};
use crate::task::metric::string_match;

pub(super) struct Qa {
    pub data: Arc<Documents>,
}

impl Generator for Qa {
    fn max_new_tokens(&self) -> usize {
        32
    }

    /// A unit is a document. A question's own are always there, however few are asked for.
    fn units(&self, _length: usize) -> RangeInclusive<usize> {
        1..=self.data.documents.len()
    }

    fn draft(&self, draw: Draw) -> Draft {
        let Draw {
            seed,
            units,
            mut rng,
            ..
        } = draw;
        let Documents {
            documents,
            questions,
        } = &*self.data;
        let question = &questions[(seed % questions.len() as u64) as usize];
        let DocumentQuestion { own, related, .. } = question;
        let missing = units.saturating_sub(own.len());
        let mut chosen = own.clone();
        if missing <= related.len() {
            chosen.extend(related.choose_multiple(&mut rng, missing));
        } else {
            chosen.extend(related);
            let held: HashSet<usize> = chosen.iter().copied().collect();
            let others: Vec<usize> = (0..documents.len()).filter(|i| !held.contains(i)).collect();
            chosen.extend(others.choose_multiple(&mut rng, missing - related.len()));
        }
        chosen.shuffle(&mut rng);
        let numbered: Vec<String> = (1..)
            .zip(&chosen)
            .map(|(i, &document)| format!("Document {i}:\n{}", documents[document]))
            .collect();
        let order = "Give the answer only, in no other words.";
        Draft {
            context: format!(
                "Answer the question from the given documents. {order}\n\nThe documents are these.\n\n{}\n\n",
                numbered.join("\n\n")
            ),
            question: format!(
                "Answer the question from the given documents. {order}\n\nQuestion: {}",
                question.text
            ),
            cue: "Answer:".into(),
            references: question.answers.iter().map(|a| format!(" {a}")).collect(),
            answers: question.answers.clone(),
        }
    }

    fn metric(&self) -> Metric {
        ("string_match_part", string_match::part)
    }

    fn questions(&self) -> Option<usize> {
        Some(self.data.questions.len())
    }
}
