//! One message in a while: what the send costs, and when it arrives.

use std::hint::black_box;
use std::sync::mpsc;
use std::thread::scope;
use std::time::Duration;

use agate::{Handler, Local, OwnerOptions, Pending, Scope, WaitMode};

use crate::clock::{ns_per_tick, ticks};
use crate::messages::message::Message;
use crate::messages::peer::{Class, Info, Peer, Rx, Tx};
use crate::messages::workload::round_trip::{Trips, short};
use crate::messages::workload::{Pins, check, joined};

/// A send that took longer than this has most probably woken somebody: a wake is a system call of several microseconds,
/// and everything else in a send takes less than one.
pub const WOKE_NS: f64 = 2_000.0;

/// A run of paced sends.
#[derive(Clone, Debug, Default)]
pub struct Paced {
    /// What sends took, with the two clock reads around them.
    pub sends: Trips,
    /// From before the send until the receiver had it; nothing where there was no receiver.
    pub latencies: Trips,
}

impl Paced {
    /// The share of sends that took longer than [`WOKE_NS`].
    pub fn woke(&self) -> f64 {
        let sends = &self.sends.sorted;
        let slow = sends.len() - sends.partition_point(|ns| *ns <= WOKE_NS);
        slow as f64 / sends.len().max(1) as f64
    }
}

/// How often, and how many times.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Nanoseconds from one send to the next.
    pub gap_ns: u64,
    /// So many sends.
    pub sends: usize,
}

/// Sends its own time stamp at each tick of the pace; the times of the sends in ticks, and the sum of the stamps.
fn send_paced(pace: Pace, mut send: impl FnMut(u64)) -> (Vec<u32>, u64) {
    let gap = (pace.gap_ns as f64 / ns_per_tick()) as u64;
    let mut times = vec![0_u32; pace.sends];
    let mut sum = 0_u64;
    // So that the receiver waits when the first comes.
    let mut next = ticks() + gap.max((100_000.0 / ns_per_tick()) as u64);
    for time in &mut times {
        while ticks() < next {
            std::hint::spin_loop();
        }
        let begin = ticks();
        send(begin);
        let end = ticks();
        sum = sum.wrapping_add(begin);
        *time = short(end.wrapping_sub(begin));
        next = end.max(next + gap);
    }
    (times, sum)
}

/// What the receiver saw.
#[derive(Debug, Default)]
struct Seen {
    latencies: Vec<u32>,
    sum: u64,
}

impl Seen {
    #[inline(always)]
    fn see(&mut self, stamp: u64) {
        self.latencies.push(short(ticks().saturating_sub(stamp)));
        self.sum = self.sum.wrapping_add(stamp);
    }
}

fn result(pace: Pace, (times, sum): (Vec<u32>, u64), seen: &Seen) -> Result<Paced, String> {
    check("messages", pace.sends as u64, seen.latencies.len() as u64)?;
    check("sum of messages", sum, seen.sum)?;
    Ok(Paced {
        sends: Trips::of_ticks(&times),
        latencies: Trips::of_ticks(&seen.latencies),
    })
}

/// A queue whose receiver waits for the next message all the time.
///
/// # Errors
///
/// When what arrived is not what was sent.
pub fn paced<M: Message, P: Peer<M>>(pace: Pace) -> Result<Paced, String> {
    let (mut txs, mut rx) = P::open(1);
    let mut tx = txs.pop().ok_or("no sender")?;
    scope(|scope| {
        let receiver = scope.spawn(move || {
            Pins::Apart.receiver();
            let mut seen = Seen {
                latencies: Vec::with_capacity(pace.sends),
                sum: 0,
            };
            while seen.latencies.len() < pace.sends {
                match rx.next() {
                    Some(message) => seen.see(message.number()),
                    None => break,
                }
            }
            seen
        });
        let sender = scope.spawn(move || {
            Pins::Apart.sender();
            send_paced(pace, |stamp| tx.send(M::new(stamp)))
        });
        let sent = joined(sender)?;
        result(pace, sent, &joined(receiver)?)
    })
}

/// What the clock alone takes.
pub fn clock_info() -> Info {
    Info::bounded("limit: the clock, no send", Class::Limit)
}

/// The pace with no queue: what the clock alone takes.
///
/// # Errors
///
/// When a thread panicked.
pub fn clock(pace: Pace) -> Result<Paced, String> {
    scope(|scope| {
        let (times, _) = joined(scope.spawn(move || {
            Pins::Apart.sender();
            send_paced(pace, |stamp| {
                black_box(stamp);
            })
        }))?;
        Ok(Paced {
            sends: Trips::of_ticks(&times),
            latencies: Trips::default(),
        })
    })
}

/// An owner that notes when messages came.
struct Noting {
    seen: Seen,
    report: mpsc::Sender<Seen>,
}

impl Handler for Noting {
    type Message = u64;

    #[inline]
    fn handle(&mut self, stamp: u64) {
        self.seen.see(stamp);
    }
}

impl Drop for Noting {
    fn drop(&mut self) {
        let _ = self.report.send(std::mem::take(&mut self.seen));
    }
}

/// What an owner of agate that waits in this way is called.
pub fn owner_info(mode: WaitMode) -> Info {
    let name = match mode {
        WaitMode::Poll(interval) => format!("agate owner, polls every {interval:?}"),
        _ => "agate owner".to_owned(),
    };
    Info::unbounded(name, Class::Parks)
}

/// An owner of agate that waits in this way.
///
/// # Errors
///
/// When what arrived is not what was sent, or the owner does not start or end.
pub fn paced_owner(mode: WaitMode, pace: Pace) -> Result<Paced, String> {
    let (report, reported) = mpsc::channel();
    let options = OwnerOptions::named("noting")
        .wait_mode(mode)
        .on_start(|| Pins::Apart.receiver());
    let make = move || Noting {
        seen: Seen {
            latencies: Vec::with_capacity(pace.sends),
            sum: 0,
        },
        report,
    };
    let owner = Local
        .owner_with(options, make)
        .map_err(|why| why.to_string())?;
    let port = owner.attach().map_err(|why| why.to_string())?;
    let sent = scope(|scope| {
        joined(scope.spawn(move || {
            Pins::Apart.sender();
            send_paced(pace, |stamp| {
                let _ = port.send(stamp);
            })
        }))
    })?;
    owner
        .shutdown(Pending::Drain, Duration::from_secs(10))
        .map_err(|why| why.to_string())?;
    let seen = reported.recv().map_err(|why| why.to_string())?;
    result(pace, sent, &seen)
}
