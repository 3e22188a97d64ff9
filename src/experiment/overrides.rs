//! Flags of the command line that replace values of an experiment file.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::chat::ChatFlags;
use super::expand::{cells, check_distinct};
use super::file::{CompressAt, ModelTable};
use super::{ExperimentFile, tasks};
use crate::bad_input;
use crate::compress::methods::info_of;
use crate::generate::Cell;
use crate::task::custom::NAME;
use crate::task::kinds::kind_of;

/// The flags; what is not given leaves the file as it is.
#[derive(Debug, Clone, Default, PartialEq, clap::Args)]
pub(crate) struct Overrides {
    /// Name of the experiment, and so of its results folder
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Model: a folder, a .gguf file, a hub id owner/name[@revision], or wheel:NAME==VERSION
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    #[command(flatten)]
    pub chat: ChatFlags,
    /// A method with settings; lists make the product of their values. May be repeated:
    /// --method 'spindle:retention=0.2,0.4;window=8'
    #[arg(long = "method", value_name = "NAME[:KEY=VALUE,...;...]")]
    pub method: Vec<String>,
    /// Methods by name, at every --retention
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub methods: Vec<String>,
    /// Retentions for --methods: bytes held over bytes of the dense cache
    #[arg(
        long,
        value_name = "R,...",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub retention: Vec<f64>,
    /// Tasks of the experiment to run, by name; also single ones of ruler or longbench, such as vt,trec
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub tasks: Vec<String>,
    /// A task of your own in place of the experiment's: its TOML file. May be repeated
    #[arg(long, value_name = "FILE", conflicts_with = "tasks")]
    pub task_file: Vec<PathBuf>,
    /// Records of the tasks: a folder of .jsonl files, a data.zip, hub, or hub:owner/name[@revision]. Tasks that a
    /// folder or archive has no records of are left out, unless --tasks names them
    #[arg(long, value_name = "DATA")]
    pub data: Option<String>,
    /// Templates of the tasks, as in LongBench's dataset2prompt.json, in place of the program's own
    #[arg(long, value_name = "FILE")]
    pub templates: Option<PathBuf>,
    /// Prompt lengths, in tokens
    #[arg(
        long,
        value_name = "N,...",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub lengths: Vec<i64>,
    /// Depths of the needle, in percent
    #[arg(
        long,
        value_name = "P,...",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub depths: Vec<i64>,
    /// Distractor needles per prompt
    #[arg(
        long,
        value_name = "K,...",
        value_delimiter = ',',
        allow_negative_numbers = true
    )]
    pub distractors: Vec<i64>,
    /// Prompts for each length, and for each depth and number of distractors where a task has them
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub seeds: Option<i64>,
    /// Folder of text files that needles are hidden in, in place of the project's own texts
    #[arg(long, value_name = "FOLDER")]
    pub haystack: Option<PathBuf>,
    /// Element type of what caches store: f16, bf16 or f32
    #[arg(long, value_name = "TYPE")]
    pub kv_dtype: Option<String>,
    /// What is compressed: the prompt with its question, or the context before the question; or both, in turn
    #[arg(long, value_enum, value_delimiter = ',')]
    pub compress: Vec<CompressAt>,
    /// Whether every cell's next-token distributions are compared with the full cache's
    #[arg(long, value_name = "true|false")]
    pub fidelity: Option<bool>,
    /// Seed of everything drawn at random
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    pub seed: Option<u64>,
}

impl Overrides {
    /// Applies the flags. Returns a note of the tasks that they leave out, if any.
    ///
    /// # Errors
    /// A flag that does not parse or that the experiment has no place for.
    pub(crate) fn apply(&self, file: &mut ExperimentFile) -> Result<Option<String>> {
        if let Some(name) = &self.name {
            file.name.clone_from(name);
        }
        if let Some(source) = &self.model {
            // Another model replaces the table `[model]`; only the date is kept.
            file.model = ModelTable {
                source: source.clone(),
                date: file.model.date.take(),
                ..ModelTable::default()
            };
        }
        self.chat.apply(&mut file.model)?;
        if let Some(kv_dtype) = &self.kv_dtype {
            file.kv_dtype.clone_from(kv_dtype);
        }
        if !self.compress.is_empty() {
            file.compress = CompressAt::in_order(self.compress.clone());
        }
        if let Some(fidelity) = self.fidelity {
            file.fidelity = fidelity;
        }
        if let Some(seed) = self.seed {
            file.seed = seed;
        }
        if !self.task_file.is_empty() {
            file.tasks = self.task_file.iter().map(|path| custom(path)).collect();
            // The experiment's own name and words are of its tasks.
            file.description.clear();
            if self.name.is_none() {
                file.name = name_of(&self.task_file[0]);
            }
        }
        if !self.tasks.is_empty() {
            tasks::choose(&self.tasks, &mut file.tasks)?;
        }
        self.apply_tasks(file)?;
        let left_out = match &self.data {
            Some(data) if self.tasks.is_empty() => tasks::leave_out_absent(data, &mut file.tasks)?,
            _ => None,
        };
        self.apply_methods(file)?;
        Ok(left_out)
    }

