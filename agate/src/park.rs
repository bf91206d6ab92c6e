//! The only place that sleeps: doorbells that senders ring, and threads that wait for a completion.
//!
//! The protocol, and why no wake-up is lost, stands in `park.md` beside this file.

mod crowd;
mod gate;
#[cfg(all(target_os = "linux", not(loom)))]
mod linux;
#[cfg(loom)]
mod modelled;
#[cfg(any(not(target_os = "linux"), loom))]
mod portable;
mod task;
#[cfg(all(test, not(loom)))]
mod tests;
#[cfg(not(loom))]
mod threads;

use std::task::Waker;
use std::time::{Duration, Instant};

use crowd::Crowd;
pub(crate) use gate::Gate;
#[cfg(all(target_os = "linux", not(loom)))]
use linux::Sleeper;
#[cfg(loom)]
pub(crate) use modelled::{Parker, Unparker};
#[cfg(any(not(target_os = "linux"), loom))]
use portable::Sleeper;
use task::TaskCell;
#[cfg(not(loom))]
pub(crate) use threads::{Parker, Unparker};

use crate::caught;
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

/// The receiver (one of several) sleeps, or is about to.
const SLEEPING: u32 = 1;
/// Nothing new is accepted.
const CLOSED: u32 = 2;
/// A task waits, its waker lies in a [`TaskCell`].
const TASK: u32 = 4;

/// What senders look at after each publish, and what the receiver sleeps on.
///
/// Its word is read by every send and written only when the receiver goes to sleep, is woken, or closes.
#[derive(Debug)]
pub(crate) struct Doorbell {
    word: AtomicU32,
    barrier: Barrier,
    mode: WaitMode,
    /// Counts the wakes; who sleeps does so on this word, and no wake escapes it.
    turn: AtomicU32,
    /// When the last waker was about to wake, in nanoseconds since `epoch`; 0: not known.
    stamp: AtomicU64,
    epoch: Instant,
    sleeper: Sleeper,
    /// How many calls of the kernel were made to wake somebody.
    wakes: AtomicU64,
    /// Where the only receiver's task leaves its waker.
    task: TaskCell,
    /// Where it is when there are several receivers.
    crowd: Option<Box<Crowd>>,
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
pub(crate) enum Woken {
    Ready,
    TimedOut,
}

impl Doorbell {
    pub(crate) fn new(mode: WaitMode) -> Self {
        Self::with_barrier(mode, Barrier::choose())
    }

