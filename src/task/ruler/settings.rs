//! Which samples of RULER there are.

use std::path::PathBuf;

use anyhow::Result;
use serde::Deserialize;

use super::kind::{Family, KINDS, RulerKind};
use crate::bad_input;
use crate::error::nearest;
use crate::task::spec::{check_samples, repeats};

/// Which samples there are: one for each task, length and seed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct RulerSettings {
    /// By their published names; none: all whose files are given.
    pub tasks: Vec<String>,
    /// Tokens of prompt and answer, at most.
    pub lengths: Vec<usize>,
    /// Samples of each task and length, with seeds from `seed` on.
    pub seeds: u64,
    /// The first seed. A seed decides everything drawn; for qa it is the number of the question.
    pub seed: u64,
    /// A folder of text files that essays are made of; none: the project's own texts.
    pub haystack: Option<PathBuf>,
    /// The file of `qa_1`, as SQuAD's `dev-v2.0.json`.
    pub squad: Option<PathBuf>,
    /// The file of `qa_2`, as HotpotQA's `hotpot_dev_distractor_v1.json`.
    pub hotpotqa: Option<PathBuf>,
}

impl Default for RulerSettings {
    fn default() -> Self {
        Self {
            tasks: Vec::new(),
            lengths: vec![4096],
            seeds: 500,
            seed: 0,
            haystack: None,
            squad: None,
            hotpotqa: None,
        }
    }
}

impl RulerSettings {
    /// The tasks asked for, in the order of the table.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a setting that is empty, a task that is not known, stands twice or
    /// lacks its file.
    pub fn kinds(&self) -> Result<Vec<&'static RulerKind>> {
        if self.lengths.is_empty() || self.seeds == 0 {
            return Err(bad_input!(
                "ruler: lengths and seeds must not be empty or 0"
            ));
        }
        let counts = [
            ("lengths", self.lengths.len() as u64),
            ("seeds", self.seeds),
        ];
        check_samples("ruler", &counts)?;
        if repeats(&self.lengths) || repeats(&self.tasks) {
            return Err(bad_input!(
                "ruler: a value stands twice in lengths or tasks, expected each once"
            ));
        }
        if self.tasks.is_empty() {
            return Ok(KINDS
                .iter()
                .filter(|kind| self.lacks(kind).is_none())
                .collect());
        }
        let find = |name: &String| {
            let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
                let known = KINDS.iter().map(|kind| kind.name);
                return Err(bad_input!(
                    "ruler: task \"{name}\" is not known{}",
                    nearest(name, known)
                ));
            };
            match self.lacks(kind) {
                None => Ok(kind),
                Some(key) => Err(bad_input!(
                    "ruler: {name} needs {key} = a file, but none is given"
                )),
            }
        };
        self.tasks.iter().map(find).collect()
    }

    /// The key of the file that `kind` needs, where it is not given.
    fn lacks(&self, kind: &RulerKind) -> Option<&'static str> {
        match kind.family {
            Family::Squad if self.squad.is_none() => Some("squad"),
            Family::HotpotQa if self.hotpotqa.is_none() => Some("hotpotqa"),
            _ => None,
        }
    }
}
