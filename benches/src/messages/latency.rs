//! The bench of latencies: when messages arrive, what waiting costs, and what an answer takes.

use std::time::Duration;

use ::agate::WaitMode;

use crate::candidates;
use crate::messages::goals::{self, Compare, Judged};
use crate::messages::humps;
use crate::messages::measure::{Entry, Row, find, measure};
use crate::messages::message::{Line, Message};
use crate::messages::options::{Options, Plan, print_goals};
use crate::messages::owner::Owner;
use crate::messages::owner::agate::{Agate as AgateOwner, Batched};
use crate::messages::owner::by_hand::{ByHand, Oneshot, SyncChannel};
use crate::messages::owner::kameo::Kameo;
use crate::messages::peer::{
    Info, Peer, agate, crossbeam, crossfire, fixed, flume, gil, kanal, popped, ring, rtrb, std_mpsc,
};
use crate::messages::report::{Column, table};
use crate::messages::workload::ask::{Told, ask_asleep, ask_awake, tell};
use crate::messages::workload::flag;
use crate::messages::workload::paced::{
    Pace, Paced, clock, clock_info, owner_info, paced, paced_owner,
};
use crate::messages::workload::round_trip::{Trips, round_trip};
use crate::messages::workload::waiting::{Situation, Waited, waiting};
use crate::stats::Summary;

/// The rows that can be asked for.
pub const ROWS: [&str; 9] = [
    "every-300-ns",
    "every-3-us",
    "asleep",
    "round-trip",
    "idle-lanes",
    "waiting",
    "tell",
    "ask",
    "ask-asleep",
];

/// What the bench is about.
pub const ABOUT: &str =
    "Messages inside a process, one in a while: sends, arrivals, waiting, answers.";

const BOUNDED: &str = "agate bounded";
const CROSSBEAM: &str = "crossbeam-channel bounded";
const CLOCK: &str = "limit: the clock, no send";
const FLAG: &str = "limit: a flag";
const GIL: &str = "gil sharded";
const OWNER: &str = "agate owner";
const BY_HAND: &str = "std channel + oneshot";
const KAMEO: &str = "kameo";

const POLL: WaitMode = WaitMode::Poll(Duration::from_micros(50));

/// Runs the rows that are wanted, and prints them; returns all goals.
///
/// # Errors
///
/// The name of a candidate that gave a wrong result, and what was wrong.
pub fn run(options: &Options) -> Result<Vec<Judged>, String> {
    let plan = options.plan();
    let mut all = Vec::new();
    paced_rows(options, &plan, &mut all)?;
    if options.wants("round-trip") {
        println!("A message to the other processor and one back\n");
        let (longest, most) = plan.scale.trips;
        let rows = trips(&plan, "8 B, ns, mean", round_trips::<u64>(longest, most))?;
        print_goals(&mut all, round_trip_goals(&rows, "8 B", [1.1, 1.0]));
        let rows = trips(&plan, "64 B, ns, mean", round_trips::<Line>(longest, most))?;
        print_goals(&mut all, round_trip_goals(&rows, "64 B", [1.2, 0.9]));
    }
    if options.wants("idle-lanes") {
        println!("The same with 64 more senders attached that do nothing\n");
        let (longest, most) = plan.scale.trips;
        trips(
            &plan,
            "8 B, ns, mean",
            candidates![u64, round_trip(longest, most): agate::Bounded, agate::BoundedIdle, agate::Unbounded, agate::UnboundedIdle],
        )?;
    }
    if options.wants("waiting") {
        waiting_rows(&plan, &mut all)?;
    }
    owner_rows(options, &plan, &mut all)?;
    println!(
        "All goals of this run\n\n{}\n{}",
        goals::table(&all),
        goals::count(&all)
    );
    Ok(all)
}

