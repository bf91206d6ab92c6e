//! The tables of the bench, and the goals that they are held against.

use crate::commands::encode::{self, Form, Shape};
use crate::commands::goals::{Goal, Verdict};
use crate::commands::run::Row;
use crate::commands::strategy::{FRAMES_IN_FLIGHT, Way};
use crate::rounds::Series;
use crate::stats::{Summary, ratio};
use crate::table::{Table, number, percent, spread, times};

/// Every way of recording one frame.
pub fn frames(rows: &[Row], threads: usize) -> String {
    let mut table = Table::new([
        "ns per draw",
        "job, CPU",
        "of per thread",
        "job, wall",
        "jobs blocked (paged)",
        "until ended",
        "of per thread",
        "until recycled",
        "owner",
        "written → ended, µs",
        "pools",
        "buffers",
        "messages, KiB",
        "heap allocations",
    ]);
    let base = find(rows, Way::PerThread, false);
    for row in rows {
        let summary = |values: Vec<f64>| Summary::of(&values);
        let of_base = |ours: Vec<f64>, theirs: Option<Vec<f64>>| {
            theirs.map_or(String::new(), |theirs| times(ratio(&ours, &theirs).median))
        };
        let has_owner = row.frames.iter().any(|frame| frame.owner_ns > 0.0);
        let is_limit = row.way == Way::CopyLimit;
        let objects = |count: usize| {
            if is_limit {
                "-".to_owned()
            } else {
                count.to_string()
            }
        };
        table.row([
            row.name(),
            spread(summary(row.job_cpu())),
            of_base(row.job_cpu(), base.map(Row::job_cpu)),
            number(summary(row.job_wall()).median),
            format!("{} ({})", percent(row.blocked()), percent(row.paged())),
            spread(summary(row.wall())),
            of_base(row.wall(), base.map(Row::wall)),
            number(summary(row.recycled()).median),
            if has_owner {
                number(summary(row.owner()).median)
            } else {
                "-".to_owned()
            },
            number(summary(row.tail_us()).median),
            objects(row.objects.pools),
            objects(row.objects.buffers),
            if row.objects.message_bytes > 0 {
                (row.objects.message_bytes / 1024).to_string()
            } else {
                "-".to_owned()
            },
            row.allocations.to_string(),
        ]);
    }
    if let Some(single) = find(rows, Way::Single, false) {
        let all = Summary::of(&single.wall()).median;
        let mut cells = vec![String::new(); 14];
        cells[0] = format!("limit: the driver's calls alone, over {threads} threads");
        cells[5] = number(all / threads as f64);
        table.row(cells);
    }
    table.text()
}

/// From the last word written to the last command executed.
pub fn executed(rows: &[Row]) -> String {
    let mut table = Table::new([
        "microseconds",
        "written → queued",
        "queued → executed",
        "frame, from begin",
        "of per thread",
    ]);
    let base = find(rows, Way::PerThread, false).map(Row::frame_us);
    for row in rows {
        let of_base = base.as_ref().map_or(String::new(), |base| {
            times(ratio(&row.frame_us(), base).median)
        });
        table.row([
            row.name(),
            spread(Summary::of(&row.queued_us())),
            spread(Summary::of(&row.executed_us())),
            spread(Summary::of(&row.frame_us())),
            of_base,
        ]);
    }
    table.text()
}

/// The time of one draw's calls, as the job sees it.
pub fn latencies(rows: &[Row]) -> String {
    let mut table = Table::new(["one draw's calls, ns", "p50", "p99", "p99.9", "p99.99"]);
    for row in rows {
        let quantiles = row.draw_quantiles([0.5, 0.99, 0.999, 0.9999]);
        table.row([row.name()].into_iter().chain(quantiles.map(number)));
    }
    table.text()
}

/// What encoding costs in a hot block.
pub fn encoding(measured: &[(encode::Row, Series<f64>)]) -> String {
    let mut table = Table::new(["one thread, hot block", "ns per draw", "of its limit"]);
    for (row, series) in measured {
        let limit = runs(measured, row.limit());
        table.row([
            row.name(),
            spread(Summary::of(&series.runs)),
            times(ratio(&series.runs, limit).median),
        ]);
    }
    table.text()
}

/// One goal, and what was measured of it.
pub type Judged = (Goal, Summary);

