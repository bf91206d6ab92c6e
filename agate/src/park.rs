//! The only place that sleeps: doorbells that senders ring, and threads that wait for a completion.
//!
//! The protocol, and why no wake-up is lost, stands in `park.md` beside this file.

mod bell;
mod gate;
#[cfg(all(target_os = "linux", not(loom)))]
mod linux;
#[cfg(loom)]
mod modelled;
#[cfg(any(not(target_os = "linux"), loom))]
mod portable;
#[cfg(all(test, not(loom)))]
mod tests;
#[cfg(not(loom))]
mod threads;

use std::time::{Duration, Instant};

pub(crate) use bell::{Alone, Bell};
pub(crate) use gate::Gate;
#[cfg(all(target_os = "linux", not(loom)))]
use linux::Sleeper;
#[cfg(loom)]
use modelled::Parker;
#[cfg(loom)]
pub(crate) use modelled::Unparker;
#[cfg(any(not(target_os = "linux"), loom))]
use portable::Sleeper;
#[cfg(not(loom))]
use threads::Parker;
#[cfg(not(loom))]
pub(crate) use threads::Unparker;

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// How a receiver or owner waits when nothing is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WaitMode {
    /// Spins as long as that has been paying off, then sleeps until a sender wakes it. A wake costs that sender about 7 µs.
    #[default]
    Wake,
    /// Looks once in this interval. Senders never wake it, so a send always costs nanoseconds; closing does wake it.
    Poll(Duration),
}

/// The receiver sleeps, or is about to.
const SLEEPING: u32 = 1;
/// Nothing new is accepted.
const CLOSED: u32 = 2;

/// What senders look at after each publish, and what the receiver sleeps on.
///
/// Its word is read by every send and written only when the receiver goes to sleep, is woken, or closes.
#[derive(Debug)]
pub struct Doorbell {
    word: AtomicU32,
    barrier: Barrier,
    mode: WaitMode,
    /// When the last waker was about to wake, in nanoseconds since `epoch`; 0: not known.
    stamp: AtomicU64,
    epoch: Instant,
    sleeper: Sleeper,
}

/// How the waiter's store and load are kept in order against a sender's; chosen once, never switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Barrier {
    /// Both sides run a full fence.
    Fence,
    /// The mutant that loses wake-ups, for the model that proves that the fence is needed.
    #[cfg(all(test, loom))]
    Missing,
    /// The waiter has the kernel run a barrier on every core where this process runs; the sender runs none.
    #[cfg(all(target_os = "linux", not(loom), not(miri)))]
    Membarrier,
}

/// Whether [`Doorbell::wait`] ended with something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    Ready,
    TimedOut,
    /// Nobody but this thread could ever make it ready.
    Stalled,
}

impl Doorbell {
    fn with_barrier(mode: WaitMode, barrier: Barrier) -> Self {
        let sleeper = Sleeper::new();
        Self {
            word: AtomicU32::new(0),
            barrier,
            mode,
            stamp: AtomicU64::new(0),
            epoch: Instant::now(),
            sleeper,
        }
    }

    #[cfg(all(test, loom))]
    pub(crate) fn without_barrier() -> Self {
        Self::with_barrier(WaitMode::Wake, Barrier::Missing)
    }

    fn poll_until(
        &self,
        interval: Duration,
        deadline: Option<Instant>,
        ready: impl Fn() -> bool,
    ) -> Woken {
        loop {
            if ready() {
                return Woken::Ready;
            }
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return Woken::TimedOut;
            }
            // An interval beyond what the clock can count means: until closed.
            let next = now.checked_add(interval);
            let until = [deadline, next].into_iter().flatten().min();
            // No SLEEPING: senders see 0 and wake nobody; `close` always wakes.
            self.sleeper.sleep(&self.word, 0, until);
        }
    }

    /// Sleeps once: until woken, closed or the deadline; returns at once if `ready`.
    fn sleep(&self, deadline: Option<Instant>, ready: &impl Fn() -> bool) {
        if self.word.fetch_or(SLEEPING, Ordering::SeqCst) & CLOSED != 0 {
            self.word.fetch_and(!SLEEPING, Ordering::Relaxed);
            return;
        }
        // Should the kernel refuse the barrier that it granted at creation, sleep in short pieces: late, never lost.
        let until = if self.barrier.heavy() {
            deadline
        } else {
            Some(Instant::now() + Duration::from_millis(1))
        };
        if ready() {
            self.word.fetch_and(!SLEEPING, Ordering::Relaxed);
            return;
        }
        while self.word.load(Ordering::Acquire) == SLEEPING {
            if until.is_some_and(|until| Instant::now() >= until) {
                self.word.fetch_and(!SLEEPING, Ordering::Acquire);
                return;
            }
            self.sleeper.sleep(&self.word, SLEEPING, until);
        }
    }

    fn now(&self) -> u64 {
        nanos(self.epoch.elapsed()).max(1)
    }
}

