//! The only place that sleeps: doorbells that senders ring, and threads that park until somebody wakes them.
//!
//! The protocol, and why no wake-up is lost, stands in `park.md` beside this file.

mod barrier;
mod bell;
mod crowd;
mod doorbell;
mod gate;
#[cfg(all(target_os = "linux", not(any(loom, shuttle))))]
mod linux;
#[cfg(any(loom, shuttle))]
mod modelled;
#[cfg(any(not(target_os = "linux"), loom, shuttle))]
mod portable;
mod ready;
mod task;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
#[cfg(not(any(loom, shuttle)))]
mod threads;

use std::time::{Duration, Instant};

pub(crate) use bell::{Alone, Bell};
pub(crate) use doorbell::Doorbell;
pub(crate) use gate::Gate;
#[cfg(all(target_os = "linux", not(any(loom, shuttle))))]
use linux::Sleeper;
#[cfg(any(loom, shuttle))]
use modelled::Parker;
#[cfg(any(loom, shuttle))]
pub(crate) use modelled::Unparker;
#[cfg(any(not(target_os = "linux"), loom, shuttle))]
use portable::Sleeper;
pub(crate) use ready::{Looks, Ready};
#[cfg(not(any(loom, shuttle)))]
use threads::Parker;
#[cfg(not(any(loom, shuttle)))]
pub(crate) use threads::Unparker;

/// How a receiver or owner waits when nothing is there.
///
/// # Examples
///
/// An owner whose senders never pay for a wake, and which looks at its inbox every 50 µs:
///
/// ```
/// use agate::{Handler, Local, OwnerOptions, Pending, Scope, WaitMode};
/// use std::time::Duration;
/// # struct Sink;
/// # impl Handler for Sink {
/// #     type Message = u32;
/// #     fn handle(&mut self, _: u32) {}
/// # }
///
/// let options = OwnerOptions::named("audio").wait_mode(WaitMode::Poll(Duration::from_micros(50)));
/// let audio = Local.owner_from(options, Sink)?;
/// audio.attach()?.send(1)?;
/// assert_eq!(audio.shutdown(Pending::Drain, Duration::from_secs(10))?.handled, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WaitMode {
    /// Spins as long as that has been paying off, then sleeps until a sender wakes it. A wake costs that sender about 7 µs.
    #[default]
    Wake,
    /// Looks once in this interval. Senders never wake its thread, so a send always costs nanoseconds; closing does
    /// wake it, and so is a task that awaits the next message.
    Poll(Duration),
}

/// The receiver (one of several) sleeps, or is about to.
const SLEEPING: u32 = 1;
/// Nothing new is accepted.
const CLOSED: u32 = 2;
/// A task waits; its waker lies in a `TaskCell`.
const TASK: u32 = 4;

/// Whether [`Bell::wait`] ended with something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(
    unreachable_pub,
    reason = "what a scope is built of, named by its sealed trait; rustc 1.85 does not see that"
)]
pub enum Woken {
    Ready,
    TimedOut,
    /// Nobody but this thread could ever make it ready.
    Stalled,
}

/// Waits on the current thread until `done`, or until the deadline. `leave` leaves the given [`Unparker`] with whoever
/// makes `done` true, who wakes after that. It is called again, with the same, after each wake that was for nothing.
pub(crate) fn park_until(
    gate: &mut Gate,
    deadline: Option<Instant>,
    mut leave: impl FnMut(Unparker),
    done: impl Fn() -> bool,
) -> Woken {
    gate.wait(&done, deadline, |gate| {
        let parker = Parker::new();
        let started = Instant::now();
        loop {
            leave(parker.unparker());
            if done() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
            parker.park(deadline);
        }
        gate.slept(nanos(started.elapsed()), parker.latency());
    })
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