/// The goals for encoding, of finished data: of a copy of as many bytes, draw by draw.
pub fn encoding_goals(measured: &[(encode::Row, Series<f64>)], eliminate: bool) -> Vec<Judged> {
    let judge = |what, form, shape, must, aim| {
        let goal = Goal {
            what,
            unit: "x",
            must,
            aim,
        };
        let row = encode::Row {
            form: Some(form),
            shape,
            fresh: false,
            eliminate,
        };
        (
            goal,
            ratio(runs(measured, row), runs(measured, row.limit())),
        )
    };
    let (four, fused) = (Form::Four, Form::Fused);
    vec![
        judge(
            "encode four calls, loop inlined: of a copy of the bytes",
            four,
            Shape::Inlined,
            1.3,
            1.1,
        ),
        judge(
            "encode four calls, loop in a function: of a copy",
            four,
            Shape::Function,
            1.3,
            1.1,
        ),
        judge(
            "encode four calls, a function per draw: of a copy",
            four,
            Shape::Each,
            2.7,
            1.7,
        ),
        judge(
            "encode fused, loop inlined: of a copy",
            fused,
            Shape::Inlined,
            1.0,
            0.8,
        ),
        judge(
            "encode fused, loop in a function: of a copy",
            fused,
            Shape::Function,
            1.0,
            0.8,
        ),
    ]
}

/// The goals for whole frames of 100,000 draws or fewer, in slot order: both sides with state elimination, or both
/// without.
pub fn frame_goals(rows: &[Row], software: bool, eliminate: bool) -> Vec<Judged> {
    let (Some(agate), Some(pools), Some(single)) = (
        find(rows, Way::Agate, eliminate),
        find(rows, Way::PerThread, eliminate),
        find(rows, Way::Single, eliminate),
    ) else {
        return Vec::new();
    };
    let mut judged = Vec::new();
    let mut add = |what, must, aim, measured| {
        let goal = Goal {
            what,
            unit: "x",
            must,
            aim,
        };
        judged.push((goal, measured));
    };
    if !software {
        let measured = ratio(&agate.job_cpu(), &pools.job_cpu());
        let what = "job side, stitched: of pools per thread";
        add(what, 0.15, 0.05, measured);
    }
    if let Some(sharded) = find(rows, Way::Sharded, eliminate) {
        let (must, aim) = if software {
            (0.02, 0.005)
        } else {
            (0.10, 0.04)
        };
        let measured = ratio(&sharded.job_cpu(), &pools.job_cpu());
        let what = "job side, sharded, its replay left out: of pools per thread";
        add(what, must, aim, measured);
        let measured = ratio(&sharded.wall(), &pools.wall());
        add("wall, sharded: of pools per thread", 1.10, 1.03, measured);
    }
    if let Some(mutex) = find(rows, Way::MutexPerCommand, eliminate) {
        let measured = ratio(&agate.job_cpu(), &mutex.job_cpu());
        add("job side: of a mutex per command", 0.05, 0.02, measured);
    }
    if let Some(boxed) = find(rows, Way::Boxed, eliminate) {
        let measured = ratio(&agate.job_cpu(), &boxed.job_cpu());
        add(
            "job side: of one boxed message per command",
            0.03,
            0.01,
            measured,
        );
    }
    add(
        "wall, stitched: of pools per thread",
        2.1,
        1.7,
        ratio(&agate.wall(), &pools.wall()),
    );
    add(
        "wall, stitched: of one thread recording directly",
        1.15,
        1.0,
        ratio(&agate.wall(), &single.wall()),
    );
    add(
        "replay of a draw's calls: of direct calls",
        1.10,
        1.03,
        ratio(&agate.owner(), &single.job_wall()),
    );
    if let Some(fused) = find(rows, Way::AgateFused, eliminate) {
        let measured = ratio(&fused.owner(), &single.job_wall());
        add(
            "replay of a fused draw: of direct calls",
            1.05,
            1.0,
            measured,
        );
    }
    judged.extend(object_goals(agate));
    judged.extend(allocation_goals(rows, eliminate));
    judged.extend(lease_goals(rows));
    let sharded = find(rows, Way::Sharded, eliminate).filter(|row| row.draws == 100_000);
    judged.extend(sharded.map(|row| {
        let goal = Goal {
            what: "block memory at 100,000 draws, sharded",
            unit: " MiB",
            must: 4.0,
            aim: 0.5,
        };
        let mebibytes = row.objects.message_bytes as f64 / f64::from(1 << 20);
        (goal, exact(mebibytes))
    }));
    judged
}

