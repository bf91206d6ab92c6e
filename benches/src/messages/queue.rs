//! The bench of queues: how fast messages go through, and what a send costs the one who sends.

use crate::candidates;
use crate::messages::goals::{self, Compare, Judged};
use crate::messages::measure::{Entry, Row, measure};
use crate::messages::message::{Line, Message};
use crate::messages::options::{Options, Plan, print_goals};
use crate::messages::peer::{
    Info, Peer, agate, crossbeam, crossfire, flume, gil, kanal, popped, ring, rtrb, std_mpsc,
};
use crate::messages::report::table;
use crate::messages::workload::Pins;
use crate::messages::workload::attach;
use crate::messages::workload::flag::copy;
use crate::messages::workload::send_cost::{Cost, drained_elsewhere, one_thread, two_senders};
use crate::messages::workload::stream::stream;
use crate::stats::Summary;

/// The rows that can be asked for.
pub const ROWS: [&str; 7] = [
    "one-thread",
    "drained-elsewhere",
    "two-senders",
    "one-sender",
    "four-senders",
    "attach",
    "idle-lanes",
];

/// What the bench is about.
pub const ABOUT: &str = "Queues inside a process: throughput, and what a send costs the sender.";

const BOUNDED: &str = "agate bounded";
const BOUNDED_BATCH: &str = "agate bounded, batches of 32";
const UNBOUNDED: &str = "agate unbounded";
const UNBOUNDED_BATCH: &str = "agate unbounded, batches of 32";
const CROSSBEAM: &str = "crossbeam-channel bounded";
const CROSSBEAM_UNBOUNDED: &str = "crossbeam-channel unbounded";
const GIL: &str = "gil sharded";
const GIL_GUARD: &str = "gil sharded, read guard";
const RTRB: &str = "rtrb";
const BOUNDED_SLICES: &str = "agate bounded, slices of 32";
const RTRB_CHUNKS: &str = "rtrb, chunks of 32";

/// Runs the rows that are wanted, and prints them; returns all goals.
///
/// # Errors
///
/// The name of a candidate that gave a wrong result, and what was wrong.
pub fn run(options: &Options) -> Result<Vec<Judged>, String> {
    let plan = options.plan();
    let mut all = Vec::new();
    if options.wants("one-thread") {
        let runs = plan.scale.runs;
        println!(
            "One thread, all in its first cache: instructions alone (512 sends, then a drain)\n"
        );
        let mut rows = measure(&plan.turns, on_one_thread::<u64>(runs))?;
        print_cost("8 B, ns for each", &rows);
        print_goals(&mut all, one_thread_goals(&rows));
        rows = measure(&plan.turns, on_one_thread::<Line>(runs))?;
        print_cost("64 B, ns for each", &rows);
    }
    if options.wants("drained-elsewhere") {
        println!(
            "One sender, the queue drained on the other processor before: lines are taken back\n"
        );
        sends(
            &plan,
            "8 B, ns for each",
            drained::<u64>(plan.scale.runs),
            &mut all,
            drained_goals,
        )?;
        sends(
            &plan,
            "64 B, ns for each",
            drained::<Line>(plan.scale.runs),
            &mut all,
            |_| Vec::new(),
        )?;
    }
    if options.wants("two-senders") {
        println!("Two senders on two processors at once, nobody draining meanwhile\n");
        sends(
            &plan,
            "8 B, ns for each",
            both_send::<u64>(plan.scale.runs),
            &mut all,
            both_send_goals,
        )?;
        sends(
            &plan,
            "64 B, ns for each",
            both_send::<Line>(plan.scale.runs),
            &mut all,
            |rows| {
                let compare = Compare::new(rows, |cost: &Cost| cost.send);
                at_most(
                    "two senders at once, 64 B, bounded: of crossbeam-channel",
                    [0.25, 0.15],
                    compare.of(BOUNDED, CROSSBEAM),
                )
            },
        )?;
    }
    if options.wants("one-sender") {
        println!("Streaming, one sender on one processor, the receiver on the other\n");
        streamed(
            &plan,
            "8 B, ns per message",
            one_sender::<u64>(plan.scale.stream),
            &mut all,
            |rows| one_sender_goals(rows, "8 B"),
        )?;
        streamed(
            &plan,
            "64 B, ns per message",
            one_sender::<Line>(plan.scale.stream / 2),
            &mut all,
            |rows| one_sender_goals(rows, "64 B"),
        )?;
    }
    if options.wants("four-senders") {
        println!("Streaming, four senders and the receiver, wherever the kernel puts them\n");
        streamed(
            &plan,
            "8 B, ns per message",
            four_senders::<u64>(plan.scale.stream),
            &mut all,
            four_senders_goals,
        )?;
        streamed(
            &plan,
            "64 B, ns per message",
            four_senders::<Line>(plan.scale.stream / 2),
            &mut all,
            four_senders_line_goals,
        )?;
    }
    if options.wants("attach") {
        println!("A sender more for a queue that has one, and its end\n");
        let rows = measure(&plan.turns, attach::entries(plan.scale.attach))?;
        println!("{}", table(&rows, ("ns", |ns| *ns), CROSSBEAM_CLONE, []));
        let value = Compare::new(&rows, |ns| *ns).value("agate attach and detach");
        let goal = |measured| Judged::at_most("attach and detach", " ns", 20.0, 10.0, measured);
        print_goals(&mut all, value.into_iter().map(goal).collect());
    }
    if options.wants("idle-lanes") {
        println!("64 more senders attached that do nothing: throughput lost\n");
        let messages = plan.scale.stream;
        let one = candidates![u64, stream(1, messages, Pins::Apart): agate::Bounded, agate::BoundedIdle, agate::Unbounded, agate::UnboundedIdle];
        streamed(
            &plan,
            "one sender, 8 B, ns per message",
            one,
            &mut all,
            |rows| idle_goals(rows, "one sender"),
        )?;
        let four = candidates![u64, stream(4, messages, Pins::Free): agate::Bounded, agate::BoundedIdle, agate::Unbounded, agate::UnboundedIdle];
        streamed(
            &plan,
            "four senders, 8 B, ns per message",
            four,
            &mut all,
            |rows| idle_goals(rows, "four senders"),
        )?;
    }
    println!(
        "All goals of this run\n\n{}\n{}",
        goals::table(&all),
        goals::count(&all)
    );
    Ok(all)
}

