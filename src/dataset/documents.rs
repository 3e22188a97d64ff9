//! Questions over documents, from the files of SQuAD and HotpotQA.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use anyhow::Result;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::{bad_input, files, typed};

/// A file's documents, each once and in alphabetical order, and the questions that have an answer, in its own order.
pub struct Documents {
    /// Texts of the documents: paragraphs of SQuAD, or titles with their sentences of HotpotQA.
    pub documents: Vec<String>,
    /// The questions. One that the file says has no answer is left out.
    pub questions: Vec<DocumentQuestion>,
}

/// A question with its right answers and its documents, which are indices into [`Documents::documents`].
pub struct DocumentQuestion {
    /// The question as the file has it.
    pub text: String,
    /// Any of them is right; at least one.
    pub answers: Vec<String>,
    /// The documents that go with it, by index; at least one.
    pub own: Vec<usize>,
    /// Others on the same subject.
    pub related: Vec<usize>,
}

#[derive(Deserialize)]
struct Squad {
    data: Vec<Article>,
}

#[derive(Deserialize)]
struct Article {
    paragraphs: Vec<Paragraph>,
}

#[derive(Deserialize)]
struct Paragraph {
    context: String,
    qas: Vec<SquadQuestion>,
}

#[derive(Deserialize)]
struct SquadQuestion {
    question: String,
    answers: Vec<SquadAnswer>,
    /// Absent in version 1.1.
    #[serde(default)]
    is_impossible: bool,
}

#[derive(Deserialize)]
struct SquadAnswer {
    text: String,
}

#[derive(Deserialize)]
struct HotpotQuestion {
    question: String,
    answer: String,
    /// Titles, each with sentences.
    context: Vec<(String, Vec<String>)>,
}

/// Reads SQuAD 1.1 or 2.0; questions that cannot be answered are left out.
///
/// # Errors
/// [`BadInput`](crate::error::BadInput) with file and line for what cannot be read; with the question where it has no
/// answer.
pub fn read_squad(path: &Path) -> Result<Documents> {
    let articles = read_json::<Squad>(path, "SQuAD")?.data;
    let paragraphs = articles.iter().flat_map(|article| &article.paragraphs);
    let documents: BTreeSet<&str> = paragraphs.map(|p| p.context.as_str()).collect();
    let places = places(&documents);
    let mut questions = Vec::new();
    for article in &articles {
        let of_article = article
            .paragraphs
            .iter()
            .map(|p| places[p.context.as_str()]);
        let of_article: BTreeSet<usize> = of_article.collect();
        for paragraph in &article.paragraphs {
            let own = places[paragraph.context.as_str()];
            for question in paragraph.qas.iter().filter(|q| !q.is_impossible) {
                questions.push(DocumentQuestion {
                    text: question.question.clone(),
                    answers: question.answers.iter().map(|a| a.text.clone()).collect(),
                    own: vec![own],
                    related: of_article
                        .iter()
                        .copied()
                        .filter(|&place| place != own)
                        .collect(),
                });
            }
        }
    }
    checked(documents, questions, path)
}

/// Reads HotpotQA with its distractor documents.
///
/// # Errors
/// As [`read_squad`].
pub fn read_hotpotqa(path: &Path) -> Result<Documents> {
    let read: Vec<HotpotQuestion> = read_json(path, "HotpotQA")?;
    let texts = |question: &HotpotQuestion| -> Vec<String> {
        let texts = question.context.iter();
        texts
            .map(|(title, sentences)| format!("{title}\n{}", sentences.concat()))
            .collect()
    };
    let own: Vec<Vec<String>> = read.iter().map(texts).collect();
    let documents: BTreeSet<&str> = own.iter().flatten().map(String::as_str).collect();
    let places = places(&documents);
    let question = |(question, own): (HotpotQuestion, &Vec<String>)| {
        let own: BTreeSet<usize> = own.iter().map(|text| places[text.as_str()]).collect();
        DocumentQuestion {
            text: question.question,
            answers: vec![question.answer],
            own: own.into_iter().collect(),
            related: Vec::new(),
        }
    };
    let questions = read.into_iter().zip(&own).map(question).collect();
    checked(documents, questions, path)
}

fn read_json<T: DeserializeOwned>(path: &Path, format: &str) -> Result<T> {
    let named = path.display();
    let text = files::read_text(path)?;
    typed::json(text.as_bytes()).map_err(|fault| {
        let (line, column) = (fault.line, fault.column);
        bad_input!(
            "{named}:{line}:{column}: not a {format} file: {}",
            fault.what
        )
    })
}

fn places<'a>(documents: &BTreeSet<&'a str>) -> HashMap<&'a str, usize> {
    documents.iter().copied().zip(0..).collect()
}

fn checked(
    documents: BTreeSet<&str>,
    questions: Vec<DocumentQuestion>,
    path: &Path,
) -> Result<Documents> {
    let named = path.display();
    if questions.is_empty() {
        return Err(bad_input!("{named}: no question that can be answered"));
    }
    for question in &questions {
        let lacks = |what: &str| bad_input!("{named}: question \"{}\" has {what}", question.text);
        // An empty one would stand in every response.
        if question.answers.is_empty() || question.answers.iter().any(|a| a.trim().is_empty()) {
            return Err(lacks("no answer, or an empty one"));
        }
        if question.own.is_empty() {
            return Err(lacks("no document"));
        }
    }
    Ok(Documents {
        documents: documents.into_iter().map(String::from).collect(),
        questions,
    })
}
