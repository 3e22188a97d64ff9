//! The `[[task]]` tables of the needle protocols.

use std::borrow::Cow;
use std::sync::Arc;

use anyhow::Result;

use super::Niah;
use super::protocol::Protocol;
use super::settings::NiahSettings;
use crate::dataset::haystack::Haystack;
use crate::dataset::texts;
use crate::model::tokenizer::ModelTokenizer;
use crate::task::spec::{BuiltTask, HAYSTACK, Key, TaskKind, TaskSpec, settings};

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

pub(crate) const PUBLISHED: TaskKind = TaskKind {
    name: Cow::Borrowed("needle-published"),
    summary: Cow::Borrowed(
        "the needle test that KV-cache papers plot (KVCache-Factory): a sandwich in San Francisco, word overlap",
    ),
    keys: KEYS,
    parts: &[],
    parse: |_, table| parse(Protocol::Published, table),
};
pub(crate) const ORIGINAL: TaskKind = TaskKind {
    name: Cow::Borrowed("needle-original"),
    summary: Cow::Borrowed("the first needle test (NIAH), in a chat; depths linear or sigmoid"),
    keys: KEYS,
    parts: &[],
    parse: |_, table| parse(Protocol::Original, table),
};
pub(crate) const MULTI: TaskKind = TaskKind {
    name: Cow::Borrowed("needle-multi"),
    summary: Cow::Borrowed(
        "several needles asked for at once (NIAH): the share of them that the answer names",
    ),
    keys: KEYS,
    parts: &[],
    parse: |_, table| parse(Protocol::Multi, table),
};

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
