//! A message to the other processor and one back.

use std::thread::scope;

use crate::clock::{ns_per_tick, ticks};
use crate::messages::message::Message;
use crate::messages::peer::{Peer, Rx, Tx};
use crate::messages::workload::{Pins, check, joined};
use crate::stats::quantile;

/// What trips took, in nanoseconds, sorted.
#[derive(Clone, Debug, Default)]
pub struct Trips {
    /// Each of them.
    pub sorted: Vec<f64>,
}

impl Trips {
    /// Of these times in ticks.
    pub fn of_ticks(ticks: &[u32]) -> Self {
        let mut sorted: Vec<f64> = ticks
            .iter()
            .map(|ticks| f64::from(*ticks) * ns_per_tick())
            .collect();
        sorted.sort_by(f64::total_cmp);
        Self { sorted }
    }

    /// The quantile `q`.
    pub fn quantile(&self, q: f64) -> f64 {
        quantile(&self.sorted, q)
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.sorted.iter().sum::<f64>() / self.sorted.len().max(1) as f64
    }
}

/// A time in ticks, no longer than what fits.
#[inline(always)]
pub fn short(ticks: u64) -> u32 {
    u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// Makes trips for so long, or so many, and some before that do not count.
///
/// # Errors
///
/// What the first failing trip says.
pub fn timed_trips(
    longest_ns: u64,
    most: usize,
    mut trip: impl FnMut(u64) -> Result<(), String>,
) -> Result<Trips, String> {
    let longest = (longest_ns as f64 / ns_per_tick()) as u64;
    let mut number = 0;
    let mut times = Vec::with_capacity(most);
    for counts in [false, true] {
        let (longest, most) = if counts {
            (longest, most)
        } else {
            (longest / 8, most / 8)
        };
        let begin = ticks();
        for _ in 0..most.max(1) {
            let before = ticks();
            trip(number)?;
            let after = ticks();
            number += 1;
            if counts {
                times.push(short(after.wrapping_sub(before)));
            }
            if after.wrapping_sub(begin) > longest {
                break;
            }
        }
    }
    Ok(Trips::of_ticks(&times))
}

const END: u64 = (1 << 60) - 1;

/// Trips of one candidate.
///
/// # Errors
///
/// When an answer is wrong or does not come.
pub fn round_trip<M: Message, P: Peer<M>>(longest_ns: u64, most: usize) -> Result<Trips, String> {
    let (mut there, mut asked) = P::open(1);
    let (mut back, mut answered) = P::open(1);
    let (mut there, mut back) = (
        there.pop().ok_or("no sender")?,
        back.pop().ok_or("no sender")?,
    );
    scope(|scope| {
        let answering = scope.spawn(move || {
            Pins::Apart.receiver();
            while let Some(message) = asked.next() {
                if message.number() == END {
                    break;
                }
                back.send(M::new(message.number() + 1));
            }
        });
        let asking = scope.spawn(move || {
            Pins::Apart.sender();
            let trips = timed_trips(longest_ns, most, |number| {
                there.send(M::new(number));
                let answer = answered.next().ok_or("no answer came")?;
                check("number in a round trip", number + 1, answer.number())
            });
            there.send(M::new(END));
            trips
        });
        let trips = joined(asking)?;
        joined(answering)?;
        trips
    })
}