    /// Applies flags for tasks, each to every task that takes it.
    fn apply_tasks(&self, file: &mut ExperimentFile) -> Result<()> {
        let list =
            |values: &[i64]| (!values.is_empty()).then(|| toml::Value::from(values.to_vec()));
        let path = |path: &PathBuf| toml::Value::from(path.display().to_string());
        let given = [
            ("data", self.data.clone().map(toml::Value::from)),
            ("templates", self.templates.as_ref().map(path)),
            ("lengths", list(&self.lengths)),
            ("depths", list(&self.depths)),
            ("distractors", list(&self.distractors)),
            ("seeds", self.seeds.map(toml::Value::from)),
            ("haystack", self.haystack.as_ref().map(path)),
        ];
        for (key, value) in given
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)))
        {
            let takes =
                |table: &&mut toml::Table| kind_of(table).is_some_and(|kind| kind.takes_flag(key));
            let mut found = false;
            for table in file.tasks.iter_mut().filter(takes) {
                table.insert(key.into(), value.clone());
                found = true;
            }
            if !found {
                return Err(bad_input!("--{key}: no task of the experiment takes it"));
            }
        }
        Ok(())
    }

    fn apply_methods(&self, file: &mut ExperimentFile) -> Result<()> {
        let mut tables = self
            .method
            .iter()
            .map(|text| parse_method(text))
            .collect::<Result<Vec<_>>>()?;
        let mut takers = 0;
        let mut give_retention = |table: &mut toml::Table| {
            takers += 1;
            let retention = toml::Value::from(self.retention.clone());
            table.insert("retention".into(), retention);
        };
        for name in &self.methods {
            let mut table =
                toml::Table::from_iter([("name".to_string(), toml::Value::from(name.clone()))]);
            let takes_retention =
                info_of(name).is_none_or(|info| info.setting("retention").is_some());
            if takes_retention && !self.retention.is_empty() {
                give_retention(&mut table);
            }
            tables.push(table);
        }
        if !tables.is_empty() {
            file.methods = tables;
        } else if !self.retention.is_empty() {
            let sized = |table: &&mut toml::Table| table.contains_key("retention");
            file.methods
                .iter_mut()
                .filter(sized)
                .for_each(give_retention);
        }
        if takers == 0 && !self.retention.is_empty() {
            return Err(bad_input!(
                "--retention {:?}: no method takes it, expected --methods that do, or an experiment with retentions",
                self.retention
            ));
        }
        Ok(())
    }
}

/// The `[[task]]` table of a task file.
fn custom(path: &Path) -> toml::Table {
    let file = toml::Value::from(path.display().to_string());
    toml::Table::from_iter([("name".into(), NAME.into()), ("file".into(), file)])
}

/// The name of an experiment of one's own tasks: that of the first task's file, in letters that a name may have.
fn name_of(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let allowed = |c: char| match c.is_ascii_alphanumeric() || "-_.".contains(c) {
        true => c,
        false => '-',
    };
    let name: String = stem.chars().map(allowed).take(64).collect();
    match name.trim_matches('.') {
        "" => NAME.to_owned(),
        name => name.to_owned(),
    }
}

/// The cells of `--method` flags, without an experiment.
///
/// # Errors
/// A flag that does not parse or names what is not known; a cell that stands twice.
pub(crate) fn cells_of_flags(flags: &[String]) -> Result<Vec<Cell>> {
    let mut all = Vec::new();
    for flag in flags {
        all.extend(cells(&parse_method(flag)?, &format!("--method {flag}"))?);
    }
    check_distinct(&all, "--method")?;
    Ok(all)
}

/// Parses `NAME[:KEY=VALUE,...;...]` to a table of a method.
fn parse_method(text: &str) -> Result<toml::Table> {
    let (name, settings) = text.split_once(':').unwrap_or((text, ""));
    let mut table = toml::Table::from_iter([("name".to_string(), toml::Value::from(name))]);
    for setting in settings.split(';').filter(|setting| !setting.is_empty()) {
        let Some((key, values)) = setting.split_once('=') else {
            return Err(bad_input!(
                "--method {text}: \"{setting}\": expected KEY=VALUE"
            ));
        };
        let values: Vec<toml::Value> = values
            .split(',')
            .map(|value| parse_value(value.trim()))
            .collect();
        if table
            .insert(key.trim().into(), toml::Value::Array(values))
            .is_some()
        {
            return Err(bad_input!(
                "--method {text}: {} stands twice, expected each key once",
                key.trim()
            ));
        }
    }
    Ok(table)
}

fn parse_value(text: &str) -> toml::Value {
    match (text.parse::<f64>(), text.parse::<bool>()) {
        (Ok(number), _) => toml::Value::Float(number),
        (_, Ok(flag)) => toml::Value::Boolean(flag),
        _ => toml::Value::String(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_flag_is_the_table_it_stands_for() -> Result<()> {
        let table = parse_method("spindle:retention=0.2,0.4;gqa=mean;magnitudes=false")?;
        let expected =
            "name = 'spindle'\nretention = [0.2, 0.4]\ngqa = ['mean']\nmagnitudes = [false]";
        assert_eq!(table, toml::from_str::<toml::Table>(expected)?);
        assert!(parse_method("spindle:retention").is_err());
        Ok(())
    }
}
