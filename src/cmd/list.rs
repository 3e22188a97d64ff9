//! `spindle list`: what can be asked for by name.

use anyhow::Result;

use super::plan::plan;
use super::say;
use crate::bad_input;
use crate::compress::methods::method_infos;
use crate::compress::settings::{MethodInfo, SettingInfo};
use crate::error::nearest;
use crate::experiment::{Experiment, ExperimentFile, built_in};
use crate::layout::{READABLE, beside, paragraph, width};
use crate::task::kinds::kinds;
use crate::task::spec::{Key, TaskKind};

/// Columns where summaries start.
const SUMMARY: usize = 17;
const TASK_SUMMARY: usize = 26;

/// `what`: methods, tasks, experiments, or the name of one; none: all of them in short.
pub(super) fn list(what: Option<&str>) -> Result<i32> {
    let width = width().min(READABLE);
    let text = match what {
        None => [methods(width), tasks(width), experiments(width)?].join("\n"),
        Some("methods") => methods(width),
        Some("tasks") => tasks(width),
        Some("experiments") => experiments(width)?,
        Some(name) => named(name, width)?,
    };
    say(&text)?;
    Ok(0)
}

fn methods(width: usize) -> String {
    let each = method_infos().into_iter().map(|info| method(info, width));
    format!("methods\n{}", each.collect::<String>())
}

fn method(info: &MethodInfo, width: usize) -> String {
    let source = match info.source {
        "" => String::new(),
        source => format!(" ({source})"),
    };
    let summary = format!("{}{source}", info.summary);
    let mut out = beside(&format!("  {}", info.name), &summary, SUMMARY, width);
    let row = |setting: &SettingInfo| {
        let default = setting.default.map(|default| default.value().to_string());
        [
            setting.name.into(),
            default.unwrap_or_else(|| "not set".into()),
            format!("{}; {}", setting.help, setting.accepts),
        ]
    };
    out += &keys(&Vec::from_iter(info.settings.iter().map(row)), width);
    out
}

/// Names, defaults and help, in columns.
fn keys(rows: &[[String; 3]], width: usize) -> String {
    let column = |i: usize| rows.iter().map(|row| row[i].len() + 2).max().unwrap_or(0);
    let (names, defaults) = (column(0), column(1));
    let row = |[name, default, help]: &[String; 3]| {
        let head = format!("      {name:<names$}{default}");
        beside(&head, help, 6 + names + defaults, width)
    };
    rows.iter().map(row).collect()
}

fn tasks(width: usize) -> String {
    let each = kinds().map(|kind| summary(kind, width));
    format!("tasks\n{}", each.collect::<String>())
}

fn summary(kind: &TaskKind, width: usize) -> String {
    beside(
        &format!("  {}", kind.name),
        &kind.summary,
        TASK_SUMMARY,
        width,
    )
}

fn task(kind: &TaskKind, width: usize) -> String {
    let mut out = summary(kind, width);
    let row = |key: &Key| [key.name, key.default, key.help].map(String::from);
    out += &keys(&Vec::from_iter(kind.keys.iter().map(row)), width);
    if !kind.parts.is_empty() {
        let parts = format!("its tasks: {}", kind.parts.join(", "));
        out += &paragraph(&parts, ' ', [6, 8], width);
    }
    out
}

fn experiments(width: usize) -> Result<String> {
    let mut out = "experiments\n".to_string();
    for (name, text) in built_in() {
        let file = ExperimentFile::parse(text, name)?;
        let first = file.description.trim().lines().next().unwrap_or_default();
        out += &beside(&format!("  {name}"), first, SUMMARY, width);
    }
    Ok(out)
}

fn experiment(name: &str, text: &str, width: usize) -> Result<String> {
    let file = ExperimentFile::parse(text, name)?;
    let description = file.description.trim().replace('\n', " ");
    let experiment = Experiment::new(file, text.into(), name)?;
    let about = paragraph(&description, ' ', [0, 0], width);
    Ok(about + &plan(&experiment, width))
}

/// Whatever is called `name`: a method, a task or one of the tasks that a kind makes, an experiment; or several of
/// them.
fn named(name: &str, width: usize) -> Result<String> {
    let mut found = Vec::new();
    for info in method_infos() {
        if info.name == name {
            found.push(format!("method\n{}", method(info, width)));
        }
    }
    for kind in kinds() {
        if kind.name == name || kind.parts.contains(&name) {
            found.push(format!("task\n{}", task(kind, width)));
        }
    }
    for (known, text) in built_in() {
        if known == name {
            found.push(experiment(name, text, width)?);
        }
    }
    if found.is_empty() {
        let methods = method_infos().into_iter().map(|info| info.name);
        let kinds =
            kinds().flat_map(|kind| [&*kind.name].into_iter().chain(kind.parts.iter().copied()));
        let experiments = built_in().into_iter().map(|(name, _)| name);
        let groups = ["methods", "tasks", "experiments"];
        let names: Vec<String> = methods
            .map(str::to_owned)
            .chain(kinds.map(str::to_owned))
            .chain(experiments.map(str::to_owned))
            .chain(groups.map(str::to_owned))
            .collect();
        let mut known: Vec<&str> = names.iter().map(String::as_str).collect();
        known.sort_unstable();
        known.dedup();
        return Err(bad_input!(
            "list: no method, task or experiment \"{name}\"{}",
            nearest(name, known.iter().copied())
        ));
    }
    Ok(found.join("\n"))
}
