//! `spindle list`: what can be asked for by name.

use anyhow::Result;

use crate::cli::Listing;
use crate::compress::methods::method_infos;
use crate::experiment::{ExperimentFile, built_in};
use crate::task::spec::TASKS;

pub fn list(what: Option<Listing>) -> Result<i32> {
    let all = what.is_none();
    if all || what == Some(Listing::Methods) {
        methods();
    }
    if all || what == Some(Listing::Tasks) {
        println!("tasks");
        for (name, summary) in TASKS {
            println!("  {name:<14} {summary}");
        }
        println!();
    }
    if all || what == Some(Listing::Experiments) {
        println!("experiments");
        for (name, text) in built_in() {
            let file = ExperimentFile::parse(text, name)?;
            println!(
                "  {name:<14} {}",
                file.description.trim().lines().next().unwrap_or_default()
            );
        }
    }
    Ok(0)
}

fn methods() {
    println!("methods");
    for info in method_infos() {
        let source = if info.source.is_empty() {
            String::new()
        } else {
            format!(" ({})", info.source)
        };
        println!("  {:<14} {}{source}", info.name, info.summary);
        for setting in info.settings {
            let default = setting
                .default
                .map_or_else(|| "not set".to_string(), |d| d.value().to_string());
            println!(
                "      {:<12} {:<11} {}; {}",
                setting.name, default, setting.help, setting.accepts
            );
        }
    }
    println!();
}