const CROSSBEAM_CLONE: &str = "crossbeam-channel clone and drop";

fn print_cost(title: &'static str, rows: &[Row<Cost>]) {
    let receive: [crate::messages::report::Column<Cost>; 1] = [("receive", |cost| cost.receive)];
    println!(
        "{}",
        table(rows, (title, |cost| cost.send), CROSSBEAM, receive)
    );
}

fn sends(
    plan: &Plan,
    title: &'static str,
    entries: Vec<Entry<'_, Cost>>,
    all: &mut Vec<Judged>,
    goals: impl FnOnce(&[Row<Cost>]) -> Vec<Judged>,
) -> Result<(), String> {
    let rows = measure(&plan.turns, entries)?;
    println!("{}", table(&rows, (title, |cost| cost.send), CROSSBEAM, []));
    print_goals(all, goals(&rows));
    Ok(())
}

fn streamed(
    plan: &Plan,
    title: &'static str,
    entries: Vec<Entry<'_, f64>>,
    all: &mut Vec<Judged>,
    goals: impl FnOnce(&[Row<f64>]) -> Vec<Judged>,
) -> Result<(), String> {
    let rows = measure(&plan.turns, entries)?;
    let base = if rows.iter().any(|row| row.info.name == CROSSBEAM) {
        CROSSBEAM
    } else {
        BOUNDED
    };
    println!("{}", table(&rows, (title, |ns| *ns), base, []));
    print_goals(all, goals(&rows));
    Ok(())
}

fn on_one_thread<M: Message>(runs: usize) -> Vec<Entry<'static, Cost>> {
    let mut entries = candidates![M, one_thread(runs):
        agate::Bounded, agate::BoundedBatch, agate::BoundedSlices, agate::Unbounded, agate::UnboundedBatch,
        crossbeam::Bounded, crossbeam::Unbounded, popped::Array, popped::Segments,
        std_mpsc::Bounded, std_mpsc::Unbounded, kanal::Bounded, kanal::Unbounded,
        crossfire::Bounded, crossfire::Unbounded, flume::Bounded, flume::Unbounded,
        gil::Guard, rtrb::Plain, rtrb::Chunks, ring::Rings,
    ];
    entries.push(copied::<M>(runs));
    entries
}

fn copied<M: Message>(runs: usize) -> Entry<'static, Cost> {
    let info = Info {
        name: "limit: a copy of the bytes".to_owned(),
        ..<ring::Rings as Peer<M>>::info()
    };
    Entry::new(info, move || copy::<M>(runs))
}

