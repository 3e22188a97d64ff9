//! The text around a record, with slots as Python's `str.format` has them.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::bad_input;
use crate::dataset::longbench::LongBenchRecord;
use crate::files;

/// A text with `{context}` once or more, and perhaps `{input}`; `{{` and `}}` stand for braces.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template {
    parts: Vec<Part>,
    sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Context,
    Input,
}

impl TryFrom<String> for Template {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            plain += &rest[..at];
            rest = &rest[at..];
            if let Some(brace) = ["{{", "}}"].iter().find(|b| rest.starts_with(**b)) {
                plain += &brace[1..];
                rest = &rest[2..];
                continue;
            }
            let slot = rest[1..].split_once('}').filter(|_| rest.starts_with('{'));
            let (part, after) = match slot {
                Some(("context", after)) => (Part::Context, after),
                Some(("input", after)) => (Part::Input, after),
                _ => {
                    let found: String = rest.chars().take(20).collect();
                    return Err(bad_input!(
                        "template: `{found}`: expected {{context}} or {{input}}, or a brace twice"
                    ));
                }
            };
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(part);
            rest = after;
        }
        parts.push(Part::Text(plain + rest));
        if !parts.contains(&Part::Context) {
            return Err(bad_input!("template: no {{context}} in it"));
        }
        let sha256 = format!("{:x}", Sha256::digest(text.as_bytes()));
        Ok(Self { parts, sha256 })
    }
}

impl Template {
    /// The template of `dataset` in a file in the format of the official `dataset2prompt.json`.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if the file is not in it, has no such template, or one that does not parse.
    pub fn from_file(path: &Path, dataset: &str) -> Result<Self> {
        let name = path.display();
        let text = files::read_text(path)?;
        let templates: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text)
            .map_err(|error| {
                bad_input!("{name}: {error}, expected an object of dataset names and templates")
            })?;
        match templates.get(dataset) {
            Some(serde_json::Value::String(text)) => {
                Self::try_from(text.clone()).with_context(|| format!("{name}: {dataset}"))
            }
            Some(other) => Err(bad_input!("{name}: {dataset} = {other}: expected a text")),
            None => Err(bad_input!("{name}: no template for {dataset}")),
        }
    }

    /// The prompt of a record, and the byte at which its question starts: the input, where one follows the context,
    /// else whatever follows it.
    pub fn fill(&self, record: &LongBenchRecord) -> (String, usize) {
        let after_context = self.parts.iter().rposition(|part| *part == Part::Context);
        let after_context = after_context.map_or(0, |at| at + 1);
        let input = self.parts[after_context..]
            .iter()
            .position(|part| *part == Part::Input);
        let question = after_context + input.unwrap_or(0);
        let text_of = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Context => record.context.clone(),
            Part::Input => record.input.clone(),
        };
        let (before, rest) = self.parts.split_at(question);
        let before: String = before.iter().map(text_of).collect();
        let rest: String = rest.iter().map(text_of).collect();
        (before.clone() + &rest, before.len())
    }

    /// Of its text.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(template: &str) -> Result<(String, String)> {
        let record = LongBenchRecord {
            input: "who {x}?".into(),
            context: "long {input}".into(),
            answers: vec!["me".into()],
            length: 2,
            dataset: "d".into(),
            language: "en".into(),
            all_classes: None,
            id: "1".into(),
        };
        let (text, question) = Template::try_from(template.to_string())?.fill(&record);
        Ok((text[..question].into(), text[question..].into()))
    }

    #[test]
    fn the_question_starts_at_the_input_after_the_context() -> Result<()> {
        let parts = |template: &str| filled(template);
        assert_eq!(
            parts("Read {context}\nQ: {input}\nA:")?,
            ("Read long {input}\nQ: ".into(), "who {x}?\nA:".into())
        );
        assert_eq!(
            parts("Read {context}\nSummary:")?,
            ("Read long {input}".into(), "\nSummary:".into())
        );
        assert_eq!(
            parts("{input} {context}!")?,
            ("who {x}? long {input}".into(), "!".into())
        );
        assert_eq!(parts("{{{context}}}")?.0, "{long {input}");
        Ok(())
    }

    #[test]
    fn slots_that_are_none_are_named() {
        for (template, says) in [
            ("{context} {answers}", "`{answers}`"),
            ("{context} {", "`{`"),
            ("{context} } ", "`} `"),
            ("{input}", "no {context}"),
        ] {
            let error = filled(template).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
