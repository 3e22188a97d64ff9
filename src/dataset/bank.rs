//! The project's own passages, with what can be asked about them: the TOML files of `datasets/mini/bank`, inside the
//! binary.

use std::collections::HashMap;

use anyhow::Result;
use include_dir::{Dir, include_dir};
use serde::Deserialize;

use crate::bad_input;
use crate::toml_text;

static FILES: Dir = include_dir!("$CARGO_MANIFEST_DIR/datasets/mini/bank");

/// A short text of its own.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passage {
    /// Its id, which no other passage of the bank has. Links name passages by it.
    pub id: String,
    /// Its heading, which most tasks show above the text.
    pub title: String,
    /// What it is about, in one word: one of a few.
    pub topic: String,
    /// In one line.
    pub summary: String,
    /// The passage itself, without white space around it.
    pub text: String,
    /// Questions that the passage answers.
    #[serde(rename = "question")]
    pub questions: Vec<Question>,
    /// What kind of text it is: the name of its file.
    #[serde(skip)]
    pub genre: String,
}

/// A question with its right answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// The question as prompts show it.
    #[serde(rename = "question")]
    pub text: String,
    /// Right answers, any of which counts. The first stands in the passage.
    pub answers: Vec<String>,
}

/// A question about one passage whose answer stands in another, which the first leads to.
#[derive(Debug, Clone)]
pub struct Link {
    /// The passage that the question is about, an index into [`Bank::passages`].
    pub from: usize,
    /// The passage that has the answer, an index into [`Bank::passages`].
    pub to: usize,
    /// The question and its right answers.
    pub question: Question,
}

/// All passages.
#[derive(Debug, Clone)]
pub struct Bank {
    /// The passages, files in alphabetical order, each in the order of its file.
    pub passages: Vec<Passage>,
    /// Questions that take two passages to answer.
    pub links: Vec<Link>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BankFile {
    passage: Vec<Passage>,
    #[serde(default)]
    link: Vec<LinkTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkTable {
    from: String,
    to: String,
    question: String,
    answers: Vec<String>,
}

impl Bank {
    /// Those that come with the program.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn own() -> Result<Self> {
        let mut files: Vec<(&str, &str)> = FILES
            .files()
            .filter_map(|file| Some((file.path().file_stem()?.to_str()?, file.contents_utf8()?)))
            .collect();
        files.sort_unstable();
        Self::parse(&files)
    }

    /// `files`: genres and texts.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a key that is missing or unknown, an id that stands twice, and a link
    /// to no passage.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self> {
        let mut passages: Vec<Passage> = Vec::new();
        let mut tables = Vec::new();
        for (genre, text) in files {
            let file: BankFile = toml_text::parse(text, &format!("{genre}.toml"))?;
            passages.extend(file.passage.into_iter().map(|passage| Passage {
                text: passage.text.trim().into(),
                genre: (*genre).into(),
                ..passage
            }));
            tables.extend(file.link.into_iter().map(|link| (*genre, link)));
        }
        let mut places = HashMap::new();
        for (place, Passage { id, genre, .. }) in passages.iter().enumerate() {
            if places.insert(id.clone(), place).is_some() {
                return Err(bad_input!("{genre}.toml: passage {id} stands twice"));
            }
        }
        let place = |genre: &str, id: &String| {
            let place = places.get(id).copied();
            place.ok_or_else(|| bad_input!("{genre}.toml: a link names {id}, which is no passage"))
        };
        let link = |(genre, table): (&str, LinkTable)| {
            Ok(Link {
                from: place(genre, &table.from)?,
                to: place(genre, &table.to)?,
                question: Question {
                    text: table.question,
                    answers: table.answers,
                },
            })
        };
        let links = tables.into_iter().map(link).collect::<Result<_>>()?;
        Ok(Self { passages, links })
    }

    /// The topics, sorted.
    pub fn topics(&self) -> Vec<String> {
        let mut topics: Vec<String> = self.passages.iter().map(|p| p.topic.clone()).collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }

    /// The passages with one of `texts` in them or in their titles, in upper or lower case.
    pub fn with_any<'a>(&'a self, texts: &'a [String]) -> impl Iterator<Item = usize> + 'a {
        let texts: Vec<String> = texts.iter().map(|text| text.to_lowercase()).collect();
        let has_one = move |passage: &Passage| {
            let read = format!("{}\n{}", passage.title, passage.text).to_lowercase();
            texts.iter().any(|text| read.contains(text))
        };
        let places = self.passages.iter().enumerate();
        places.filter_map(move |(place, passage)| has_one(passage).then_some(place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bank() -> Bank {
        Bank::own().unwrap()
    }

    /// With any run of white space as one space: texts are wrapped.
    fn flat(text: &str) -> String {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn there_are_enough_whole_passages() {
        let bank = bank();
        assert!(bank.passages.len() >= 150, "{}", bank.passages.len());
        for passage in &bank.passages {
            let words = passage.text.split_whitespace().count();
            assert!((100..=200).contains(&words), "{}: {words}", passage.id);
            assert!((2..=3).contains(&passage.questions.len()), "{}", passage.id);
            for line in [&passage.title, &passage.topic, &passage.summary] {
                assert!(!line.is_empty() && !line.contains('\n'), "{}", passage.id);
            }
        }
        assert_eq!(bank.topics().len(), 10);
        let mut titles: Vec<_> = bank.passages.iter().map(|p| &p.title).collect();
        titles.sort_unstable();
        titles.dedup();
        assert_eq!(titles.len(), bank.passages.len());
    }

    #[test]
    fn answers_stand_in_their_passages_and_not_in_what_leads_there() {
        let bank = bank();
        for passage in &bank.passages {
            for question in &passage.questions {
                let answer = &question.answers[0];
                assert!(flat(&passage.text).contains(answer), "{answer}");
            }
        }
        assert!(bank.links.len() >= 60, "{}", bank.links.len());
        for link in &bank.links {
            let answers = &link.question.answers;
            let with: Vec<usize> = bank.with_any(answers).collect();
            assert!(
                with.contains(&link.to) && !with.contains(&link.from),
                "{answers:?}"
            );
            assert_ne!(link.from, link.to);
        }
    }

    #[test]
    fn files_that_do_not_fit_are_named() {
        let passage = "[[passage]]\nid = 'a'\ntitle = 't'\ntopic = 'o'\nsummary = 's'\ntext = 'x'\nquestion = []\n";
        let link = "[[link]]\nfrom = 'a'\nto = 'b'\nquestion = 'q'\nanswers = ['x']\n";
        let message = |text: &str| Bank::parse(&[("g", text)]).unwrap_err().to_string();
        assert_eq!(
            message(&passage.repeat(2)),
            "g.toml: passage a stands twice"
        );
        assert!(message(&format!("{passage}{link}")).contains("names b, which is no passage"));
        assert!(message(&passage.replace("topic", "subject")).starts_with("g.toml:"));
        let bank = Bank::parse(&[("g", passage)]).unwrap();
        assert_eq!(bank.passages[0].genre, "g");
    }
}