fn drained<M: Message>(runs: usize) -> Vec<Entry<'static, Cost>> {
    candidates![M, drained_elsewhere(runs):
        agate::Bounded, agate::BoundedBatch, agate::BoundedSlices, agate::Unbounded, agate::UnboundedBatch,
        crossbeam::Bounded, crossbeam::Unbounded, popped::Array, popped::Segments,
        std_mpsc::Bounded, std_mpsc::Unbounded, kanal::Bounded, kanal::Unbounded,
        crossfire::Bounded, crossfire::Unbounded, flume::Bounded, flume::Unbounded,
        gil::Guard, rtrb::Plain, rtrb::Chunks, ring::Rings,
    ]
}

fn both_send<M: Message>(runs: usize) -> Vec<Entry<'static, Cost>> {
    candidates![M, two_senders(runs):
        agate::Bounded, agate::BoundedBatch, agate::Unbounded, agate::UnboundedBatch,
        crossbeam::Bounded, crossbeam::Unbounded, popped::Array, popped::Segments,
        std_mpsc::Bounded, std_mpsc::Unbounded, kanal::Bounded, kanal::Unbounded,
        crossfire::Bounded, crossfire::Unbounded, flume::Bounded, flume::Unbounded,
        gil::Plain, gil::Guard, ring::Rings,
    ]
}

fn one_sender<M: Message>(messages: usize) -> Vec<Entry<'static, f64>> {
    candidates![M, stream(1, messages, Pins::Apart):
        agate::Bounded, agate::BoundedBatch, agate::BoundedSlices, agate::Unbounded, agate::UnboundedBatch,
        crossbeam::Bounded, crossbeam::Unbounded, popped::Array, popped::Segments,
        std_mpsc::Bounded, std_mpsc::Unbounded, kanal::Bounded, kanal::Unbounded,
        crossfire::Bounded, crossfire::Unbounded, flume::Bounded, flume::Unbounded,
        gil::Single, gil::Guard, gil::GuardCommit, rtrb::Plain, rtrb::Chunks, ring::Rings,
    ]
}

fn four_senders<M: Message>(messages: usize) -> Vec<Entry<'static, f64>> {
    candidates![M, stream(4, messages, Pins::Free):
        agate::Bounded, agate::BoundedBatch, agate::BoundedSlices, agate::Unbounded, agate::UnboundedBatch,
        crossbeam::Bounded, crossbeam::Unbounded, popped::Array, popped::Segments,
        std_mpsc::Bounded, std_mpsc::Unbounded, kanal::Bounded, kanal::Unbounded,
        crossfire::Bounded, crossfire::Unbounded, flume::Bounded, flume::Unbounded,
        gil::Plain, gil::Guard, gil::GuardCommit, ring::Rings,
    ]
}

fn at_most(what: &str, [must, aim]: [f64; 2], measured: Option<Summary>) -> Vec<Judged> {
    let judge = |measured| Judged::at_most(what, "x", must, aim, measured);
    measured.map(judge).into_iter().collect()
}

fn at_least(what: &str, [must, aim]: [f64; 2], measured: Option<Summary>) -> Vec<Judged> {
    let judge = |measured| Judged::at_least(what, must, aim, measured);
    measured.map(judge).into_iter().collect()
}

fn one_thread_goals(rows: &[Row<Cost>]) -> Vec<Judged> {
    let compare = Compare::new(rows, |cost: &Cost| cost.send);
    [
        at_most(
            "a send, one thread, 8 B, bounded: of crossbeam-channel",
            [0.25, 0.15],
            compare.of(BOUNDED, CROSSBEAM),
        ),
        at_most("… of rtrb's push", [1.05, 0.75], compare.of(BOUNDED, RTRB)),
    ]
    .concat()
}

fn drained_goals(rows: &[Row<Cost>]) -> Vec<Judged> {
    let compare = Compare::new(rows, |cost: &Cost| cost.send);
    [
        at_most(
            "a send, drained elsewhere, 8 B, bounded: of crossbeam-channel",
            [0.5, 0.4],
            compare.of(BOUNDED, CROSSBEAM),
        ),
        at_most("… of rtrb's push", [1.05, 0.75], compare.of(BOUNDED, RTRB)),
    ]
    .concat()
}