fn paced_rows(options: &Options, plan: &Plan, all: &mut Vec<Judged>) -> Result<(), String> {
    const ABOUT_WAKES: &str = "a send of more than 2 µs counts as one that woke the receiver";
    if options.wants("every-300-ns") {
        println!("A send every 300 ns to a receiver that waits; {ABOUT_WAKES}\n");
        let rows = paced_table(plan, pacing(plan.scale.paced_short))?;
        let compare = Compare::new(&rows, |paced: &Paced| paced.sends.mean());
        let goal = |measured| {
            Judged::at_most(
                "a send every 300 ns: mean above the clock",
                " ns",
                2.0,
                0.8,
                measured,
            )
        };
        print_goals(
            all,
            compare
                .above(BOUNDED, CLOCK)
                .into_iter()
                .map(goal)
                .collect(),
        );
    }
    if options.wants("every-3-us") {
        println!("A send every 3 µs to a receiver that waits; {ABOUT_WAKES}\n");
        let rows = paced_table(plan, pacing(plan.scale.paced_long))?;
        print_goals(all, paced_goals(&rows));
    }
    if options.wants("asleep") {
        println!("A send every 200 µs: the receiver sleeps, or polls; {ABOUT_WAKES}\n");
        let pace = plan.scale.asleep;
        let mut entries = pacing(pace);
        entries.extend(
            [WaitMode::Wake, POLL]
                .map(|mode| Entry::new(owner_info(mode), move || paced_owner(mode, pace))),
        );
        let rows = paced_table(plan, entries)?;
        print_goals(all, asleep_goals(&rows));
    }
    Ok(())
}

fn pacing(pace: Pace) -> Vec<Entry<'static, Paced>> {
    let mut entries = candidates![u64, paced(pace):
        agate::Bounded, agate::Unbounded, crossbeam::Bounded, crossbeam::Unbounded,
        popped::Array, popped::Segments, std_mpsc::Bounded, std_mpsc::Unbounded,
        kanal::Bounded, kanal::Unbounded, crossfire::Bounded, crossfire::Unbounded,
        flume::Bounded, flume::Unbounded, gil::Plain, rtrb::Plain,
        fixed::Park, ring::Rings,
    ];
    entries.push(Entry::new(clock_info(), move || clock(pace)));
    entries
}

fn paced_table(plan: &Plan, entries: Vec<Entry<'_, Paced>>) -> Result<Vec<Row<Paced>>, String> {
    let rows = measure(&plan.turns, entries)?;
    let others: [Column<Paced>; 5] = [
        ("p50", |paced| paced.sends.quantile(0.5)),
        ("p99", |paced| paced.sends.quantile(0.99)),
        ("woke, %", |paced| 100.0 * paced.woke()),
        ("arrival p50", |paced| paced.latencies.quantile(0.5)),
        ("arrival p99", |paced| paced.latencies.quantile(0.99)),
    ];
    let first: Column<Paced> = ("a send with two clock reads, ns, mean", |paced| {
        paced.sends.mean()
    });
    println!("{}", table(&rows, first, CROSSBEAM, others));
    Ok(rows)
}

fn paced_goals(rows: &[Row<Paced>]) -> Vec<Judged> {
    let mean = Compare::new(rows, |paced: &Paced| paced.sends.mean());
    let woke = Compare::new(rows, |paced: &Paced| 100.0 * paced.woke());
    let above = mean.above(BOUNDED, CLOCK).map(|measured| {
        Judged::at_most(
            "a send every 3 µs: mean above the clock",
            " ns",
            5.0,
            2.0,
            measured,
        )
    });
    // The clock alone is interrupted now and then too.
    let woke = woke.above(BOUNDED, CLOCK).map(|measured| {
        Judged::at_most(
            "… sends that woke the receiver, above the clock's",
            " %",
            1.0,
            0.0,
            measured,
        )
    });
    above.into_iter().chain(woke).collect()
}

fn asleep_goals(rows: &[Row<Paced>]) -> Vec<Judged> {
    let arrival = Compare::new(rows, |paced: &Paced| paced.latencies.quantile(0.5));
    let mean = Compare::new(rows, |paced: &Paced| paced.sends.mean());
    let arrival = arrival.of(BOUNDED, CROSSBEAM).map(|measured| {
        Judged::at_most(
            "receiver asleep: arrival p50 of crossbeam-channel",
            "x",
            1.2,
            1.0,
            measured,
        )
    });
    let polled = mean.value(&owner_info(POLL).name).map(|measured| {
        Judged::at_most(
            "owner polls, a send every 200 µs: mean with the clock",
            " ns",
            15.0,
            10.0,
            measured,
        )
    });
    arrival.into_iter().chain(polled).collect()
}

