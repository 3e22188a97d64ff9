//! The kinds of task that come with the program.

use std::sync::LazyLock;

use super::spec::TaskKind;
use super::{longbench, mini, needle, niah, perplexity, ruler};

pub(super) static BUILT_IN: LazyLock<Vec<TaskKind>> = LazyLock::new(|| {
    let mut kinds = vec![
        needle::KIND,
        niah::PUBLISHED,
        niah::ORIGINAL,
        niah::MULTI,
        ruler::KIND,
        perplexity::KIND,
    ];
    kinds.extend(mini::kinds());
    kinds.extend(longbench::kinds());
    kinds
});

/// Whether one of them, or a task that one makes, is called `name` in experiments or records.
pub(super) fn is_task(name: &str) -> bool {
    let of_kind = |kind: &TaskKind| kind.name == name || kind.parts.contains(&name);
    longbench::is_task(name) || BUILT_IN.iter().any(of_kind)
}
