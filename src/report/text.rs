//! The report for a terminal.

use super::{Difference, Report, Row, Section};

/// No line is longer.
pub const WIDTH: usize = 100;
/// A longer method name is wrapped.
const METHOD_WIDTH: usize = 20;
const GAP: &str = "  ";
const HEADERS: [&str; 8] = [
    "method",
    "settings",
    "n",
    "retention",
    "score",
    "nll",
    "difference [95 %]",
    "failed",
];

/// What every rendering says below its tables.
pub(super) const NOTE: [&str; 5] = [
    "score: mean x 100 over n samples. retention: measured, bytes held / dense bytes.",
    "nll: mean negative log-likelihood of the right answer, nats per token.",
    "settings: those that vary within a method, and its size; records.csv has all.",
    "difference: points from `full` on the samples both scored, paired bootstrap 95 % interval;",
    "\"of k\" where that is k pairs and not n.",
];

pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    for section in &report.sections {
        section_text(section, &mut out);
        out.push('\n');
    }
    for line in NOTE {
        out.push_str(line);
        out.push('\n');
    }
    out
}

fn section_text(section: &Section, out: &mut String) {
    for line in [&section.title, &section.subtitle]
        .into_iter()
        .flat_map(|text| wrap(text, ' ', WIDTH))
    {
        out.push_str(&line);
        out.push('\n');
    }
    out.push('\n');
    let rows: Vec<[String; 8]> = section.rows.iter().map(cells).collect();
    let widest = |i: usize| {
        rows.iter()
            .map(|row| row[i].chars().count())
            .chain([HEADERS[i].len()])
            .max()
            .unwrap_or(0)
    };
    let mut widths: [usize; 8] = std::array::from_fn(widest);
    widths[0] = widths[0].min(METHOD_WIDTH);
    let others: usize = widths.iter().sum::<usize>() - widths[1] + GAP.len() * (widths.len() - 1);
    widths[1] = widths[1]
        .min(WIDTH.saturating_sub(others))
        .max(HEADERS[1].len());
    line(&HEADERS.map(String::from), &widths, out);
    for row in &rows {
        let (mut method, mut settings) =
            (wrap(&row[0], '-', widths[0]), wrap(&row[1], ';', widths[1]));
        let height = method.len().max(settings.len());
        method.resize(height, String::new());
        settings.resize(height, String::new());
        for (i, (method, settings)) in method.into_iter().zip(settings).enumerate() {
            let mut parts = if i == 0 {
                row.clone()
            } else {
                Default::default()
            };
            (parts[0], parts[1]) = (method, settings);
            line(&parts, &widths, out);
        }
    }
}

/// One row's cells as text.
pub(super) fn cells(row: &Row) -> [String; 8] {
    let or_empty = |value: Option<String>| value.unwrap_or_default();
    [
        row.method.clone(),
        row.settings.clone(),
        row.n.to_string(),
        or_empty(row.retention.map(|share| format!("{:.1} %", share * 100.0))),
        or_empty(row.score.map(|score| format!("{score:.1}"))),
        or_empty(row.nll.map(|nll| format!("{nll:.2}"))),
        or_empty(
            row.difference
                .as_ref()
                .map(|difference| difference_text(difference, row.n)),
        ),
        row.failed.to_string(),
    ]
}

fn difference_text(difference: &Difference, n: usize) -> String {
    let mut text = signed(difference.mean);
    if let Some(interval) = difference.interval {
        text.push_str(&format!(
            " [{}, {}]",
            signed(interval.low),
            signed(interval.high)
        ));
    }
    if difference.pairs != n {
        text.push_str(&format!(" of {}", difference.pairs));
    }
    text
}

/// One decimal with its sign; a value that rounds to zero has none.
fn signed(points: f64) -> String {
    let text = format!("{points:+.1}");
    if matches!(text.as_str(), "+0.0" | "-0.0") {
        "0.0".to_string()
    } else {
        text
    }
}

/// Names and settings left, numbers right.
fn line(parts: &[String; 8], widths: &[usize; 8], out: &mut String) {
    let padded = parts
        .iter()
        .zip(widths)
        .enumerate()
        .map(|(i, (part, &width))| match i {
            0 | 1 => format!("{part:<width$}"),
            _ => format!("{part:>width$}"),
        });
    out.push_str(padded.collect::<Vec<_>>().join(GAP).trim_end());
    out.push('\n');
}

/// Breaks `text` after `separator` into lines of at most `width` characters, and within a part only
/// if the part alone is wider. Spaces at a break are dropped. At least one line.
pub fn wrap(text: &str, separator: char, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut filled = 0;
    for part in text.split_inclusive(separator) {
        let length = part.trim_end().chars().count();
        if filled > 0 && filled + length > width {
            lines.push(String::new());
            filled = 0;
        }
        let part = if filled == 0 { part.trim_start() } else { part };
        for c in part.chars() {
            if filled == width && c != ' ' {
                lines.push(String::new());
                filled = 0;
            }
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
            filled += 1;
        }
    }
    lines
        .iter()
        .map(|line| line.trim_end().to_string())
        .collect()
}