fn round_trips<M: Message>(longest: u64, most: usize) -> Vec<Entry<'static, Trips>> {
    let mut entries = candidates![M, round_trip(longest, most):
        agate::Bounded, agate::Unbounded, crossbeam::Bounded, crossbeam::Unbounded,
        popped::Array, std_mpsc::Bounded, std_mpsc::Unbounded,
        kanal::Bounded, kanal::Unbounded, crossfire::Bounded, crossfire::Unbounded,
        flume::Bounded, flume::Unbounded, gil::Plain, gil::Single, rtrb::Plain, ring::Rings,
    ];
    let info = Info {
        name: FLAG.to_owned(),
        ..<ring::Rings as Peer<M>>::info()
    };
    entries.push(Entry::new(info, move || flag::round_trip(longest, most)));
    entries
}

/// Measures trips and prints their table.
fn trips(
    plan: &Plan,
    title: &'static str,
    entries: Vec<Entry<'_, Trips>>,
) -> Result<Vec<Row<Trips>>, String> {
    let rows = measure(&plan.turns, entries)?;
    let base = rows.first().map_or("", |row| row.info.name.as_str());
    let base = [CROSSBEAM, BY_HAND]
        .into_iter()
        .find(|name| find(&rows, name).is_some())
        .unwrap_or(base);
    let others: [Column<Trips>; 7] = [
        ("p25", |trips| trips.quantile(0.25)),
        ("p50", |trips| trips.quantile(0.5)),
        ("p75", |trips| trips.quantile(0.75)),
        ("p90", |trips| trips.quantile(0.9)),
        ("p99", |trips| trips.quantile(0.99)),
        ("p99.9", |trips| trips.quantile(0.999)),
        ("p99/p50", |trips| {
            trips.quantile(0.99) / trips.quantile(0.5).max(1.0)
        }),
    ];
    println!("{}", table(&rows, (title, Trips::mean), base, others));
    Ok(rows)
}

fn round_trip_goals(rows: &[Row<Trips>], size: &str, of_gil: [f64; 2]) -> Vec<Judged> {
    let half = Compare::new(rows, |trips: &Trips| trips.quantile(0.5));
    let mean = Compare::new(rows, Trips::mean);
    let goal = |what: &str, [must, aim]: [f64; 2], measured: Option<Summary>| {
        let what = format!("round trip {size}: {what}");
        measured.map(|measured| Judged::at_most(what, "x", must, aim, measured))
    };
    let mut judged: Vec<Option<Judged>> = Vec::new();
    if size == "8 B" {
        judged.push(goal(
            "p50 of a raw flag",
            [2.0, 1.3],
            half.of(BOUNDED, FLAG),
        ));
        judged.push(goal(
            "mean of crossbeam-channel",
            [0.6, 0.5],
            mean.of(BOUNDED, CROSSBEAM),
        ));
    }
    judged.push(goal("p50 of gil sharded", of_gil, half.of(BOUNDED, GIL)));
    judged.into_iter().flatten().collect()
}

fn waiting_rows(plan: &Plan, all: &mut Vec<Judged>) -> Result<(), String> {
    const PARK: &str = "ring, sleeps at once (futex)";
    const SPIN: &str = "ring, spins 50 µs, then sleeps";
    for situation in Situation::ALL {
        println!("Waiting: {}\n", situation.name());
        let ms = plan.scale.waiting_ms;
        let rows = measure(
            &plan.turns,
            candidates![u64, waiting(situation, ms): agate::Bounded, fixed::Park, fixed::SpinThenPark, fixed::Spin],
        )?;
        let others: [Column<Waited>; 2] = [
            ("CPU of the answering end per trip, ns", |waited| {
                waited.answer_cpu_ns
            }),
            ("work done beside, Msteps/s", |waited| waited.work),
        ];
        let first: Column<Waited> = ("a trip, ns, mean", |waited| waited.trip_ns);
        println!("{}", table(&rows, first, PARK, others));
        let compare = Compare::new(&rows, |waited: &Waited| waited.trip_ns);
        // One that never sleeps is no choice where others want the processor.
        let better = compare.best(|info| [PARK, SPIN].contains(&info.name.as_str()));
        let goal = |measured| {
            let what = format!(
                "waiting, {}: of the better of sleeping and spinning",
                situation.name()
            );
            Judged::at_most(what, "x", 1.15, 1.05, measured)
        };
        let measured = compare.of(BOUNDED, better.unwrap_or_default());
        print_goals(all, measured.into_iter().map(goal).collect());
    }
    Ok(())
}

