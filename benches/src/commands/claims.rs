//! What the idea behind this project claims, each with a figure of this run and a verdict that follows from it.

use crate::commands::report::find;
use crate::commands::run::Row;
use crate::commands::strategy::Way;
use crate::stats::{Summary, ratio};
use crate::table::{Table, percent, spread};

/// The claims, judged by frames of one size on one device.
pub fn table(rows: &[Row]) -> String {
    let mut table = Table::new(["claim", "measured (less than 1 is better)", "verdict"]);
    for (claim, measured, verdict) in judged(rows) {
        table.row([claim.to_owned(), measured, verdict.to_owned()]);
    }
    table.text()
}

type Judged = (&'static str, String, &'static str);

fn judged(rows: &[Row]) -> Vec<Judged> {
    let agate = find(rows, Way::Agate, false);
    let compare = |claim, ours: Option<&Row>, way, numbers: fn(&Row) -> Vec<f64>| {
        let theirs = find(rows, way, false)?;
        Some(less(claim, &numbers(ours?), &numbers(theirs)))
    };
    let mut judged: Vec<Judged> = [
        compare(
            "messages cost a job less than a mutex around every command",
            agate,
            Way::MutexPerCommand,
            Row::job_cpu,
        ),
        compare(
            "so does one message for every command (boxed, lock-free queue)",
            find(rows, Way::Boxed, false),
            Way::MutexPerCommand,
            Row::job_cpu,
        ),
        compare(
            "so does one message for every command (by value, channel)",
            find(rows, Way::ByValue, false),
            Way::MutexPerCommand,
            Row::job_cpu,
        ),
        compare(
            "one message for every command (boxed) is as cheap for a job as blocks of them",
            find(rows, Way::Boxed, false),
            Way::Agate,
            Row::job_cpu,
        ),
        compare(
            "one message for every command (boxed) readies the frame before a mutex around every command",
            find(rows, Way::Boxed, false),
            Way::MutexPerCommand,
            Row::wall,
        ),
        compare(
            "messages cost a job less than a mutex around the whole job",
            agate,
            Way::MutexPerJob,
            Row::job_wall,
        ),
        compare(
            "messages cost a job less than pools per thread",
            agate,
            Way::PerThread,
            Row::job_cpu,
        ),
        compare(
            "the frame's commands are ready earlier than with a mutex around every command",
            agate,
            Way::MutexPerCommand,
            Row::wall,
        ),
        compare(
            "… than with a mutex around the whole job",
            agate,
            Way::MutexPerJob,
            Row::wall,
        ),
        compare(
            "… than with pools per thread",
            agate,
            Way::PerThread,
            Row::wall,
        ),
        compare(
            "… than with one thread that records alone",
            agate,
            Way::Single,
            Row::wall,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    judged.extend(agate.map(|row| {
        (
            "jobs are never blocked",
            format!(
                "{} of agate's jobs slept, {} where the kernel gave them memory",
                percent(row.blocked()),
                percent(row.paged())
            ),
            word(row.blocked() == 0.0),
        )
    }));
    if let (Some(agate), Some(pools)) = (agate, find(rows, Way::PerThread, false)) {
        let (ours, theirs) = (agate.objects, pools.objects);
        judged.push((
            "the pool stays one: fewer pools and buffers than pools per thread",
            format!(
                "{} pools and {} buffers, against {} and {}",
                ours.pools, ours.buffers, theirs.pools, theirs.buffers
            ),
            word(ours.pools < theirs.pools && ours.buffers < theirs.buffers),
        ));
    }
    judged
}

/// The claim about delay, judged by frames that are executed.
pub fn executed(rows: &[Row]) -> String {
    let mut table = Table::new(["claim", "measured (less than 1 is better)", "verdict"]);
    for (claim, eliminate) in [
        (
            "the delay from written to queued does not matter: begin to executed, of pools per thread",
            false,
        ),
        ("the same, both eliminating", true),
    ] {
        let frames = |way| find(rows, way, eliminate).map(Row::frame_us);
        if let (Some(ours), Some(theirs)) = (frames(Way::Agate), frames(Way::PerThread)) {
            let (claim, measured, verdict) = less(claim, &ours, &theirs);
            table.row([claim.to_owned(), measured, verdict.to_owned()]);
        }
    }
    table.text()
}

/// A claim that `ours` is less than `theirs`.
fn less(claim: &'static str, ours: &[f64], theirs: &[f64]) -> Judged {
    let measured = ratio(ours, theirs);
    (claim, format!("{}x", spread(measured)), verdict(measured))
}

/// True or false where the quartiles agree, else undecided.
fn verdict(measured: Summary) -> &'static str {
    if measured.high < 1.0 {
        "true"
    } else if measured.low > 1.0 {
        "false"
    } else {
        "undecided: as good as equal"
    }
}

fn word(is_true: bool) -> &'static str {
    if is_true { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_true_only_where_the_quartiles_agree() {
        let of = |low, median, high| verdict(Summary { median, low, high });
        assert_eq!(of(0.7, 0.8, 0.9), "true");
        assert_eq!(of(1.1, 1.2, 1.3), "false");
        assert_eq!(of(0.9, 0.95, 1.05), "undecided: as good as equal");
    }
}
