//! The text around a record, with slots as Python's `str.format` has them.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::dataset::longbench::LongBenchRecord;
use crate::typed;
use crate::{bad_input, files};

/// A text with the slot of the context once or more, and perhaps others; `{{` and `}}` stand for braces. LongBench's
/// have `{context}` and `{input}`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Template {
    parts: Vec<TemplatePart>,
    sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum TemplatePart {
    Text(String),
    Context,
    Input,
    /// One of [`LongBenchRecord::others`], by name.
    Other(String),
}

impl TryFrom<String> for Template {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text, "{context} or {input}", &|slot| match slot {
            "context" => Some(TemplatePart::Context),
            "input" => Some(TemplatePart::Input),
            _ => None,
        })
    }
}

impl Template {
    /// The template of a task of one's own: slots are fields of its records, and that of the context is called
    /// `context`.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a brace that is not closed, or no slot of the context.
    pub fn of_fields(text: &str, context: &str) -> Result<Self> {
        Self::parse(text, "{field}", &|slot| match slot {
            _ if slot.is_empty() || slot.contains(['{', '\n']) => None,
            _ if slot == context => Some(TemplatePart::Context),
            _ => Some(TemplatePart::Other(slot.into())),
        })
        .map_err(|error| match text.contains(&format!("{{{context}}}")) {
            true => error,
            false => bad_input!("template: no {{{context}}} in it, the field of the context"),
        })
    }

    /// Names of the slots that are filled with a record's others.
    pub fn others(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            TemplatePart::Other(name) => Some(name.as_str()),
            _ => None,
        })
    }

    fn parse(
        text: &str,
        slots: &str,
        part_of: &dyn Fn(&str) -> Option<TemplatePart>,
    ) -> Result<Self> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain += &rest[..at];
            rest = &rest[at..];
            if let Some(brace) = ["{{", "}}"].iter().find(|b| rest.starts_with(**b)) {
                plain += &brace[1..];
                rest = &rest[2..];
                continue;
            }
            let slot = rest[1..].split_once('}').filter(|_| rest.starts_with('{'));
            let part = slot.and_then(|(name, after)| Some((part_of(name)?, after)));
            let Some((part, after)) = part else {
                let found: String = rest
                    .lines()
                    .next()
                    .into_iter()
                    .flat_map(str::chars)
                    .take(20)
                    .collect();
                return Err(bad_input!(
                    "template: `{found}`: expected {slots}, or a brace twice"
                ));
            };
            parts.push(TemplatePart::Text(std::mem::take(&mut plain)));
            parts.push(part);
            rest = after;
        }
        parts.push(TemplatePart::Text(plain + rest));
        if !parts.contains(&TemplatePart::Context) {
            return Err(bad_input!("template: no {{context}} in it"));
        }
        let sha256 = format!("{:x}", Sha256::digest(text.as_bytes()));
        Ok(Self { parts, sha256 })
    }

    /// The template of `dataset` in a file in the format of the official `dataset2prompt.json`.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if the file is not in it, has no such template, or one that does not parse.
    pub fn from_file(path: &Path, dataset: &str) -> Result<Self> {
        let name = path.display();
        let text = files::read_description(path)?;
        let templates: serde_json::Map<String, serde_json::Value> = typed::json(text.as_bytes())
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

    /// The prompt of a record, and the byte at which its question starts: the first slot after the context, else
    /// whatever follows it.
    pub fn fill(&self, record: &LongBenchRecord) -> (String, usize) {
        let after_context = self
            .parts
            .iter()
            .rposition(|part| *part == TemplatePart::Context);
        let after_context = after_context.map_or(0, |at| at + 1);
        let slot = self.parts[after_context..]
            .iter()
            .position(|part| !matches!(part, TemplatePart::Text(_)));
        let question = after_context + slot.unwrap_or(0);
        let text_of = |part: &TemplatePart| match part {
            TemplatePart::Text(text) => text.clone(),
            TemplatePart::Context => record.context.clone(),
            TemplatePart::Input => record.input.clone(),
            TemplatePart::Other(name) => record.others.get(name).cloned().unwrap_or_default(),
        };
        let (before, rest) = self.parts.split_at(question);
        let before: String = before.iter().map(text_of).collect();
        let rest: String = rest.iter().map(text_of).collect();
        (before.clone() + &rest, before.len())
    }

    /// SHA-256 of the template's text.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn parted(template: &Template) -> (String, String) {
        let record = LongBenchRecord {
            input: "who {x}?".into(),
            context: "long {input}".into(),
            answers: vec!["me".into()],
            length: 2,
            dataset: "d".into(),
            language: "en".into(),
            all_classes: None,
            id: "1".into(),
            others: BTreeMap::from([("choices".to_string(), "x or y".to_string())]),
        };
        let (text, question) = template.fill(&record);
        (text[..question].into(), text[question..].into())
    }

    fn filled(template: &str) -> Result<(String, String)> {
        Ok(parted(&Template::try_from(template.to_string())?))
    }

    #[test]
    fn slots_of_a_task_of_ones_own_are_fields() -> Result<()> {
        let template = Template::of_fields("{rule} {text} A: {choices} B: {q}", "text")?;
        assert_eq!(
            parted(&template),
            (" long {input} A: ".into(), "x or y B: ".into())
        );
        assert_eq!(
            template.others().collect::<Vec<_>>(),
            ["rule", "choices", "q"]
        );
        for (text, says) in [
            ("{text} {", "`{`"),
            ("{text} {}", "`{}`"),
            ("{context}", "no {text} in it"),
            ("{", "no {text} in it"),
        ] {
            let error = Template::of_fields(text, "text").unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        Ok(())
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