impl Bell for Doorbell {
    fn new(mode: WaitMode) -> Self {
        Self::with_barrier(mode, Barrier::choose())
    }

    #[inline(always)]
    fn is_closed(&self) -> bool {
        self.word.load(Ordering::Relaxed) & CLOSED != 0
    }

    fn is_closed_acquire(&self) -> bool {
        self.word.load(Ordering::Acquire) & CLOSED != 0
    }

    #[inline(always)]
    fn after_publish(&self) -> u32 {
        self.barrier.light();
        self.word.load(Ordering::Relaxed)
    }

    fn answer(&self, word: u32) -> bool {
        if word & SLEEPING != 0 {
            self.stamp.store(self.now(), Ordering::Relaxed);
            // The exchange lets one sender of a burst through: one wake.
            if self.word.fetch_and(!SLEEPING, Ordering::AcqRel) & SLEEPING != 0 {
                self.sleeper.wake(&self.word);
            }
        }
        word & CLOSED != 0
    }

    fn close(&self) -> bool {
        let before = self.word.swap(CLOSED, Ordering::AcqRel);
        self.sleeper.wake(&self.word);
        before & CLOSED == 0
    }

    fn heavy_barrier(&self) {
        if !self.barrier.heavy() {
            fence(Ordering::SeqCst);
        }
    }

    fn wait(&self, gate: &mut Gate, deadline: Option<Instant>, ready: impl Fn() -> bool) -> Woken {
        if let WaitMode::Poll(interval) = self.mode {
            return self.poll_until(interval, deadline, ready);
        }
        gate.wait(&ready, deadline, |gate| {
            let asleep = self.now();
            self.stamp.store(0, Ordering::Relaxed);
            self.sleep(deadline, &ready);
            let now = self.now();
            let latency = match self.stamp.load(Ordering::Relaxed) {
                0 => None,
                stamp => Some(now.saturating_sub(stamp)),
            };
            gate.slept(now - asleep, latency);
        })
    }
}

impl Barrier {
    fn choose() -> Self {
        #[cfg(all(target_os = "linux", not(loom), not(miri)))]
        if linux::register_membarrier() {
            return Self::Membarrier;
        }
        Self::Fence
    }

    /// The sender's half, between publishing and looking.
    #[inline(always)]
    fn light(self) {
        match self {
            Self::Fence => fence(Ordering::SeqCst),
            #[cfg(all(test, loom))]
            Self::Missing => {}
            #[cfg(all(target_os = "linux", not(loom), not(miri)))]
            Self::Membarrier => std::sync::atomic::compiler_fence(Ordering::SeqCst),
        }
    }

    /// The waiter's half, between announcing and looking. `false` when the kernel failed to do it.
    fn heavy(self) -> bool {
        match self {
            Self::Fence => {
                fence(Ordering::SeqCst);
                true
            }
            #[cfg(all(test, loom))]
            Self::Missing => true,
            #[cfg(all(target_os = "linux", not(loom), not(miri)))]
            Self::Membarrier => linux::membarrier(),
        }
    }
}

/// Waits on the current thread until `done`, or until the deadline. `leave` leaves the given [`Unparker`] with whoever
/// makes `done` true, who calls [`Unparker::wake`] after that.
pub(crate) fn park_until(
    gate: &mut Gate,
    deadline: Option<Instant>,
    mut leave: impl FnMut(Unparker),
    done: impl Fn() -> bool,
) -> Woken {
    gate.wait(&done, deadline, |gate| {
        let parker = Parker::new();
        leave(parker.unparker());
        let started = Instant::now();
        while !done() && deadline.is_none_or(|deadline| Instant::now() < deadline) {
            parker.park(deadline);
        }
        gate.slept(nanos(started.elapsed()), None);
    })
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
