//! Telling an owner something, and asking it while it is awake or asleep.

use std::thread::scope;

use crate::clock::{ns_per_tick, ticks};
use crate::messages::owner::Owner;
use crate::messages::workload::round_trip::{Trips, short, timed_trips};
use crate::messages::workload::{Pins, check, joined};

/// What tells cost, in nanoseconds for each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// The one who tells.
    pub send: f64,
    /// Until all were handled.
    pub handled: f64,
}

/// Runs on the sender's processor with a fresh owner, already asked once.
fn with_owner<O: Owner, T: Send>(
    run: impl FnOnce(&mut O) -> Result<T, String> + Send,
) -> Result<T, String> {
    scope(|scope| {
        joined(scope.spawn(|| {
            // Before this thread is bound: what it starts would be bound with it.
            let mut owner = O::start()?;
            Pins::Apart.sender();
            let total = owner.ask(0).ok_or("no answer came")?;
            check("total", 0, total)?;
            run(&mut owner)
        }))?
    })
}

/// So many tells follow each other, and then an ask that comes back when all are handled. One wake at the start of such a
/// run, where an owner fell asleep, is next to nothing in it.
const RUN: usize = 10_000;

/// Runs of tells, and one before that does not count, for those that grow.
///
/// # Errors
///
/// When the owner counted something else.
pub fn tell<O: Owner>(tells: usize) -> Result<Told, String> {
    let each_run = RUN.min(tells);
    let runs = tells.div_ceil(each_run);
    with_owner(|owner: &mut O| {
        let (mut telling, mut handling) = (0, 0);
        for run in 0..=runs {
            let begin = ticks();
            for _ in 0..each_run {
                if !owner.tell(1) {
                    return Err("a tell was refused".to_owned());
                }
            }
            let told = ticks();
            let total = owner.ask(0).ok_or("no answer came")?;
            let handled = ticks();
            check("total", ((run + 1) * each_run) as u64, total)?;
            if run > 0 {
                telling += told.wrapping_sub(begin);
                handling += handled.wrapping_sub(begin);
            }
        }
        let each = |ticks: u64| ticks as f64 * ns_per_tick() / (runs * each_run) as f64;
        Ok(Told {
            send: each(telling),
            handled: each(handling),
        })
    })
}

/// Asks one after the other: the owner is awake still.
///
/// # Errors
///
/// When an answer is wrong or does not come.
pub fn ask_awake<O: Owner>(longest_ns: u64, most: usize) -> Result<Trips, String> {
    with_owner(|owner: &mut O| {
        timed_trips(longest_ns, most, |number| {
            let total = owner.ask(1).ok_or("no answer came")?;
            check("total", number + 1, total)
        })
    })
}

/// Asks with so many nanoseconds between them, in which an owner that sleeps falls asleep.
///
/// # Errors
///
/// When an answer is wrong or does not come.
pub fn ask_asleep<O: Owner>(gap_ns: u64, asks: usize) -> Result<Trips, String> {
    with_owner(|owner: &mut O| {
        let gap = (gap_ns as f64 / ns_per_tick()) as u64;
        let mut times = Vec::with_capacity(asks);
        let mut total = 0;
        // The first ten teach those that learn.
        for asked in 0..asks + 10 {
            let until = ticks() + gap;
            while ticks() < until {
                std::hint::spin_loop();
            }
            let begin = ticks();
            let answer = owner.ask(1).ok_or("no answer came")?;
            let spent = ticks().wrapping_sub(begin);
            total += 1;
            check("total", total, answer)?;
            if asked >= 10 {
                times.push(short(spent));
            }
        }
        Ok(Trips::of_ticks(&times))
    })
}