/// The goals for leases: like is held against like, with bindings left out or not.
fn lease_goals(rows: &[Row]) -> Vec<Judged> {
    let judge = |what, eliminate| {
        let lease = find(rows, Way::Lease, eliminate)?;
        let pools = find(rows, Way::PerThread, eliminate)?;
        let (must, aim) = (1.05, 0.90);
        let goal = Goal {
            what,
            unit: "x",
            must,
            aim,
        };
        Some((goal, ratio(&lease.wall(), &pools.wall())))
    };
    let plain = judge("wall, leases: of pools per thread", false);
    let eliminated = judge("wall, leases: of pools per thread, both +elim", true);
    plain.into_iter().chain(eliminated).collect()
}

/// The goals for what the owner holds.
fn object_goals(agate: &Row) -> Vec<Judged> {
    let objects = agate.objects;
    let goal = |what, unit, must, aim| Goal {
        what,
        unit,
        must,
        aim,
    };
    let frames = FRAMES_IN_FLIGHT as f64;
    let mut judged = vec![
        (
            goal("command pools for each frame in flight", "", 1.0, 1.0),
            exact(objects.pools as f64 / frames),
        ),
        (
            goal("command buffers for each frame in flight", "", 1.0, 1.0),
            exact(objects.buffers as f64 / frames),
        ),
    ];
    if agate.draws == 100_000 {
        let mebibytes = objects.message_bytes as f64 / f64::from(1 << 20);
        let what = "block memory at 100,000 draws, stitched in order";
        judged.push((goal(what, " MiB", 16.0, 8.0), exact(mebibytes)));
    }
    judged
}

/// The goals for heap allocations, beyond those that the job system makes in a frame in which nothing is recorded.
fn allocation_goals(rows: &[Row], eliminate: bool) -> Vec<Judged> {
    let Some(base) = find(rows, Way::CopyLimit, false) else {
        return Vec::new();
    };
    let ways = [
        ("heap allocations of a frame, stitched", Way::Agate),
        ("heap allocations of a frame, sharded", Way::Sharded),
        ("heap allocations of a frame, leases", Way::Lease),
    ];
    let found = ways.into_iter().filter_map(|(what, way)| {
        let row = find(rows, way, eliminate)?;
        let more = row.allocations.saturating_sub(base.allocations);
        let goal = Goal {
            what,
            unit: "",
            must: 0.0,
            aim: 0.0,
        };
        Some((goal, exact(more as f64)))
    });
    found.collect()
}

/// A number that is counted, or has no spread.
fn exact(number: f64) -> Summary {
    Summary {
        median: number,
        low: number,
        high: number,
    }
}

/// The goals for the slowest draws of jobs.
pub fn latency_goals(rows: &[Row], eliminate: bool) -> Vec<Judged> {
    let tail = |way| find(rows, way, eliminate).map(|row| row.draw_quantile(0.999));
    let (Some(agate), Some(direct), Some(mutex)) = (
        tail(Way::Agate),
        tail(Way::PerThread),
        tail(Way::MutexPerCommand),
    ) else {
        return Vec::new();
    };
    let goal = |what, must, aim| Goal {
        what,
        unit: "x",
        must,
        aim,
    };
    vec![
        (
            goal("p99.9 of one draw's calls: of direct", 0.5, 0.17),
            ratio(&agate, &direct),
        ),
        (
            goal(
                "p99.9 of one draw's calls: of a mutex per command",
                0.02,
                0.01,
            ),
            ratio(&agate, &mutex),
        ),
    ]
}

/// The goals in one table.
pub fn verdicts(judged: &[Judged]) -> String {
    let mut table = Table::new(["goal", "measured", "must", "", "aim", " "]);
    for (goal, measured) in judged {
        table.row([
            goal.what.to_owned(),
            spread(*measured),
            with_unit(goal.must, goal.unit),
            Verdict::of(*measured, goal.must).word().to_owned(),
            with_unit(goal.aim, goal.unit),
            Verdict::of(*measured, goal.aim).word().to_owned(),
        ]);
    }
    table.text()
}

fn with_unit(value: f64, unit: &str) -> String {
    format!("{}{unit}", number(value))
}

/// The row of a way of recording.
pub(super) fn find(rows: &[Row], way: Way, eliminate: bool) -> Option<&Row> {
    rows.iter()
        .find(|row| row.way == way && row.eliminate == eliminate)
}

fn runs(measured: &[(encode::Row, Series<f64>)], row: encode::Row) -> &[f64] {
    measured
        .iter()
        .find(|(other, _)| *other == row)
        .map_or(&[], |(_, series)| &series.runs)
}
