//! `spindle list`: what can be asked for by name.

use std::fmt::Write;

use anyhow::Result;

use super::say;
use crate::cli::Listing;
use crate::compress::methods::method_infos;
use crate::experiment::{ExperimentFile, built_in};
use crate::task::spec::{TASKS, TaskKind};

pub fn list(what: Option<Listing>) -> Result<i32> {
    let wanted = |listing| what.is_none_or(|what| what == listing);
    let mut parts = Vec::new();
    if wanted(Listing::Methods) {
        parts.push(methods()?);
    }
    if wanted(Listing::Tasks) {
        parts.push(tasks()?);
    }
    if wanted(Listing::Experiments) {
        parts.push(experiments()?);
    }
    say(&parts.join("\n"))?;
    Ok(0)
}

fn methods() -> Result<String> {
    let mut out = "methods\n".to_string();
    for info in method_infos() {
        let source = if info.source.is_empty() {
            String::new()
        } else {
            format!(" ({})", info.source)
        };
        writeln!(out, "  {:<14} {}{source}", info.name, info.summary)?;
        for setting in info.settings {
            let default = setting
                .default
                .map_or_else(|| "not set".to_string(), |d| d.value().to_string());
            let (name, help, accepts) = (setting.name, setting.help, setting.accepts);
            writeln!(out, "      {name:<12} {default:<11} {help}; {accepts}")?;
        }
    }
    Ok(out)
}

fn tasks() -> Result<String> {
    let mut out = "tasks\n".to_string();
    for TaskKind { name, summary, .. } in TASKS.iter() {
        writeln!(out, "  {name:<22} {summary}")?;
    }
    Ok(out)
}

fn experiments() -> Result<String> {
    let mut out = "experiments\n".to_string();
    for (name, text) in built_in() {
        let file = ExperimentFile::parse(text, name)?;
        let first = file.description.trim().lines().next().unwrap_or_default();
        writeln!(out, "  {name:<14} {first}")?;
    }
    Ok(out)
}
