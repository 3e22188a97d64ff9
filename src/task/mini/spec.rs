//! A `[[task]]` table that names one of the seven, to the task.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::chance::chance;
use super::compose::Composer;
use super::kind::{KINDS, MiniKind};
use crate::bad_input;
use crate::dataset::bank::Bank;
use crate::dataset::longbench::{LongBenchRecord, read_lines};
use crate::model::tokenizer::ModelTokenizer;
use crate::task::longbench::{Definition, LongBench, LongBenchSettings};
use crate::task::metric::Rules;
use crate::task::spec::{BuiltTask, Key, TaskKind, TaskSpec, check_samples, repeats, settings};

/// Which samples there are.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct MiniSettings {
    /// Tokens of the whole prompt, at most.
    pub lengths: Vec<usize>,
    /// Of all lengths together, which share them evenly; the first ones get what is left over.
    pub samples: usize,
}

impl Default for MiniSettings {
    fn default() -> Self {
        Self {
            lengths: vec![1024, 2048, 4096],
            samples: 40,
        }
    }
}

/// A task as an experiment asks for it, checked but not yet built.
struct MiniSpec {
    kind: &'static MiniKind,
    definition: Definition,
    settings: MiniSettings,
}

const KEYS: &[Key] = &[
    Key::of_flag(
        "lengths",
        "[1024, 2048, 4096]",
        "tokens of the whole prompt, at most",
    ),
    Key::new("samples", "40", "of all lengths together, shared evenly"),
];

/// A kind for each task.
pub fn kinds() -> impl Iterator<Item = TaskKind> {
    KINDS.iter().filter_map(|kind| {
        let definition = kind.definition().ok()?;
        Some(TaskKind {
            name: Cow::Borrowed(kind.name),
            summary: Cow::Owned(describe(&definition)),
            keys: KEYS,
            parts: &[],
            parse,
        })
    })
}

fn describe(definition: &Definition) -> String {
    let metric = definition.metric.name(Rules::Official);
    let group = &definition.group;
    format!("spindle-mini: {group}, of the project's own passages, scored by {metric}")
}

fn parse(name: &str, table: toml::Table) -> Result<Box<dyn TaskSpec>> {
    let kind = KINDS.iter().find(|kind| kind.name == name);
    let kind = kind.with_context(|| format!("task {name}"))?;
    let settings: MiniSettings = settings(table, name)?;
    let MiniSettings { lengths, samples } = &settings;
    if lengths.is_empty() || *samples < lengths.len() {
        return Err(bad_input!(
            "task {name}: {samples} samples at {} lengths, expected a length or more, and a sample for each",
            lengths.len()
        ));
    }
    check_samples(&format!("task {name}"), &[("samples", *samples as u64)])?;
    if repeats(lengths) {
        return Err(bad_input!(
            "task {name}: a value stands twice in lengths, expected each once"
        ));
    }
    Ok(Box::new(MiniSpec {
        definition: kind.definition()?,
        kind,
        settings,
    }))
}

impl MiniSpec {
    /// The lengths, and how many samples each has.
    fn shares(&self) -> impl Iterator<Item = (usize, usize)> {
        let MiniSettings { lengths, samples } = &self.settings;
        let (each, over) = (samples / lengths.len(), samples % lengths.len());
        let share = move |(i, &length): (usize, &usize)| (length, each + usize::from(i < over));
        lengths.iter().enumerate().map(share)
    }
}

impl TaskSpec for MiniSpec {
    fn summary(&self) -> String {
        let MiniSettings { lengths, samples } = &self.settings;
        format!("{}: lengths {lengths:?}, {samples} samples", self.kind.name)
    }

    /// That the passages can be read: there are no files.
    fn check(&self) -> Result<()> {
        Bank::own().map(drop)
    }

    fn build(
        &self,
        tokenizer: &Arc<ModelTokenizer>,
        max_context: usize,
        seed: u64,
    ) -> Result<Vec<BuiltTask>> {
        let (name, definition) = (self.kind.name, &self.definition);
        let answer = definition.max_new_tokens;
        let longest = self.settings.lengths.iter().max();
        if let Some(length) = longest.filter(|&&length| length.saturating_add(answer) > max_context)
        {
            return Err(bad_input!(
                "task {name}: length {length} and {answer} tokens of answer do not fit the model's context of \
                 {max_context}"
            ));
        }
        let bank = Bank::own()?;
        let composer = Composer::new(self.kind, &bank, definition, tokenizer)?;
        let chosen = LongBenchSettings {
            max_length: longest.copied(),
            ..LongBenchSettings::default()
        };
        let (mut lines, mut by_chance) = (String::new(), 0.0);
        for (length, samples) in self.shares() {
            let records = composer.records(length, samples, seed)?;
            by_chance += chance(definition.metric, chosen.rules, &records);
            for record in &records {
                lines += &serde_json::to_string(record)?;
                lines.push('\n');
            }
        }
        let read = read_lines(lines.as_bytes(), name, "_id", &|line, _| {
            let record = LongBenchRecord::parse(line)?;
            definition.metric.fits(&record).map(|()| record)
        })?;
        let template = format!("own {}", definition.template.sha256());
        let task = LongBench::new(
            name,
            definition.clone(),
            read.records,
            chosen,
            tokenizer.clone(),
            max_context,
        )?;
        Ok(vec![BuiltTask {
            task: Box::new(task),
            data_sha256: read.sha256,
            template: Some(template),
            left_out: read.left_out.len(),
            chance: Some(by_chance / self.settings.samples as f64),
        }])
    }
}
