//! One file per verb: from parsed arguments to the modules that do the work, and what is printed.

mod eval;
mod fetch;
mod figures;
mod inspect;
mod list;
mod plan;
mod report;

use anyhow::Result;

use crate::bad_input;
use crate::cli::{Cli, Verb};
use crate::terminal::say;

/// More than the cores of any machine this runs on; tens of thousands would starve it before they fail.
const MOST_THREADS: usize = 1024;

/// Does what the command line says. Returns the exit code where nothing went wrong in between.
pub fn dispatch(cli: Cli) -> Result<i32> {
    if let Some(threads) = cli.threads
        && !(1..=MOST_THREADS).contains(&threads)
    {
        return Err(bad_input!(
            "--threads {threads}: expected at least 1, at most {MOST_THREADS}"
        ));
    }
    // Everything runs on a thread of the pool: handing each of a step's many small products over to it from outside
    // would take longer than they do.
    rayon::ThreadPoolBuilder::new()
        .num_threads(cli.threads.unwrap_or(0))
        .build()?
        .install(|| run(cli.verb))
}

fn run(verb: Verb) -> Result<i32> {
    match verb {
        Verb::Eval(args) => eval::eval(&args),
        Verb::Sweep(args) => eval::sweep(&args),
        Verb::Inspect(args) => inspect::inspect(&args),
        Verb::Figures { results } => figures::figures(&results),
        Verb::Report {
            results,
            against,
            splice,
        } => report::report(&results, against.as_deref(), splice.as_deref()),
        Verb::List { what } => list::list(what.as_deref()),
        Verb::Fetch { model, verify } => fetch::fetch(&model, verify),
    }
}
