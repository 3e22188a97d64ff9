//! The spindle: what each layer of one prompt holds against its dense cache, one panel per method and settings.

use super::panels::Caption;
use super::prompt;
use super::stacks::{Panel, Stacks};
use crate::inspect::{Bytes, Inspection, MethodFacts};
use crate::report::labels;

pub(super) fn figure(facts: &Inspection) -> Stacks {
    let cells = facts.methods.iter();
    let cells = cells.map(|method| (method.method.as_str(), method.settings.as_str()));
    let labels = labels(&Vec::from_iter(cells));
    let panels = facts
        .methods
        .iter()
        .zip(labels)
        .map(|(m, label)| panel(m, label));
    Stacks::new(
        "spindle".into(),
        "The spindle: bytes held per layer, against the dense cache".into(),
        prompt::subtitle(facts),
        panels.collect(),
    )
    .against_dense()
}

fn panel(method: &MethodFacts, label: String) -> Panel {
    let share = |bytes, dense| 100.0 * bytes as f64 / dense as f64;
    let shares = method.layers.iter().map(|row| {
        let parts = in_order(row.bytes).map(|bytes| share(bytes, row.bytes_dense));
        (row.layer, parts)
    });
    Panel {
        caption: Caption {
            heading: method.method.clone(),
            settings: label,
            measured: format!(
                "measured retention {:.1} %, attention output off by {:.3}",
                method.retention * 100.0,
                method.relative_error
            ),
        },
        shares: shares.collect(),
    }
}

/// In the order of [`Panel::shares`].
fn in_order(bytes: Bytes) -> [u64; 6] {
    [
        bytes.entries,
        bytes.codewords,
        bytes.indices,
        bytes.magnitudes,
        bytes.positions,
        bytes.lists,
    ]
}
