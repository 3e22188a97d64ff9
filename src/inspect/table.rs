//! Prints the facts of a prompt for a terminal.

use super::{Inspection, LayerRow, MethodFacts};
use crate::layout::{READABLE, groups, wrap};

const GAP: &str = "  ";
/// Titles of the columns.
const HEADERS: [&str; 12] = [
    "layer", "kept", "union", "K", "V", "bytes", "%", "r1", "r2", "cosine K", "cosine V", "error",
];

const NOTE: &str = "\
    kept: entries each query head attends to; union: entries any of a KV head's query heads attends to (least-most of \
    the layer). K, V: codewords. bytes: held, and their share of the layer's dense bytes. r1, r2: equation 15, kept \
    vectors over dense ones and codewords over kept ones. cosine: of vectors to their codewords, least/mean. error: of \
    the attention output against the dense cache's, || out - full || / || full ||, for the queries of the last";

/// The prompt, and a table for each method, in lines of at most `width` columns (80 at least).
pub(crate) fn table(facts: &Inspection, width: usize) -> String {
    let mut out = String::new();
    let head = format!(
        "{}, {}, prompt {}: {} tokens, {} layers of {} query heads and {} KV heads, dense cache {} bytes",
        facts.model,
        facts.kv_dtype,
        facts.prompt,
        facts.tokens,
        facts.attention.layers.len(),
        facts.heads,
        facts.kv_heads,
        facts.bytes_dense
    );
    let prose = width.min(READABLE);
    lines(&head, ' ', prose, &mut out);
    for method in &facts.methods {
        out.push('\n');
        of_method(method, facts.bytes_dense, width, &mut out);
    }
    out.push('\n');
    lines(
        &format!("{NOTE} {} tokens.", facts.window),
        ' ',
        prose,
        &mut out,
    );
    out
}

fn of_method(method: &MethodFacts, bytes_dense: u64, width: usize, out: &mut String) {
    let prose = width.min(READABLE);
    let name = format!("{} {}", method.method, method.settings);
    lines(&name, ';', prose, out);
    let measured = format!(
        "retention {} %, the paper's ratio {} %, attention output off by {:.4} (mean over layers)",
        percent(method.retention),
        percent(method.retention_paper),
        method.relative_error
    );
    lines(&measured, ' ', prose, out);
    let rows: Vec<[String; 12]> = method
        .layers
        .iter()
        .map(cells)
        .chain([total(method, bytes_dense)])
        .collect();
    let header = HEADERS.map(String::from);
    let widths: [usize; 12] = std::array::from_fn(|i| {
        let of = rows.iter().chain([&header]).map(|row| row[i].len());
        of.max().unwrap_or(0)
    });
    // Every group of columns begins with the layer.
    for group in groups(&widths[1..], GAP.len(), widths[0], width) {
        for row in [&header].into_iter().chain(&rows) {
            let columns = std::iter::once(0).chain(group.iter().map(|column| column + 1));
            let padded = columns.map(|i| format!("{:>1$}", row[i], widths[i]));
            out.push_str(&Vec::from_iter(padded).join(GAP));
            out.push('\n');
        }
    }
}

fn cells(row: &LayerRow) -> [String; 12] {
    [
        row.layer.to_string(),
        range(&row.kept),
        range(&row.union),
        or_dash(row.codewords_k),
        or_dash(row.codewords_v),
        row.bytes_held.to_string(),
        percent(row.bytes_held as f64 / row.bytes_dense as f64),
        format!("{:.2}", row.r1),
        or_dash(row.r2.map(|r2| format!("{r2:.2}"))),
        cosines(row.cosine_min_k, row.cosine_mean_k),
        cosines(row.cosine_min_v, row.cosine_mean_v),
        format!("{:.4}", row.relative_error),
    ]
}

/// The last row: sums or means over layers.
fn total(method: &MethodFacts, bytes_dense: u64) -> [String; 12] {
    let kept = || {
        method
            .layers
            .iter()
            .flat_map(|row| row.kept.iter().copied())
    };
    let union = || {
        method
            .layers
            .iter()
            .flat_map(|row| row.union.iter().copied())
    };
    [
        "all".into(),
        range(&Vec::from_iter(kept())),
        range(&Vec::from_iter(union())),
        or_dash(method.codewords_k),
        or_dash(method.codewords_v),
        method.bytes_held.to_string(),
        percent(method.bytes_held as f64 / bytes_dense as f64),
        String::new(),
        String::new(),
        String::new(),
        String::new(),
        format!("{:.4}", method.relative_error),
    ]
}

/// The least and the greatest count, or the single one if all are equal.
fn range(counts: &[usize]) -> String {
    match (counts.iter().min(), counts.iter().max()) {
        (Some(least), Some(most)) if least < most => format!("{least}-{most}"),
        (Some(all), _) => all.to_string(),
        _ => "-".into(),
    }
}

fn cosines(min: Option<f32>, mean: Option<f32>) -> String {
    or_dash(
        min.zip(mean)
            .map(|(min, mean)| format!("{min:.3}/{mean:.3}")),
    )
}

fn or_dash(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".into(), |value| value.to_string())
}

fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0)
}

fn lines(text: &str, separator: char, width: usize, out: &mut String) {
    for line in wrap(text, separator, width) {
        out.push_str(&line);
        out.push('\n');
    }
}
