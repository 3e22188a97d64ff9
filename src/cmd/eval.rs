//! `spindle eval` and `spindle sweep`: the same engine on one suite, or on lists of settings.

use anyhow::Result;

use super::plan::plan;
use super::{figures, report, say};
use crate::bad_input;
use crate::cli::RunArgs;
use crate::experiment::{Experiment, ExperimentFile, text_of, text_of_built_in};
use crate::layout::{count, width};
use crate::profile::{self, Stage, stage};
use crate::run::{RunOptions, run};
use crate::terminal::{note, tell};

/// The exit code of a run that Ctrl-C ended, as shells count it.
const INTERRUPTED: i32 = 130;

pub(super) fn eval(args: &RunArgs) -> Result<i32> {
    let (experiment, said) = experiment(args)?;
    if args.limit == Some(0) {
        return Err(bad_input!("--limit 0: expected at least 1"));
    }
    if args.dry_run {
        say(&plan(&experiment, width()))?;
        return Ok(0);
    }
    let options = RunOptions {
        results: args.results.clone(),
        out: args.out.clone(),
        device: args.device.clone(),
        limit: args.limit,
        reuse: !args.no_reuse,
        notes: said.into_iter().collect(),
        command_line: command_line(),
    };
    let finished = run(&experiment, &options)?;
    if finished.interrupted {
        tell(&format!(
            "interrupted: run the same command again to go on in {}",
            finished.folder.display()
        ));
        return Ok(INTERRUPTED);
    }
    stage(Stage::Record, || -> Result<()> {
        report::print(&finished.folder)?;
        figures::draw(&finished.folder)
    })?;
    say(&format!("results in {}\n", finished.folder.display()))?;
    if args.profile {
        profile::report().lines().for_each(tell);
    }
    if finished.out_of_reach > 0 {
        tell(&format!(
            "{} out of reach: no cache of theirs is as small as asked for on that prompt; the error column of \
             records.csv says which can be",
            count(finished.out_of_reach, "cell")
        ));
    }
    if finished.failed > 0 {
        tell(&format!(
            "{} failed: see the error column of records.csv",
            count(finished.failed, "cell")
        ));
        return Ok(1);
    }
    Ok(0)
}

pub(super) fn sweep(args: &RunArgs) -> Result<i32> {
    let flags = &args.overrides;
    let nothing = args.suite.is_none() && args.experiment == "quickstart";
    if nothing && flags.method.is_empty() && flags.methods.is_empty() {
        return Err(bad_input!(
            "sweep: nothing to sweep, expected --methods with --retention, --method, or a file"
        ));
    }
    eval(args)
}

/// The experiment named, with the flags applied, and what these left out of it.
fn experiment(args: &RunArgs) -> Result<(Experiment, Option<String>)> {
    let (name, text) = match &args.suite {
        Some(suite) => (suite, text_of_built_in("suite", suite)?),
        None => (&args.experiment, text_of(&args.experiment)?),
    };
    let original = ExperimentFile::parse(&text, name)?;
    let mut file = original.clone();
    let said = args.overrides.apply(&mut file)?;
    said.iter().for_each(|said| note(said));
    let changed = file != original;
    let text = if changed {
        toml::to_string_pretty(&file)?
    } else {
        text
    };
    let origin = if changed {
        format!("{name} with flags")
    } else {
        name.clone()
    };
    Ok((Experiment::new(file, text, &origin)?, said))
}

/// As it was given, but for where the program lies.
fn command_line() -> Vec<String> {
    let arguments = std::env::args_os().skip(1);
    let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once(env!("CARGO_PKG_NAME").to_owned())
        .chain(arguments)
        .collect()
}
