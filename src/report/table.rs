//! A table as text, before it is laid out.

use unicode_width::UnicodeWidthStr;

/// Headers and rows of one width; method and settings are the first two columns.
pub(super) struct Table {
    pub headers: Vec<&'static str>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// Makes a table without the columns that are empty in every row. The first two stay.
    pub(super) fn new(headers: &[&'static str], rows: Vec<Vec<String>>) -> Self {
        let kept = |i: &usize| *i < 2 || rows.iter().any(|row| !row[*i].is_empty());
        let columns: Vec<usize> = (0..headers.len()).filter(kept).collect();
        let row = |row: &Vec<String>| columns.iter().map(|&i| row[i].clone()).collect();
        Self {
            headers: columns.iter().map(|&i| headers[i]).collect(),
            rows: rows.iter().map(row).collect(),
        }
    }

    /// The table with these columns only.
    pub(super) fn only(&self, columns: &[usize]) -> Self {
        let of = |row: &Vec<String>| columns.iter().map(|&i| row[i].clone()).collect();
        Self {
            headers: columns.iter().map(|&i| self.headers[i]).collect(),
            rows: self.rows.iter().map(of).collect(),
        }
    }

    /// Width of each column, in columns of a terminal.
    pub(super) fn widths(&self) -> Vec<usize> {
        let of = |(i, header): (usize, &&str)| {
            let cells = self.rows.iter().map(|row| row[i].width());
            cells.chain([header.width()]).max().unwrap_or(0)
        };
        self.headers.iter().enumerate().map(of).collect()
    }
}

pub(super) fn or_empty(value: Option<String>) -> String {
    value.unwrap_or_default()
}
