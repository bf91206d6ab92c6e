//! Tables of text that can be read in a terminal and pasted into Markdown.

use std::fmt::Write;

use crate::stats::Summary;

/// A table: a head, and rows of as many cells.
#[derive(Debug, Default)]
pub struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns.
    pub fn new<const N: usize>(head: [&str; N]) -> Self {
        Self::with_head(head)
    }

    /// A table with as many columns as are told.
    pub fn with_head<'a>(head: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            head: head.into_iter().map(str::to_owned).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; cells that are missing stay empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        cells.resize(self.head.len(), String::new());
        self.rows.push(cells);
    }

    /// As Markdown, with columns of even width.
    ///
    /// # Examples
    ///
    /// ```
    /// let mut table = benches::table::Table::new(["who", "ns"]);
    /// table.row(["agate".into(), "7".into()]);
    /// assert_eq!(table.text(), "| who   | ns |\n|-------|---:|\n| agate |  7 |\n");
    /// ```
    pub fn text(&self) -> String {
        let width = |column: usize| {
            let cells = self.rows.iter().chain([&self.head]);
            cells
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
                .max(2)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let mut text = String::new();
        line(&mut text, &self.head, &widths);
        for (column, width) in widths.iter().enumerate() {
            let end = if column == 0 { "-" } else { ":" };
            let _ = write!(text, "|{}{end}", "-".repeat(width + 1));
        }
        text.push_str("|\n");
        for row in &self.rows {
            line(&mut text, row, &widths);
        }
        text
    }
}

fn line(text: &mut String, cells: &[String], widths: &[usize]) {
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let _ = if column == 0 {
            write!(text, "| {cell:<width$} ")
        } else {
            write!(text, "| {cell:>width$} ")
        };
    }
    text.push_str("|\n");
}

/// A number with as many digits as it deserves.
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// A median with its quartiles: `12.1 (11.8–12.9)`.
pub fn spread(summary: Summary) -> String {
    format!(
        "{} ({}–{})",
        number(summary.median),
        number(summary.low),
        number(summary.high)
    )
}

/// A ratio: `0.12x`.
pub fn times(ratio: f64) -> String {
    format!("{}x", number(ratio))
}

/// A share: `12 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", number(100.0 * share))
}
