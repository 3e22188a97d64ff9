//! The report for a README.

use super::{Report, text};

pub(super) fn render(report: &Report) -> String {
    let mut out = String::new();
    for section in &report.sections {
        out.push_str(&format!(
            "**{}** ({})\n\n",
            escape(&section.title),
            escape(&section.subtitle)
        ));
        out.push_str(
            "| method | settings | n | retention | score | nll | difference [95 %] | failed |\n",
        );
        out.push_str("|---|---|--:|--:|--:|--:|--:|--:|\n");
        for row in &section.rows {
            let mut cells = text::cells(row).map(|cell| escape(&cell));
            if !cells[1].is_empty() {
                cells[1] = format!("`{}`", cells[1]);
            }
            out.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        out.push('\n');
    }
    out.push_str(&text::NOTE.join(" "));
    out.push('\n');
    out
}

fn escape(text: &str) -> String {
    text.replace('|', "\\|")
}
