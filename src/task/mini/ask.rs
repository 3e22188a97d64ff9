//! What can be asked of a context, and which passages have to be in it or must not be.

use std::collections::BTreeSet;

use crate::dataset::bank::{Bank, Link, Passage, Question};

/// The genre of source files.
pub(super) const SOURCE: &str = "source";

/// Shares of the second half of a context that repeat what stands before.
const REPEATED: [f64; 5] = [0.0, 0.25, 0.5, 0.75, 1.0];
/// Characters of a line of code, without its indentation, that is worth asking for.
const LINE: usize = 12;

/// One question.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What the record has as its `input`.
    pub input: String,
    pub answer: Answer,
    /// Passages that must be in the context, by index.
    pub needs: Vec<usize>,
    /// Passages that must not.
    pub bars: BTreeSet<usize>,
}

/// What is right.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Any of these.
    Texts(Vec<String>),
    /// The number of the first passage that is needed.
    Place,
    /// How many different passages there are, where this share of the second half repeats others.
    Different(f64),
}

/// Questions that one passage answers; no other of the context has one of the answers in it.
pub(super) fn questions(bank: &Bank) -> Vec<Ask> {
    let of = |(place, passage): (usize, &Passage)| {
        let ask = |question: &Question| answered(bank, question, place, vec![place]);
        passage.questions.iter().map(ask).collect::<Vec<_>>()
    };
    bank.passages.iter().enumerate().flat_map(of).collect()
}

/// Questions that take two passages.
pub(super) fn two_hops(bank: &Bank) -> Vec<Ask> {
    let ask = |link: &Link| answered(bank, &link.question, link.to, vec![link.from, link.to]);
    bank.links.iter().map(ask).collect()
}

fn answered(bank: &Bank, question: &Question, answers_it: usize, needs: Vec<usize>) -> Ask {
    let with = bank.with_any(&question.answers);
    Ask {
        input: question.text.clone(),
        answer: Answer::Texts(question.answers.clone()),
        bars: with.filter(|&place| place != answers_it).collect(),
        needs,
    }
}

/// The topic of a passage that is not among the examples.
pub(super) fn topics(bank: &Bank) -> Vec<Ask> {
    let ask = |(place, passage): (usize, &Passage)| Ask {
        input: format!("Text: {}\nTopic:", passage.summary),
        answer: Answer::Texts(vec![passage.topic.clone()]),
        needs: Vec::new(),
        bars: [place].into(),
    };
    bank.passages.iter().enumerate().map(ask).collect()
}

/// Which passage a summary is of.
pub(super) fn places(bank: &Bank) -> Vec<Ask> {
    let ask = |(place, passage): (usize, &Passage)| Ask {
        input: passage.summary.clone(),
        answer: Answer::Place,
        needs: vec![place],
        bars: BTreeSet::new(),
    };
    bank.passages.iter().enumerate().map(ask).collect()
}

/// How many different passages there are.
pub(super) fn counts(_bank: &Bank) -> Vec<Ask> {
    let ask = |share| Ask {
        input: String::new(),
        answer: Answer::Different(share),
        needs: Vec::new(),
        bars: BTreeSet::new(),
    };
    REPEATED.map(ask).into()
}

/// The summary of the passage of a title.
pub(super) fn summaries(bank: &Bank) -> Vec<Ask> {
    let ask = |(place, passage): (usize, &Passage)| Ask {
        input: passage.title.clone(),
        answer: Answer::Texts(vec![passage.summary.clone()]),
        needs: vec![place],
        bars: BTreeSet::new(),
    };
    bank.passages.iter().enumerate().map(ask).collect()
}

/// A line in the second half of a source file, which is not in the context; what it imports is. The file is shown up to
/// the end of the line before, which is not blank: what comes next is one line end and this line.
pub(super) fn next_lines(bank: &Bank) -> Vec<Ask> {
    let files = bank.passages.iter().enumerate();
    let files = files.filter(|(_, passage)| passage.genre == SOURCE);
    let of = |(place, passage): (usize, &Passage)| {
        let links = bank.links.iter().filter(|link| link.from == place);
        let needs: BTreeSet<usize> = links.map(|link| link.to).collect();
        let lines: Vec<&str> = passage.text.lines().collect();
        let follows = |&at: &usize| is_code(lines[at]) && !lines[at - 1].trim().is_empty();
        let asked = (lines.len() / 2..lines.len()).filter(follows);
        let ask = |at: usize| Ask {
            input: format!("# {}\n{}", passage.title, lines[..at].join("\n")),
            answer: Answer::Texts(vec![lines[at].into()]),
            needs: needs.iter().copied().collect(),
            bars: [place].into(),
        };
        asked.map(ask).collect::<Vec<_>>()
    };
    files.flat_map(of).collect()
}

/// Whether LongBench's metric sees code in a line, and enough of it.
fn is_code(line: &str) -> bool {
    let none = ["`", "#", "//", "\"\"\""];
    line.trim().len() >= LINE && !none.iter().any(|mark| line.contains(mark))
}
