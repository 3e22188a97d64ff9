//! The report for a terminal.

use unicode_width::UnicodeWidthStr;

use super::Report;
use super::table::Table;
use crate::layout::{READABLE, groups, wrap};

/// Greatest width of a method name; a longer one is wrapped.
const METHOD_WIDTH: usize = 20;
/// Least width of the settings column when a table is split; less if no setting is as long.
const SETTINGS_WIDTH: usize = 24;
const GAP: &str = "  ";

impl Report {
    /// The report in aligned columns for a terminal, in lines of at most `width` columns (80 at least). A wider table
    /// is split into several, one below the other. Prose is at most `READABLE` columns wide.
    pub fn text(&self, width: usize) -> String {
        let mut out = String::new();
        let prose = width.min(READABLE);
        let paragraph = |text: &str, out: &mut String| {
            for line in wrap(text, ' ', prose) {
                out.push_str(&line);
                out.push('\n');
            }
        };
        for section in &self.sections {
            paragraph(&section.title, &mut out);
            paragraph(&section.subtitle, &mut out);
            out.push('\n');
            for (title, table) in section.tables() {
                if let Some(title) = title {
                    paragraph(&title, &mut out);
                    out.push('\n');
                }
                for part in parts(&table, width) {
                    table_text(&part, width, &mut out);
                    out.push('\n');
                }
            }
        }
        for note in self.notes() {
            paragraph(&note, &mut out);
        }
        out
    }
}

/// Splits a table into tables that are narrow enough. All have the first two columns, and as many of the others as fit.
fn parts(table: &Table, width: usize) -> Vec<Table> {
    let widths = table.widths();
    let settings = table
        .rows
        .iter()
        .flat_map(|row| row[1].split_inclusive(';'));
    let longest = settings.map(UnicodeWidthStr::width).max().unwrap_or(0);
    let named = widths[0].min(METHOD_WIDTH)
        + GAP.len()
        + longest.min(SETTINGS_WIDTH).max(table.headers[1].len());
    let part = |group: &Vec<usize>| {
        let others = group.iter().map(|column| column + 2);
        table.only(&Vec::from_iter([0, 1].into_iter().chain(others)))
    };
    let groups = groups(&widths[2..], GAP.len(), named, width);
    groups.iter().map(part).collect()
}

fn table_text(table: &Table, width: usize, out: &mut String) {
    let Table { headers, rows } = table;
    let mut widths = table.widths();
    widths[0] = widths[0].min(METHOD_WIDTH);
    let others: usize = widths.iter().sum::<usize>() - widths[1] + GAP.len() * (widths.len() - 1);
    widths[1] = widths[1]
        .min(width.saturating_sub(others))
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
        .map(|(i, (part, &width))| {
            let gap = width.saturating_sub(part.width());
            match i {
                0 | 1 => format!("{part}{:gap$}", ""),
                _ => format!("{:gap$}{part}", ""),
            }
        });
    out.push_str(padded.collect::<Vec<_>>().join(GAP).trim_end());
    out.push('\n');
}
