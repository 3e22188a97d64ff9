//! The rule of one direction: no top-level module uses a later one, and the files within one do not use each other in a
//! circle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::uses::{Use, Uses};

/// Which files each file uses.
type Graph<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a Use>>;

/// Says where files break the rule. `order`: the top-level modules.
pub(super) fn complaints(uses: &Uses, order: &[&str]) -> Vec<String> {
    let mut complaints = Vec::new();
    let place = |file: &str| order.iter().position(|module| *module == top(file));
    let mut within = Graph::new();
    for ((from, to), by) in uses {
        if top(from) == top(to) {
            within.entry(from).or_default().insert(to, by);
        } else if place(from) < place(to) {
            let (said, from, to) = (said(from, to, by), top(from), top(to));
            complaints.push(format!("{said}, but {from} stands before {to}"));
        }
    }
    for circle in circles(&within) {
        complaints.push(format!("files in a circle: {}", circle.join(", ")));
    }
    complaints
}

/// The top-level module that a file belongs to.
pub(super) fn top(file: &str) -> &str {
    let top = file.split('/').next().unwrap_or(file);
    top.strip_suffix(".rs").unwrap_or(top)
}

fn said(from: &str, to: &str, by: &Use) -> String {
    format!("{from}:{} uses {to} by `{}`", by.line, by.path)
}

/// A shortest circle through each use that is part of one, each circle once.
fn circles(graph: &Graph) -> BTreeSet<Vec<String>> {
    let mut found = BTreeSet::new();
    for (&from, tos) in graph {
        for &to in tos.keys() {
            let Some(mut files) = path(graph, to, from) else {
                continue;
            };
            // The same circle is the same from wherever it was found.
            let least = (0..files.len()).min_by_key(|&i| files[i]).unwrap_or(0);
            files.rotate_left(least);
            let next = files.iter().cycle().skip(1);
            let steps = files.iter().zip(next).map(|(a, b)| said(a, b, graph[a][b]));
            found.insert(steps.collect());
        }
    }
    found
}

/// The files on a shortest way, both ends among them.
fn path<'a>(graph: &Graph<'a>, from: &'a str, to: &'a str) -> Option<Vec<&'a str>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next = VecDeque::from([from]);
    while let Some(file) = next.pop_front() {
        if file == to {
            let mut way = vec![to];
            while let Some(&file) = way.last().filter(|file| **file != from) {
                way.push(before[file]);
            }
            way.reverse();
            return Some(way);
        }
        for &used in graph.get(file).into_iter().flat_map(BTreeMap::keys) {
            if used != from && !before.contains_key(used) {
                before.insert(used, file);
                next.push_back(used);
            }
        }
    }
    None
}
