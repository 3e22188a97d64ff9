//! Figure of what each layer of one prompt holds against its dense cache, one panel per method and settings.

use super::panels::Caption;
use super::prompt;
use super::stacks::{Panel, Stacks};
use crate::inspect::{Inspection, MethodFacts};
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
    let shares = method.layers.iter().map(|row| {
        let share = |(_, bytes)| 100.0 * bytes as f64 / row.bytes_dense as f64;
        (row.layer, row.bytes.iter().map(share).collect())
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
