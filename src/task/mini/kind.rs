//! The seven tasks.

use include_dir::{Dir, include_dir};

use anyhow::{Context, Result};

use super::ask::{self, Ask, SOURCE};
use crate::dataset::bank::{Bank, Passage};
use crate::task::longbench::Definition;

static DEFINITIONS: Dir = include_dir!("$CARGO_MANIFEST_DIR/datasets/mini/tasks");

/// What a task composes its records of.
pub struct MiniKind {
    /// Name of the task, such as `mini-qa`.
    pub name: &'static str,
    /// Everything that it can ask.
    pub asks: fn(&Bank) -> Vec<Ask>,
    /// A passage as it stands in a context, at a place counted from 1.
    pub show: fn(&Passage, usize) -> String,
    /// The only genre of its contexts, if there is one.
    pub genre: Option<&'static str>,
}

/// The seven tasks, in the order in which they are listed.
pub static KINDS: [MiniKind; 7] = [
    MiniKind {
        name: "mini-qa",
        asks: ask::questions,
        show: titled,
        genre: None,
    },
    MiniKind {
        name: "mini-two-hop",
        asks: ask::two_hops,
        show: titled,
        genre: None,
    },
    MiniKind {
        name: "mini-topics",
        asks: ask::topics,
        show: |passage, _| format!("Text: {}\nTopic: {}\n\n", passage.summary, passage.topic),
        genre: None,
    },
    MiniKind {
        name: "mini-retrieval",
        asks: ask::places,
        show: numbered,
        genre: None,
    },
    MiniKind {
        name: "mini-count",
        asks: ask::counts,
        show: numbered,
        genre: None,
    },
    MiniKind {
        name: "mini-summary",
        asks: ask::summaries,
        show: titled,
        genre: None,
    },
    MiniKind {
        name: "mini-code",
        asks: ask::next_lines,
        show: |passage, _| format!("# {}\n{}\n\n\n", passage.title, passage.text),
        genre: Some(SOURCE),
    },
];

fn titled(passage: &Passage, _: usize) -> String {
    format!("{}\n\n{}\n\n\n", passage.title, passage.text)
}

fn numbered(passage: &Passage, place: usize) -> String {
    format!("Paragraph {place}: {}\n\n", passage.text)
}

impl MiniKind {
    /// Template, metric and so on, as LongBench's tasks have them.
    ///
    /// # Errors
    /// [`BadInput`](crate::error::BadInput) if its file does not fit.
    pub fn definition(&self) -> Result<Definition> {
        let file = DEFINITIONS.get_file(format!("{}.toml", self.name));
        let text = file.and_then(include_dir::File::contents_utf8);
        let text = text.with_context(|| format!("{}.toml is not in the program", self.name))?;
        Definition::parse(text, self.name)
    }
}