fn both_send_goals(rows: &[Row<Cost>]) -> Vec<Judged> {
    let compare = Compare::new(rows, |cost: &Cost| cost.send);
    [
        at_most(
            "two senders at once, 8 B, bounded: of crossbeam-channel",
            [0.25, 0.15],
            compare.of(BOUNDED, CROSSBEAM),
        ),
        at_most("… of gil sharded", [1.1, 1.0], compare.of(BOUNDED, GIL)),
    ]
    .concat()
}

fn one_sender_goals(rows: &[Row<f64>], size: &str) -> Vec<Judged> {
    let compare = Compare::new(rows, |ns| *ns);
    [
        at_most(
            &format!("one sender, {size}, bounded: of rtrb"),
            [1.3, 1.05],
            compare.of(BOUNDED, RTRB),
        ),
        at_most(
            &format!("one sender, {size}, bounded, batches: of rtrb's chunks"),
            [1.1, 1.0],
            compare.of(BOUNDED_BATCH, RTRB_CHUNKS),
        ),
        at_most(
            "… slices: of rtrb's chunks",
            [1.1, 1.0],
            compare.of(BOUNDED_SLICES, RTRB_CHUNKS),
        ),
    ]
    .concat()
}

fn four_senders_goals(rows: &[Row<f64>]) -> Vec<Judged> {
    let compare = Compare::new(rows, |ns| *ns);
    let faster = |ours, theirs| compare.of(theirs, ours);
    let best = |bounded| compare.best_parking(bounded).unwrap_or_default();
    let (bounded, unbounded) = (best(true), best(false));
    [
        at_least(
            "four senders, 8 B, bounded: faster than crossbeam-channel bounded",
            [2.3, 3.5],
            faster(BOUNDED, CROSSBEAM),
        ),
        at_least(
            &format!("… than the best bounded that parks ({bounded})"),
            [1.7, 2.5],
            faster(BOUNDED, bounded),
        ),
        at_least(
            "four senders, 8 B, unbounded: faster than crossbeam-channel unbounded",
            [4.0, 6.0],
            faster(UNBOUNDED, CROSSBEAM_UNBOUNDED),
        ),
        at_least(
            &format!("… than the best unbounded that parks ({unbounded})"),
            [3.0, 4.0],
            faster(UNBOUNDED, unbounded),
        ),
        at_least(
            "… than gil sharded with its read guard, which spins",
            [1.8, 2.5],
            faster(UNBOUNDED, GIL_GUARD),
        ),
        at_least(
            "four senders, 8 B, unbounded, batches: faster than crossbeam-channel unbounded",
            [5.5, 8.0],
            faster(UNBOUNDED_BATCH, CROSSBEAM_UNBOUNDED),
        ),
        at_least(
            "… than gil sharded with its read guard",
            [2.5, 3.0],
            faster(UNBOUNDED_BATCH, GIL_GUARD),
        ),
    ]
    .concat()
}

fn four_senders_line_goals(rows: &[Row<f64>]) -> Vec<Judged> {
    let compare = Compare::new(rows, |ns| *ns);
    let faster = |ours, theirs| compare.of(theirs, ours);
    [
        at_least(
            "four senders, 64 B, bounded: faster than crossbeam-channel bounded",
            [3.0, 3.5],
            faster(BOUNDED, CROSSBEAM),
        ),
        at_least(
            "four senders, 64 B, unbounded, batches: faster than crossbeam-channel unbounded",
            [3.5, 4.0],
            faster(UNBOUNDED_BATCH, CROSSBEAM_UNBOUNDED),
        ),
        at_least(
            "… than gil sharded with its read guard",
            [2.0, 2.2],
            faster(UNBOUNDED_BATCH, GIL_GUARD),
        ),
    ]
    .concat()
}

fn idle_goals(rows: &[Row<f64>], senders: &str) -> Vec<Judged> {
    let compare = Compare::new(rows, |ns| *ns);
    let lost = |name: &str| {
        // Throughput is one by the time for each message.
        let kept = compare.of(name, &format!("{name}, 64 idle lanes"))?;
        let lost = |kept: f64| 100.0 * (1.0 - kept);
        let measured = Summary {
            median: lost(kept.median),
            low: lost(kept.high),
            high: lost(kept.low),
        };
        let what = format!("64 idle lanes, {name}, {senders}: throughput lost");
        Some(Judged::at_most(what, " %", 10.0, 3.0, measured))
    };
    [BOUNDED, UNBOUNDED].into_iter().filter_map(lost).collect()
}
