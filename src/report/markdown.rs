//! The report for a README.

use super::Report;
use super::table::Table;

impl Report {
    /// Tables for a README.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for section in &self.sections {
            out.push_str(&format!(
                "**{}** ({})\n\n",
                escape(&section.title),
                escape(&section.subtitle)
            ));
            for (title, table) in section.tables() {
                if let Some(title) = title {
                    out.push_str(&format!("{}:\n\n", escape(&title)));
                }
                table_text(&table, &mut out);
            }
        }
        out.push_str(&self.notes().join(" "));
        out.push('\n');
        out
    }
}

fn table_text(table: &Table, out: &mut String) {
    out.push_str(&format!("| {} |\n", table.headers.join(" | ")));
    let numbers = "--:|".repeat(table.headers.len() - 2);
    out.push_str(&format!("|---|---|{numbers}\n"));
    for row in &table.rows {
        let mut cells: Vec<String> = row.iter().map(|cell| escape(cell)).collect();
        if !cells[1].is_empty() {
            cells[1] = format!("`{}`", cells[1]);
        }
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out.push('\n');
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|")
}