    /// A doorbell on which several receivers may wait: each wakes for every ring. A receiver's tasks need a
    /// [`seat`](Self::enter) there.
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "for queues with several receivers")
    )]
    pub(crate) fn for_many(mode: WaitMode) -> Self {
        Self {
            crowd: Some(Box::new(Crowd::new())),
            ..Self::new(mode)
        }
    }

    fn with_barrier(mode: WaitMode, barrier: Barrier) -> Self {
        let sleeper = Sleeper::new();
        Self {
            word: AtomicU32::new(0),
            barrier,
            mode,
            turn: AtomicU32::new(0),
            stamp: AtomicU64::new(0),
            epoch: Instant::now(),
            sleeper,
            wakes: AtomicU64::new(0),
            task: TaskCell::new(),
            crowd: None,
        }
    }

    #[cfg(all(test, loom))]
    pub(crate) fn without_barrier() -> Self {
        Self::with_barrier(WaitMode::Wake, Barrier::Missing)
    }

    /// Whether nothing new is accepted.
    #[inline(always)]
    pub(crate) fn is_closed(&self) -> bool {
        self.word.load(Ordering::Relaxed) & CLOSED != 0
    }

    /// As `is_closed`, and what happened before the close is visible then.
    pub(crate) fn is_closed_acquire(&self) -> bool {
        self.word.load(Ordering::Acquire) & CLOSED != 0
    }

    /// To be called after each publish. 0: there is nothing to do; else call [`answer`](Self::answer) with it.
    #[inline(always)]
    pub(crate) fn after_publish(&self) -> u32 {
        self.barrier.light();
        self.word.load(Ordering::Relaxed)
    }

    /// Wakes the receiver, thread or task, if it sleeps. Returns whether the bell is closed.
    pub(crate) fn answer(&self, word: u32) -> bool {
        if word & (SLEEPING | TASK) != 0 {
            // The exchange lets one sender of a burst through: one wake.
            let before = self.word.fetch_and(!(SLEEPING | TASK), Ordering::AcqRel);
            if before & SLEEPING != 0 {
                self.wake_threads();
            }
            if before & TASK != 0 {
                self.wake_tasks();
            }
        }
        word & CLOSED != 0
    }

    /// Both in one, for what happens rarely.
    pub(crate) fn ring(&self) -> bool {
        self.answer(self.after_publish())
    }

    /// Closes and wakes the receiver, whatever its mode. Returns whether this call was the first.
    pub(crate) fn close(&self) -> bool {
        let before = self.word.swap(CLOSED, Ordering::AcqRel);
        self.wake_threads();
        if before & TASK != 0 {
            self.wake_tasks();
        }
        before & CLOSED == 0
    }

    #[cold]
    fn wake_threads(&self) {
        self.stamp.store(self.now(), Ordering::Relaxed);
        self.turn.fetch_add(1, Ordering::Release);
        self.wakes.fetch_add(1, Ordering::Relaxed);
        self.sleeper.wake(&self.turn);
    }

    /// Wakes the tasks that wait. A panic in a waker is caught: it must not end the thread that sends.
    #[cold]
    fn wake_tasks(&self) {
        let crowd = self.crowd.as_deref();
        let several = crowd.into_iter().flat_map(Crowd::tasks);
        for waker in std::iter::once(&self.task)
            .chain(several)
            .filter_map(TaskCell::take)
        {
            caught::run(|| waker.wake());
        }
    }

    /// How many times the kernel was called to wake a thread, closing included.
    #[cfg_attr(not(test), allow(dead_code, reason = "for counters and tests"))]
    pub(crate) fn wakes(&self) -> u64 {
        self.wakes.load(Ordering::Relaxed)
    }

    /// Has the next ring wake a task. The caller looks whether it is ready after this, and returns `Pending` only if
    /// not. Called by the receiver only.
    pub(crate) fn register(&self, waker: &Waker) {
        self.register_in(&self.task, waker);
    }

    /// Takes the waker back, if it was not used.
    pub(crate) fn unregister(&self) {
        if self.crowd.is_none() && self.word.load(Ordering::Relaxed) & TASK != 0 {
            self.word.fetch_and(!TASK, Ordering::AcqRel);
        }
        drop(self.task.take());
    }

    /// Takes a seat for the tasks of one of several receivers; `None` when there are too many.
    #[allow(dead_code, reason = "for queues with several receivers")]
    pub(crate) fn enter(&self) -> Option<u32> {
        self.crowd.as_ref()?.enter()
    }

    /// Gives a seat back.
    #[allow(dead_code, reason = "for queues with several receivers")]
    pub(crate) fn leave(&self, seat: u32) {
        if let Some(crowd) = &self.crowd {
            crowd.leave(seat);
        }
    }

    /// As [`register`](Self::register), for who has that seat.
    #[allow(dead_code, reason = "for queues with several receivers")]
    pub(crate) fn register_at(&self, seat: u32, waker: &Waker) {
        if let Some(crowd) = &self.crowd {
            self.register_in(crowd.task(seat), waker);
        }
    }

    /// As [`unregister`](Self::unregister), for who has that seat. Others may wait, so `TASK` stays.
    #[allow(dead_code, reason = "for queues with several receivers")]
    pub(crate) fn unregister_at(&self, seat: u32) {
        if let Some(crowd) = &self.crowd {
            drop(crowd.task(seat).take());
        }
    }

    fn register_in(&self, task: &TaskCell, waker: &Waker) {
        let left = task.put(waker);
        self.word.fetch_or(TASK, Ordering::SeqCst);
        // Where the waker has no place now, or the kernel refuses its barrier, the task looks again soon instead.
        if !(self.barrier.heavy() && left) {
            #[cfg(loom)]
            crate::sync::thread::yield_now();
            waker.wake_by_ref();
        }
    }

    /// The waiter's half of the barrier: everything that senders published before they looked at the word is visible
    /// after this, or they see what was stored to the word before.
    pub(crate) fn heavy_barrier(&self) {
        if !self.barrier.heavy() {
            fence(Ordering::SeqCst);
        }
    }

    /// Waits until `ready`, spinning and sleeping as `gate` has learnt, or until the deadline.
    ///
    /// `ready` must be true once the bell is closed. Called by the receiver only.
    pub(crate) fn wait(
        &self,
        gate: &mut Gate,
        deadline: Option<Instant>,
        ready: impl Fn() -> bool,
    ) -> Woken {
        if let WaitMode::Poll(interval) = self.mode {
            return self.poll(interval, deadline, ready);
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

    fn poll(
        &self,
        interval: Duration,
        deadline: Option<Instant>,
        ready: impl Fn() -> bool,
    ) -> Woken {
        loop {
            let turn = self.turn.load(Ordering::Acquire);
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
            self.sleeper.sleep(&self.turn, turn, until);
        }
    }

    /// Sleeps once: until woken, closed or the deadline; returns at once if `ready`.
    pub(crate) fn sleep(&self, deadline: Option<Instant>, ready: &impl Fn() -> bool) {
        // First, so that every wake for a SLEEPING that is set below changes it.
        let turn = self.turn.load(Ordering::Acquire);
        let closed = self.word.fetch_or(SLEEPING, Ordering::SeqCst) & CLOSED != 0;
        if !closed {
            // Should the kernel refuse the barrier that it granted at creation, sleep in short pieces: late, never lost.
            let until = if self.barrier.heavy() {
                deadline
            } else {
                Some(Instant::now() + Duration::from_millis(1))
            };
            if !ready() {
                self.sleep_for(turn, until);
            }
        }
        // With several receivers the bit may be another's: the next sender clears it.
        if self.crowd.is_none() && self.word.load(Ordering::Relaxed) & SLEEPING != 0 {
            self.word.fetch_and(!SLEEPING, Ordering::AcqRel);
        }
    }

    /// Sleeps as long as `turn` is the last wake.
    fn sleep_for(&self, turn: u32, until: Option<Instant>) {
        while self.turn.load(Ordering::Acquire) == turn
            && until.is_none_or(|until| Instant::now() < until)
        {
            self.sleeper.sleep(&self.turn, turn, until);
        }
    }

    fn now(&self) -> u64 {
        nanos(self.epoch.elapsed()).max(1)
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

/// Waits on the current thread until `done`, or until the deadline. `leave` leaves a waker of the given [`Parker`] with
/// whoever makes `done` true, who wakes after that; it is called again after each wake that was for nothing.
pub(crate) fn park_until(
    gate: &mut Gate,
    deadline: Option<Instant>,
    mut leave: impl FnMut(&Parker),
    done: impl Fn() -> bool,
) -> Woken {
    gate.wait(&done, deadline, |gate| {
        let parker = Parker::new();
        let started = Instant::now();
        loop {
            leave(&parker);
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