/// Candidates for what is done with owners.
macro_rules! owners {
    ($run:ident($($argument:expr),*)) => {
        vec![
            Entry::new(AgateOwner::<true>::info(), move || $run::<AgateOwner<true>>($($argument),*)),
            Entry::new(AgateOwner::<false>::info(), move || $run::<AgateOwner<false>>($($argument),*)),
            Entry::new(Kameo::info(), move || $run::<Kameo>($($argument),*)),
            Entry::new(ByHand::<Oneshot>::info(), move || $run::<ByHand<Oneshot>>($($argument),*)),
            Entry::new(ByHand::<SyncChannel>::info(), move || $run::<ByHand<SyncChannel>>($($argument),*)),
        ]
    };
}

fn owner_rows(options: &Options, plan: &Plan, all: &mut Vec<Judged>) -> Result<(), String> {
    if options.wants("tell") {
        println!("Telling an owner something, over and over\n");
        let tells = plan.scale.tells;
        let mut entries = owners!(tell(tells));
        entries.push(Entry::new(Batched::info(), move || tell::<Batched>(tells)));
        let rows: Vec<Row<Told>> = measure(&plan.turns, entries)?;
        let handled: [Column<Told>; 1] = [("until handled", |told| told.handled)];
        println!(
            "{}",
            table(&rows, ("a tell, ns", |told| told.send), BY_HAND, handled)
        );
        let compare = Compare::new(&rows, |told: &Told| told.send);
        let goal = |theirs| {
            let what = format!("a tell: of {theirs}");
            let measured = compare.of(OWNER, theirs)?;
            Some(Judged::at_most(what, "x", 0.25, 0.15, measured))
        };
        print_goals(all, [KAMEO, BY_HAND].into_iter().filter_map(goal).collect());
    }
    let half = |trips: &Trips| trips.quantile(0.5);
    if options.wants("ask") {
        println!("Asking an owner, one ask after the other\n");
        let (longest, most) = plan.scale.trips;
        let rows = trips(plan, "ns, mean", owners!(ask_awake(longest, most)))?;
        let compare = Compare::new(&rows, half);
        let mut judged: Vec<Judged> = compare
            .value(OWNER)
            .map(|measured| {
                Judged::at_most(
                    "an ask, the owner awake: p50",
                    " ns",
                    1_000.0,
                    500.0,
                    measured,
                )
            })
            .into_iter()
            .collect();
        judged.extend(one_hump("an ask, the owner awake", &rows));
        print_goals(all, judged);
    }
    if options.wants("ask-asleep") {
        println!("Asking an owner every 200 µs: it sleeps\n");
        let asks = plan.scale.asks_asleep;
        let rows = trips(plan, "ns, mean", owners!(ask_asleep(200_000, asks)))?;
        let compare = Compare::new(&rows, half);
        let mut judged: Vec<Judged> = compare
            .of(OWNER, BY_HAND)
            .map(|measured| {
                let what = format!("an ask, the owner asleep: p50 of {BY_HAND}");
                Judged::at_most(what, "x", 1.0, 0.9, measured)
            })
            .into_iter()
            .collect();
        judged.extend(one_hump("an ask, the owner asleep", &rows));
        print_goals(all, judged);
    }
    Ok(())
}

/// Says for each candidate whether its times gather at two places, and judges agate's.
fn one_hump(what: &str, rows: &[Row<Trips>]) -> Option<Judged> {
    println!(
        "Humps: times by the median of their round, in bins of a quarter of an octave; two humps where a bin holds less \
         than a quarter of the fullest on either side, those a factor of two apart and 5 % of all times on each side."
    );
    for row in rows {
        match humps::two(&row.runs) {
            None => println!("  {}: one hump", row.info.name),
            Some((low, high)) => {
                println!(
                    "  {}: two humps, at {low:.2} and {high:.2} of the median",
                    row.info.name
                );
            }
        }
    }
    println!();
    let ours = find(rows, OWNER)?;
    let humps = if humps::two(&ours.runs).is_some() {
        2.0
    } else {
        1.0
    };
    let measured = Summary {
        median: humps,
        low: humps,
        high: humps,
    };
    Some(Judged::at_most(
        format!("{what}: humps"),
        "",
        1.0,
        1.0,
        measured,
    ))
}
