//! The `[[task]]` tables of the needle protocols.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use serde::Deserialize;

use super::Niah;
use super::protocol::{PACKED, Protocol};
use crate::bad_input;
use crate::dataset::haystack::Haystack;
use crate::dataset::texts;
use crate::model::tokenizer::ModelTokenizer;
use crate::task::spec::{
    BuiltTask, HAYSTACK, Key, TaskKind, TaskSpec, check_samples, repeats, settings,
};

const KEYS: &[Key] = &[
    Key::of_flag(
        "lengths",
        "as published",
        "tokens that the haystack is cut from, the 200 of the buffer included",
    ),
    Key::of_flag(
        "depths",
        "as published",
        "how far into the haystack the needle stands, in percent",
    ),
    Key::new(
        "spacing",
        "linear",
        "how depths are spread where none are listed: linear or sigmoid",
    ),
    Key::new(
        "intervals",
        "10 or 35",
        "how many depths there are where none are listed",
    ),
    Key::new(
        "needles",
        "3",
        "how many are asked for at once, by needle-multi alone: from 1 to 10",
    ),
    HAYSTACK,
];

pub const PUBLISHED: TaskKind = TaskKind {
    name: Cow::Borrowed("needle-published"),
    summary: Cow::Borrowed(
        "the needle test that KV-cache papers plot (KVCache-Factory): a sandwich in San Francisco, word overlap",
    ),
    keys: KEYS,
    parts: &[],
    parse: |_, table| parse(Protocol::Published, table),
};
pub const ORIGINAL: TaskKind = TaskKind {
    name: Cow::Borrowed("needle-original"),
    summary: Cow::Borrowed("the first needle test (NIAH), in a chat; depths linear or sigmoid"),
    keys: KEYS,
    parts: &[],
    parse: |_, table| parse(Protocol::Original, table),
};
pub const MULTI: TaskKind = TaskKind {
    name: Cow::Borrowed("needle-multi"),
    summary: Cow::Borrowed(
        "several needles asked for at once (NIAH): the share of them that the answer names",
    ),
    keys: KEYS,
    parts: &[],
    parse: |_, table| parse(Protocol::Multi, table),
};

/// How depths are spread from 0 to 100 %.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Spacing {
    /// Evenly, rounded to whole percents.
    #[default]
    Linear,
    /// Densely at both ends, on a logistic curve of steepness 0.1 per percent, rounded to thousandths.
    Sigmoid,
}

impl Spacing {
    /// `count` depths in percent, ascending.
    pub fn depths(self, count: usize) -> Vec<f64> {
        let last = count.saturating_sub(1).max(1) as f64;
        let spread = (0..count).map(|i| 100.0 * i as f64 / last);
        spread.map(|depth| self.place(depth)).collect()
    }

    fn place(self, depth: f64) -> f64 {
        match self {
            Self::Linear => depth.round_ties_even(),
            Self::Sigmoid if depth == 0.0 || depth == 100.0 => depth,
            Self::Sigmoid => {
                let logistic = 100.0 / (1.0 + (-0.1 * (depth - 50.0)).exp());
                (logistic * 1000.0).round_ties_even() / 1000.0
            }
        }
    }
}

/// Which samples there are: one for each length and depth.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct NiahSettings {
    /// Tokens that the haystack is cut from, the buffer included; none: those of the protocol.
    pub lengths: Option<Vec<usize>>,
    /// How far into the haystack the needle stands, in percent; none: as `spacing` and `intervals` say.
    pub depths: Option<Vec<f64>>,
    pub spacing: Option<Spacing>,
    /// How many depths; none: as many as the protocol has.
    pub intervals: Option<usize>,
    /// How many needles are asked for at once, 3 if not given; only where the protocol has several.
    pub needles: Option<usize>,
    /// A folder of text files; none: the project's own texts.
    pub haystack: Option<PathBuf>,
}

