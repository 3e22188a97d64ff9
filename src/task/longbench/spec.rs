//! A `[[task]]` table that names a task of LongBench, to the task.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Definition, LongBench, LongBenchSettings, Template};
use crate::dataset::longbench::{DataSource, LongBenchRecord, Records};
use crate::model::tokenizer::ModelTokenizer;
use crate::task::metric::Rules;
use crate::task::spec::{BuiltTask, Key, TaskKind, TaskSpec, settings};

/// LongBench-E's buckets: the name, and the length from which on it ends.
const BUCKETS: [(&str, usize); 3] = [("0-4k", 4000), ("4-8k", 8000), ("8k+", usize::MAX)];
/// What a dataset of LongBench-E ends in.
const BY_LENGTH: &str = "_e";

/// The keys of the table, beside the name.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Keys {
    /// A folder, a zip archive, `hub` or `hub:owner/name[@revision]`.
    data: Option<String>,
    /// The official `dataset2prompt.json`, or a file like it; none: the definition's own template.
    templates: Option<PathBuf>,
    #[serde(default)]
    metric: Rules,
    max_length: Option<usize>,
}

/// What stands for the file of a template that is the definition's own.
pub const OWN_WORDS: &str = "own";

const KEYS: &[Key] = &[
    Key::of_flag(
        "data",
        OFFICIAL_DATA,
        "where the records are: a folder of .jsonl files, a data.zip, hub, or hub:owner/name[@revision]",
    ),
    Key::of_flag(
        "templates",
        "the project's own",
        "a file like LongBench's dataset2prompt.json: with its words scores can be compared with published ones",
    ),
    Key::new(
        "metric",
        "official",
        "official: as published, faults included; fixed: without them",
    ),
    Key::new(
        "max-length",
        "by the context",
        "tokens of a prompt above which its middle is cut out; for contexts of 4k, 8k, 16k and 32k tokens 3500, 7500, \
         15500 and 31500",
    ),
];

/// Where records are looked for if not told: the official dataset on the hub.
const OFFICIAL_DATA: &str = "hub";

/// A task as an experiment asks for it, checked but not yet built.
struct LongBenchSpec {
    definition: Definition,
    /// LongBench-E: a task for each bucket of lengths.
    by_length: bool,
    keys: Keys,
}

/// A kind for each dataset of LongBench and of LongBench-E.
pub fn kinds() -> Vec<TaskKind> {
    let definition = |name| Definition::built_in(name).ok().flatten();
    let definitions = super::names().into_iter().filter_map(definition);
    let of = |definition: Definition| {
        let by_length: &[bool] = match definition.by_length {
            true => &[false, true],
            false => &[false],
        };
        by_length.iter().map(move |&by_length| {
            let spec = LongBenchSpec {
                definition: definition.clone(),
                by_length,
                keys: Keys::default(),
            };
            TaskKind {
                name: Cow::Owned(spec.dataset()),
                summary: Cow::Owned(spec.describe()),
                keys: KEYS,
                parts: &[],
                parse,
            }
        })
    };
    definitions.flat_map(of).collect()
}

/// Whether `name` is that of a task in records: a dataset's, or one of a dataset's buckets.
pub fn is_task(name: &str) -> bool {
    super::names().contains(&parts(name).0)
}

/// The dataset of a task, and which part of LongBench-E the task is, if it is one.
fn parts(name: &str) -> (&str, Option<&'static str>) {
    let bucket = |&(bucket, _): &(&'static str, usize)| {
        let dataset = name.strip_suffix(&format!("{BY_LENGTH}-{bucket}"))?;
        Some((dataset, Some(bucket)))
    };
    let by_length = BUCKETS.iter().find_map(bucket);
    by_length.unwrap_or_else(|| match name.strip_suffix(BY_LENGTH) {
        Some(dataset) => (dataset, Some("")),
        None => (name, None),
    })
}

/// What the published average over tasks each by its own metric is called that the task `name` is part of: LongBench's,
/// or that of one length of LongBench-E. None for other tasks, and with another metric than the published one.
pub fn published_average(name: &str, metric: &str) -> Option<String> {
    let (dataset, part) = parts(name);
    let definition = Definition::built_in(dataset).ok().flatten()?;
    let is_published = definition.metric.name(Rules::default()) == metric;
    let of = part.map_or("LongBench".into(), |part| format!("LongBench-E {part}"));
    is_published.then(|| of.trim_end().to_owned())
}

fn parse(name: &str, table: toml::Table) -> Result<Box<dyn TaskSpec>> {
    let dataset = name.strip_suffix(BY_LENGTH);
    let definition = Definition::built_in(dataset.unwrap_or(name))?;
    Ok(Box::new(LongBenchSpec {
        definition: definition.with_context(|| format!("task {name}"))?,
        by_length: dataset.is_some(),
        keys: settings(table, name)?,
    }))
}

