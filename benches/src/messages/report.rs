//! Tables of candidates.

use crate::messages::measure::{Row, find};
use crate::stats::{Summary, ratio};
use crate::table::{Table, spread, times};

/// A column: its title, and its number of one run.
pub type Column<M> = (&'static str, fn(&M) -> f64);

/// One line for each candidate: the first number with its quartiles and as a ratio to `base`, then the medians of others.
pub fn table<M, const N: usize>(
    rows: &[Row<M>],
    (title, number): Column<M>,
    base: &str,
    others: [Column<M>; N],
) -> String {
    let ratio_title = format!("of {base}");
    let mut head = vec!["candidate", "when idle", title, &ratio_title];
    head.extend(others.iter().map(|(title, _)| *title));
    let base = find(rows, base).map(|row| row.numbers(number));
    let mut table = Table::with_head(head);
    for row in rows {
        let ours = row.numbers(number);
        let of_base = base
            .as_ref()
            .map_or(String::new(), |base| times(ratio(&ours, base).median));
        let cells = [
            row.info.name.clone(),
            row.info.class.word().to_owned(),
            spread(Summary::of(&ours)),
            of_base,
        ];
        let median = |number: fn(&M) -> f64| {
            let median = Summary::of(&row.numbers(number)).median;
            crate::table::number(median)
        };
        table.row(
            cells
                .into_iter()
                .chain(others.iter().map(|(_, number)| median(*number))),
        );
    }
    table.text()
}
