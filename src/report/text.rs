//! The report for a terminal.

use super::Report;
use super::table::Table;

/// No line is longer.
pub const WIDTH: usize = 100;
/// A longer method name is wrapped.
const METHOD_WIDTH: usize = 20;
const GAP: &str = "  ";

pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    for section in &report.sections {
        paragraph(&section.title, &mut out);
        paragraph(&section.subtitle, &mut out);
        out.push('\n');
        for (title, table) in section.tables() {
            if let Some(title) = title {
                paragraph(&title, &mut out);
                out.push('\n');
            }
            table_text(&table, &mut out);
            out.push('\n');
        }
    }
    for note in report.notes() {
        paragraph(&note, &mut out);
    }
    out
}

fn paragraph(text: &str, out: &mut String) {
    for line in wrap(text, ' ', WIDTH) {
        out.push_str(&line);
        out.push('\n');
    }
}

fn table_text(table: &Table, out: &mut String) {
    let Table { headers, rows } = table;
    let widest = |i: usize| {
        let cells = rows.iter().map(|row| row[i].chars().count());
        cells.chain([headers[i].len()]).max().unwrap_or(0)
    };
    let mut widths: Vec<usize> = (0..headers.len()).map(widest).collect();
    widths[0] = widths[0].min(METHOD_WIDTH);
    let others: usize = widths.iter().sum::<usize>() - widths[1] + GAP.len() * (widths.len() - 1);
    widths[1] = widths[1]
        .min(WIDTH.saturating_sub(others))
        .max(headers[1].len());
    let headers: Vec<String> = headers.iter().map(ToString::to_string).collect();
    line(&headers, &widths, out);
    for row in rows {
        let (mut method, mut settings) =
            (wrap(&row[0], '-', widths[0]), wrap(&row[1], ';', widths[1]));
        let height = method.len().max(settings.len());
        method.resize(height, String::new());
        settings.resize(height, String::new());
        for (i, (method, settings)) in method.into_iter().zip(settings).enumerate() {
            let mut parts = match i {
                0 => row.clone(),
                _ => vec![String::new(); row.len()],
            };
            (parts[0], parts[1]) = (method, settings);
            line(&parts, &widths, out);
        }
    }
}

/// Names and settings left, numbers right.
fn line(parts: &[String], widths: &[usize], out: &mut String) {
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