impl LongBenchSpec {
    fn dataset(&self) -> String {
        let suffix = if self.by_length { BY_LENGTH } else { "" };
        format!("{}{suffix}", self.definition.name)
    }

    /// What the task is.
    fn describe(&self) -> String {
        let parts = if self.by_length { ", by length" } else { "" };
        let Definition {
            group, language, ..
        } = &self.definition;
        let metric = self.definition.metric.name(self.keys.metric);
        format!("LongBench{parts}: {group} ({language}), scored by {metric}")
    }

    fn data(&self) -> &str {
        self.keys.data.as_deref().unwrap_or(OFFICIAL_DATA)
    }

    fn source(&self) -> Result<DataSource> {
        DataSource::parse(self.data())
    }

    /// The template, and where it is from.
    fn template(&self) -> Result<(Template, String)> {
        match &self.keys.templates {
            None => Ok((self.definition.template.clone(), OWN_WORDS.into())),
            Some(path) => {
                let template = Template::from_file(path, &self.definition.name)?;
                Ok((template, path.display().to_string()))
            }
        }
    }
}

impl TaskSpec for LongBenchSpec {
    fn summary(&self) -> String {
        format!(
            "{}: {}, data {}",
            self.dataset(),
            self.describe(),
            self.data()
        )
    }

    /// Of its data and templates, as far as that costs nothing.
    fn check(&self) -> Result<()> {
        self.template()?;
        self.source()?.check(&self.dataset())
    }

    fn is_there(&self) -> Result<bool> {
        self.source()?.has(&self.dataset())
    }

    /// One task, or for LongBench-E those of each length that there are records of. The seed changes nothing.
    fn build(
        &self,
        tokenizer: &Arc<ModelTokenizer>,
        max_context: usize,
        _seed: u64,
    ) -> Result<Vec<BuiltTask>> {
        let (template, origin) = self.template()?;
        let template_note = format!("{origin} {}", template.sha256());
        let definition = Definition {
            template,
            ..self.definition.clone()
        };
        let dataset = self.dataset();
        let read = self
            .source()?
            .read(&dataset, &|record| definition.metric.fits(record))?;
        read.warn();
        let Records {
            records,
            left_out,
            sha256,
        } = read;
        // What is no record has no length: it counts once, with the first of several tasks.
        let mut left_out = left_out.len();
        let chosen = LongBenchSettings {
            rules: self.keys.metric,
            max_length: self.keys.max_length,
        };
        let mut built = |name: String, records: Vec<LongBenchRecord>| -> Result<BuiltTask> {
            let (definition, tokenizer) = (definition.clone(), tokenizer.clone());
            let task = LongBench::new(&name, definition, records, chosen, tokenizer, max_context)?;
            Ok(BuiltTask {
                task: Box::new(task),
                data_sha256: sha256.clone(),
                template: Some(template_note.clone()),
                left_out: std::mem::take(&mut left_out),
                chance: None,
            })
        };
        if !self.by_length {
            return Ok(vec![built(dataset, records)?]);
        }
        let mut rest = records;
        let mut tasks = Vec::new();
        for (bucket, end) in BUCKETS {
            let (records, longer): (Vec<_>, _) = rest.into_iter().partition(|r| r.length < end);
            rest = longer;
            if !records.is_empty() {
                tasks.push(built(format!("{dataset}-{bucket}"), records)?);
            }
        }
        Ok(tasks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_known_whole_and_by_length() {
        for name in [
            "qasper",
            "qasper_e",
            "qasper_e-0-4k",
            "multifieldqa_en",
            "multifieldqa_en_e-8k+",
        ] {
            assert!(is_task(name), "{name}");
        }
        for name in ["needle", "qasper_e-0-5k", "qasper_f", "multifieldqa", "_e"] {
            assert!(!is_task(name), "{name}");
        }
    }

    #[test]
    fn a_published_average_is_over_one_length_by_published_metrics() {
        for (name, metric, expected) in [
            ("qasper", "qa_f1", Some("LongBench")),
            ("qasper_e-0-4k", "qa_f1", Some("LongBench-E 0-4k")),
            ("qasper_e", "qa_f1", Some("LongBench-E")),
            ("trec", "classification", Some("LongBench")),
            ("trec", "classification-fixed", None),
            ("needle", "qa_f1", None),
        ] {
            assert_eq!(
                published_average(name, metric).as_deref(),
                expected,
                "{name} {metric}"
            );
        }
    }
}
