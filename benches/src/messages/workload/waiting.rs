//! The five situations in which a way of waiting must be good: two idle processors, one processor for both, two pairs on
//! two processors, a pair beside busy threads, and bursts.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::scope;

use crate::clock::{ns_per_tick, thread_cpu_ns, ticks};
use crate::messages::message::Message;
use crate::messages::peer::{Peer, Rx, Tx};
use crate::messages::workload::{Pins, check, joined};

/// A situation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation {
    /// One end on each processor, and nothing else to do.
    Idle,
    /// Both ends on one processor.
    OneProcessor,
    /// Two pairs on two processors.
    TwoPairs,
    /// One pair, and two threads that compute.
    Busy,
    /// One end on each processor, 20 trips and then a pause of 150 microseconds.
    Bursts,
}

impl Situation {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Idle,
        Self::OneProcessor,
        Self::TwoPairs,
        Self::Busy,
        Self::Bursts,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "two idle processors",
            Self::OneProcessor => "both ends on one processor",
            Self::TwoPairs => "two pairs on two processors",
            Self::Busy => "a pair beside two busy threads",
            Self::Bursts => "bursts of 20 trips, 150 µs apart",
        }
    }

    fn pins(self) -> Pins {
        match self {
            Self::Idle | Self::Bursts => Pins::Apart,
            Self::OneProcessor => Pins::Together,
            Self::TwoPairs | Self::Busy => Pins::Free,
        }
    }
}

/// What a run of trips gave.
#[derive(Clone, Copy, Debug, Default)]
pub struct Waited {
    /// The mean of a trip, in nanoseconds.
    pub trip_ns: f64,
    /// Processor time of the end that answers, for each trip.
    pub answer_cpu_ns: f64,
    /// What the busy threads got done, in millions of steps a second; 0 where there are none.
    pub work: f64,
}

const TRIPS_IN_BURST: u64 = 20;
const PAUSE_NS: f64 = 150_000.0;
const END: u64 = (1 << 60) - 1;

/// Trips in that situation for so many milliseconds, after a fifth of that which does not count.
///
/// # Errors
///
/// When an answer is wrong or does not come.
pub fn waiting<M: Message, P: Peer<M>>(situation: Situation, ms: u64) -> Result<Waited, String> {
    let pairs = if situation == Situation::TwoPairs {
        2
    } else {
        1
    };
    let busy = if situation == Situation::Busy { 2 } else { 0 };
    let stop = AtomicBool::new(false);
    let steps = AtomicU64::new(0);
    let begin = ticks();
    scope(|scope| {
        for _ in 0..busy {
            scope.spawn(|| compute(&stop, &steps));
        }
        let pairs: Vec<_> = (0..pairs)
            .map(|_| scope.spawn(|| pair::<M, P>(situation, ms)))
            .collect();
        let results: Vec<_> = pairs.into_iter().map(joined).collect();
        stop.store(true, Ordering::Release);
        let seconds = ticks().wrapping_sub(begin) as f64 * ns_per_tick() / 1e9;
        let mut all = Waited::default();
        let count = results.len() as f64;
        for result in results {
            let waited = result??;
            all.trip_ns += waited.trip_ns / count;
            all.answer_cpu_ns += waited.answer_cpu_ns / count;
        }
        all.work = steps.load(Ordering::Relaxed) as f64 / 1e6 / seconds;
        Ok(all)
    })
}

fn compute(stop: &AtomicBool, steps: &AtomicU64) {
    const STEPS: u64 = 1_000;
    let mut state = 1_u64;
    while !stop.load(Ordering::Acquire) {
        for _ in 0..STEPS {
            state = black_box(
                state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1),
            );
        }
        steps.fetch_add(STEPS, Ordering::Relaxed);
    }
}

fn pair<M: Message, P: Peer<M>>(situation: Situation, ms: u64) -> Result<Waited, String> {
    let (mut there, mut asked) = P::open(1);
    let (mut back, mut answered) = P::open(1);
    let (mut there, mut back) = (
        there.pop().ok_or("no sender")?,
        back.pop().ok_or("no sender")?,
    );
    let answer_cpu_ns = AtomicU64::new(0);
    scope(|scope| {
        let answer_cpu = &answer_cpu_ns;
        let answering = scope.spawn(move || {
            situation.pins().receiver();
            let mut before = thread_cpu_ns();
            while let Some(message) = asked.next() {
                let number = message.number();
                if number == END {
                    break;
                }
                // The first of those that count.
                if number == 0 {
                    before = thread_cpu_ns();
                }
                back.send(M::new(number + 1));
            }
            answer_cpu.store(thread_cpu_ns() - before, Ordering::Release);
        });
        let asking = scope.spawn(move || {
            situation.pins().sender();
            let trips = trips(situation, ms, |number| {
                there.send(M::new(number));
                let answer = answered.next().ok_or("no answer came")?;
                check("number in a round trip", number + 1, answer.number())
            });
            there.send(M::new(END));
            trips
        });
        let (spent, count) = joined(asking)??;
        joined(answering)?;
        Ok(Waited {
            trip_ns: spent / count as f64,
            answer_cpu_ns: answer_cpu_ns.load(Ordering::Acquire) as f64 / count as f64,
            work: 0.0,
        })
    })
}

/// The time of all trips that count, in nanoseconds, and how many they were.
fn trips(
    situation: Situation,
    ms: u64,
    mut trip: impl FnMut(u64) -> Result<(), String>,
) -> Result<(f64, u64), String> {
    let ticks_of = |ns: f64| (ns / ns_per_tick()) as u64;
    let (mut spent, mut count) = (0, 0);
    for counts in [false, true] {
        let longest = ticks_of(ms as f64 * 1e6 / if counts { 1.0 } else { 5.0 });
        let begin = ticks();
        (spent, count) = (0, 0);
        while ticks().wrapping_sub(begin) < longest || count == 0 {
            let burst = ticks();
            for _ in 0..TRIPS_IN_BURST {
                // Those that do not count are far from 0 and from the end.
                let number = if counts { count } else { (1 << 40) + count };
                trip(number)?;
                count += 1;
            }
            spent += ticks().wrapping_sub(burst);
            if situation == Situation::Bursts {
                let until = ticks() + ticks_of(PAUSE_NS);
                while ticks() < until {
                    std::hint::spin_loop();
                }
            }
        }
    }
    Ok((spent as f64 * ns_per_tick(), count))
}
