//! The `[[task]]` table that names a task file.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use serde::Deserialize;

use super::{NAME, TaskFile};
use crate::model::tokenizer::ModelTokenizer;
use crate::task::longbench::{LongBench, LongBenchSettings};
use crate::task::spec::{BuiltTask, Key, TaskKind, TaskSpec, settings};

pub(crate) static KIND: TaskKind = TaskKind {
    name: Cow::Borrowed(NAME),
    summary: Cow::Borrowed(
        "a task of your own: a TOML file with template and metric, records in a JSONL file beside it",
    ),
    keys: &[Key::new(
        "file",
        "needed",
        "the task's TOML file, which experiments/README.md explains; --task-file names one too",
    )],
    parts: &[],
    parse,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    file: PathBuf,
}

struct CustomSpec {
    path: PathBuf,
    file: TaskFile,
}

fn parse(name: &str, table: toml::Table) -> Result<Box<dyn TaskSpec>> {
    let Keys { file: path } = settings(table, name)?;
    let file = TaskFile::read(&path)?;
    Ok(Box::new(CustomSpec { path, file }))
}

impl TaskSpec for CustomSpec {
    fn summary(&self) -> String {
        let TaskFile {
            definition, rules, ..
        } = &self.file;
        format!(
            "{}: of {}, scored by {}, data {}",
            definition.name,
            self.path.display(),
            definition.metric.name(*rules),
            self.file.data.display()
        )
    }

    fn check(&self) -> Result<()> {
        self.file.records().map(drop)
    }

    /// The seed changes nothing: nothing is drawn at random.
    fn build(
        &self,
        tokenizer: &Arc<ModelTokenizer>,
        max_context: usize,
        _seed: u64,
    ) -> Result<Vec<BuiltTask>> {
        let file = &self.file;
        let read = file.records()?;
        read.warn();
        let chosen = LongBenchSettings {
            rules: file.rules,
            max_length: file.max_length,
        };
        let task = LongBench::new(
            &file.definition.name,
            file.definition.clone(),
            read.records,
            chosen,
            tokenizer.clone(),
            max_context,
        )?;
        Ok(vec![BuiltTask {
            task: Box::new(task),
            data_sha256: read.sha256,
            template: Some(format!("{} {}", self.path.display(), file.sha256)),
            left_out: read.left_out.len(),
            chance: None,
        }])
    }
}
