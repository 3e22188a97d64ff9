//! A `[[task]]` table that names a task of LongBench, to the task.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Definition, LongBench, LongBenchSettings, Template};
use crate::bad_input;
use crate::dataset::longbench::{DataSource, LongBenchRecord};
use crate::model::tokenizer::ModelTokenizer;
use crate::task::metric::Rules;
use crate::task::spec::Built;

/// LongBench-E's buckets: the name, and the length from which on it ends.
const BUCKETS: [(&str, usize); 3] = [("0-4k", 4000), ("4-8k", 8000), ("8k+", usize::MAX)];
/// What a dataset of LongBench-E ends in.
const BY_LENGTH: &str = "_e";

/// The keys of the table, beside the name.
#[derive(Debug, Clone, PartialEq, Deserialize)]
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

/// A task as an experiment asks for it, checked but not yet built.
#[derive(Debug, Clone, PartialEq)]
pub struct LongBenchSpec {
    definition: Definition,
    /// LongBench-E: a task for each bucket of lengths.
    by_length: bool,
    keys: Keys,
}

impl LongBenchSpec {
    /// The keys that its table takes beside the name.
    pub const KEYS: [&str; 4] = ["data", "templates", "metric", "max-length"];

    /// Whether `name` is a dataset of LongBench or LongBench-E.
    pub fn is(name: &str) -> bool {
        Self::names().iter().any(|known| known == name)
    }

    /// Every dataset of LongBench and LongBench-E.
    pub fn names() -> Vec<String> {
        let named = |name: &'static str| {
            let by_length =
                Definition::built_in(name).is_ok_and(|d| d.is_some_and(|d| d.by_length));
            let by_length = by_length.then(|| format!("{name}{BY_LENGTH}"));
            std::iter::once(name.to_string()).chain(by_length)
        };
        super::names().into_iter().flat_map(named).collect()
    }

    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for an unknown key or value; `origin` names the file.
    pub fn parse(name: &str, table: toml::Table, origin: &str) -> Result<Self> {
        let dataset = name.strip_suffix(BY_LENGTH);
        let definition = Definition::built_in(dataset.unwrap_or(name))?;
        let keys = Keys::deserialize(table).map_err(|error| {
            let error = error.to_string().trim().replace('\n', " ");
            bad_input!("{origin}: task {name}: {error}")
        })?;
        Ok(Self {
            definition: definition.with_context(|| format!("{origin}: task {name}"))?,
            by_length: dataset.is_some(),
            keys,
        })
    }

    fn dataset(&self) -> String {
        let suffix = if self.by_length { BY_LENGTH } else { "" };
        format!("{}{suffix}", self.definition.name)
    }

    /// What the task is.
    pub fn describe(&self) -> String {
        let parts = if self.by_length { ", by length" } else { "" };
        let Definition {
            group, language, ..
        } = &self.definition;
        let metric = self.definition.metric.name(self.keys.metric);
        format!("LongBench{parts}: {group} ({language}), scored by {metric}")
    }

    /// One line for a dry run.
    pub fn summary(&self) -> String {
        let data = self.keys.data.as_deref().unwrap_or("not given");
        format!("{}: {}, data {data}", self.dataset(), self.describe())
    }

    /// That its data and templates are there, as far as that costs nothing.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) that says what is missing.
    pub fn check(&self) -> Result<()> {
        self.template()?;
        self.source()?.check(&self.dataset())
    }

    fn source(&self) -> Result<DataSource> {
        let data = self.keys.data.as_deref().ok_or_else(|| {
            bad_input!(
                "task {}: no data, expected --data FOLDER, --data data.zip or --data hub",
                self.dataset()
            )
        })?;
        DataSource::parse(data)
    }

    /// The template, and where it is from.
    fn template(&self) -> Result<(Template, String)> {
        match &self.keys.templates {
            None => Ok((self.definition.template.clone(), "own".into())),
            Some(path) => {
                let template = Template::from_file(path, &self.definition.name)?;
                Ok((template, path.display().to_string()))
            }
        }
    }

    /// The task for one model, or those of each length that there are records of.
    pub fn build(&self, tokenizer: &Arc<ModelTokenizer>, max_context: usize) -> Result<Vec<Built>> {
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
        for reason in &read.left_out {
            eprintln!("warning: {reason}; left out");
        }
        let settings = LongBenchSettings {
            rules: self.keys.metric,
            max_length: self.keys.max_length,
        };
        let built = |name: String, records: Vec<LongBenchRecord>| -> Result<Built> {
            let (definition, tokenizer) = (definition.clone(), tokenizer.clone());
            let task =
                LongBench::new(&name, definition, records, settings, tokenizer, max_context)?;
            Ok(Built {
                task: Box::new(task),
                data_sha256: read.sha256.clone(),
                template: Some(template_note.clone()),
                left_out: read.left_out.len(),
            })
        };
        if !self.by_length {
            return Ok(vec![built(dataset, read.records.clone())?]);
        }
        let mut rest = read.records.clone();
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