impl NiahSettings {
    /// What can be said of the settings without a model.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) for a setting that is empty, out of range or not of the protocol.
    pub fn check(&self, protocol: Protocol) -> Result<()> {
        let name = protocol.name();
        let lengths = self.lengths(protocol);
        let intervals = self.intervals.unwrap_or(protocol.intervals());
        let at_depths = match &self.depths {
            Some(depths) => ("depths", depths.len() as u64),
            None => ("intervals", intervals as u64),
        };
        check_samples(name, &[("lengths", lengths.len() as u64), at_depths])?;
        let depths = self.depths(protocol);
        if lengths.is_empty() || depths.is_empty() {
            return Err(bad_input!(
                "{name}: lengths, depths and intervals must not be empty or 0"
            ));
        }
        if self.depths.is_some() && (self.spacing.is_some() || self.intervals.is_some()) {
            return Err(bad_input!(
                "{name}: depths are listed, expected no spacing and no intervals beside them"
            ));
        }
        if repeats(&lengths) || repeats(&depths) {
            return Err(bad_input!(
                "{name}: a value stands twice in lengths or depths, expected each once"
            ));
        }
        if let Some(depth) = depths.iter().find(|depth| !(0.0..=100.0).contains(*depth)) {
            return Err(bad_input!(
                "{name}: depth {depth}, expected a percentage from 0 to 100"
            ));
        }
        match self.needles {
            Some(_) if protocol != Protocol::Multi => Err(bad_input!(
                "{name}: needles is not a setting of it, expected needle-multi"
            )),
            Some(count) if count == 0 || count > PACKED.len() => Err(bad_input!(
                "{name}: needles = {count}, expected from 1 to {}",
                PACKED.len()
            )),
            _ => Ok(()),
        }
    }

    pub fn lengths(&self, protocol: Protocol) -> Vec<usize> {
        self.lengths.clone().unwrap_or_else(|| protocol.lengths())
    }

    pub fn depths(&self, protocol: Protocol) -> Vec<f64> {
        let spread = || {
            let count = self.intervals.unwrap_or(protocol.intervals());
            self.spacing.unwrap_or_default().depths(count)
        };
        self.depths.clone().unwrap_or_else(spread)
    }

    pub fn needles(&self, protocol: Protocol) -> usize {
        match protocol {
            Protocol::Multi => self.needles.unwrap_or(3),
            Protocol::Published | Protocol::Original => 1,
        }
    }
}

struct NiahSpec {
    protocol: Protocol,
    settings: NiahSettings,
}

fn parse(protocol: Protocol, table: toml::Table) -> Result<Box<dyn TaskSpec>> {
    let settings: NiahSettings = settings(table, protocol.name())?;
    settings.check(protocol)?;
    Ok(Box::new(NiahSpec { protocol, settings }))
}

impl TaskSpec for NiahSpec {
    fn summary(&self) -> String {
        let Self { protocol, settings } = self;
        let depths = settings.depths(*protocol);
        let depths: Vec<String> = depths.iter().map(ToString::to_string).collect();
        format!(
            "{}: lengths {:?}, depths [{}] %, needles {}",
            protocol.name(),
            settings.lengths(*protocol),
            depths.join(", "),
            settings.needles(*protocol)
        )
    }

    fn check(&self) -> Result<()> {
        texts::check(self.settings.haystack.as_deref())
    }

    /// The seed changes nothing: the protocols draw nothing at random.
    fn build(
        &self,
        tokenizer: &Arc<ModelTokenizer>,
        max_context: usize,
        _seed: u64,
    ) -> Result<Vec<BuiltTask>> {
        let texts = texts::of(self.settings.haystack.as_deref())?;
        let haystack = Haystack::new(&texts, tokenizer)?;
        let tokenizer = tokenizer.clone();
        let task = Niah::new(
            self.protocol,
            &self.settings,
            haystack,
            tokenizer,
            max_context,
        )?;
        Ok(vec![BuiltTask::new(task, texts::digest(&texts))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_depths_are_spread_as_published() {
        let published = [0.0, 11.0, 22.0, 33.0, 44.0, 56.0, 67.0, 78.0, 89.0, 100.0];
        assert_eq!(Spacing::Linear.depths(10), published);
    }

    #[test]
    fn sigmoid_depths_are_dense_at_both_ends() {
        // 100 / (1 + exp(5 - 0.1 x)) at 0, 25, 50, 75, 100, the ends set to 0 and 100.
        let expected = [0.0, 7.586, 50.0, 92.414, 100.0];
        assert_eq!(Spacing::Sigmoid.depths(5), expected);
    }

    #[test]
    fn lengths_are_as_published() {
        let llama = Protocol::Published.lengths();
        assert_eq!((llama.len(), llama[1], llama[70]), (71, 1100, 8000));
        let niah = Protocol::Original.lengths();
        assert_eq!(
            (niah.len(), niah[0], niah[1], niah[34]),
            (35, 1000, 1441, 16_000)
        );
    }
}
