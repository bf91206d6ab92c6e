//! The only place that sleeps: doorbells that senders ring, and threads that wait for a completion.
//!
//! The protocol, and why no wake-up is lost, stands in `park.md` beside this file.
#![allow(unsafe_code, reason = "futex and membarrier are system calls")]

use std::time::{Duration, Instant};

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
use crate::sync::{spin_loop, thread};

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
pub(crate) struct Doorbell {
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
pub(crate) enum Woken {
    Ready,
    TimedOut,
}

impl Doorbell {
    pub(crate) fn new(mode: WaitMode) -> Self {
        Self::with_barrier(mode, Barrier::choose())
    }

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

    /// Wakes the receiver if it sleeps. Returns whether the bell is closed.
    pub(crate) fn answer(&self, word: u32) -> bool {
        if word & SLEEPING != 0 {
            self.stamp.store(self.now(), Ordering::Relaxed);
            // The exchange lets one sender of a burst through: one wake.
            if self.word.fetch_and(!SLEEPING, Ordering::AcqRel) & SLEEPING != 0 {
                self.sleeper.wake(&self.word);
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
        self.sleeper.wake(&self.word);
        before & CLOSED == 0
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

const BUDGET_MAX: u64 = 50_000;
const BUDGET_MIN: u64 = 2_000;

/// What a waiter has learnt about spinning: a profit account for each way of not sleeping.
///
/// A success is worth the wake that it saved, a failure costs the time that it burnt. All times in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gate {
    /// What a wake takes until the woken thread runs.
    wake: u64,
    /// How long to spin at most.
    budget: u64,
    /// Whether a longer spin would have met the last message.
    near: bool,
    spin: Account,
    yielding: Account,
}

#[derive(Clone, Copy, Debug)]
struct Account {
    credit: u64,
    /// When to try again without credit, by the gate's clock.
    next_probe: Option<Instant>,
}

impl Account {
    fn open(&self, near: bool, now: Instant) -> bool {
        self.credit > 0 || (near && self.next_probe.is_none_or(|at| now >= at))
    }

    fn success(&mut self, wake: u64, spent: u64) {
        self.credit = (self.credit + wake.max(spent) - spent).clamp(wake / 2, 32 * wake);
    }

    fn failure(&mut self, spent: u64, now: Instant) {
        self.credit = self.credit.saturating_sub(spent);
        if self.credit == 0 {
            self.next_probe = Some(now + Duration::from_nanos(16 * spent.min(1_000_000_000)));
        }
    }
}

impl Gate {
    pub(crate) const fn new() -> Self {
        const WAKE: u64 = 20_000;
        Self {
            wake: WAKE,
            budget: 10_000,
            near: true,
            spin: Account {
                credit: 2 * WAKE,
                next_probe: None,
            },
            yielding: Account {
                credit: WAKE,
                next_probe: None,
            },
        }
    }

    fn wait(
        &mut self,
        ready: &impl Fn() -> bool,
        deadline: Option<Instant>,
        mut park: impl FnMut(&mut Self),
    ) -> Woken {
        if ready() {
            return Woken::Ready;
        }
        if cfg!(loom) {
            loop {
                park(self);
                if ready() {
                    return Woken::Ready;
                }
            }
        }
        if self.spin.credit > 0 && spin(48, ready) {
            self.spin.credit = (self.spin.credit + self.wake).min(32 * self.wake);
            return Woken::Ready;
        }
        loop {
            let now = Instant::now();
            if deadline.is_some_and(|deadline| now >= deadline) {
                return if ready() {
                    Woken::Ready
                } else {
                    Woken::TimedOut
                };
            }
            if self.spin.open(self.near, now) && self.spin_phase(ready, now) {
                return Woken::Ready;
            }
            let now = Instant::now();
            if self.yielding.open(self.near, now) && self.yield_phase(ready, now) {
                return Woken::Ready;
            }
            park(self);
            if ready() {
                return Woken::Ready;
            }
        }
    }

    fn spin_phase(&mut self, ready: &impl Fn() -> bool, start: Instant) -> bool {
        let paying = self.spin.credit > 0;
        let budget = if paying {
            self.budget
        } else {
            BUDGET_MAX.min(2 * self.wake + 4_000)
        };
        loop {
            let met = spin(8, ready);
            let now = Instant::now();
            let elapsed = nanos(now - start);
            // Time lost to preemption is not the spin's fault: charge at most the budget.
            let spent = elapsed.min(budget);
            if met {
                if elapsed <= 2 * budget + 5_000 {
                    self.spin.success(self.wake, spent);
                    if 2 * spent > self.budget {
                        self.budget = (2 * spent).min(BUDGET_MAX);
                    }
                }
                return true;
            }
            if elapsed >= budget {
                self.spin.failure(spent, now);
                return false;
            }
        }
    }

    fn yield_phase(&mut self, ready: &impl Fn() -> bool, start: Instant) -> bool {
        let mut spent = 0;
        for _ in 0..4 {
            thread::yield_now();
            let met = ready();
            let now = Instant::now();
            // Not clamped: a yield that cost a whole time slice must close this gate.
            spent = nanos(now - start);
            if met {
                self.yielding.success(self.wake, spent);
                return true;
            }
            if spent > self.wake / 4 {
                break;
            }
        }
        self.yielding.failure(spent, Instant::now());
        false
    }

    /// Learns from a sleep of so long, woken with the given latency if that is known.
    fn slept(&mut self, asleep: u64, latency: Option<u64>) {
        if let Some(latency) = latency {
            self.wake = ((7 * self.wake + latency) / 8).clamp(BUDGET_MIN, BUDGET_MAX);
        }
        self.near = asleep.saturating_sub(latency.unwrap_or(self.wake)) < BUDGET_MAX;
        self.budget = if self.near {
            (2 * self.budget).min(BUDGET_MAX)
        } else {
            (self.budget / 2).max(BUDGET_MIN)
        };
    }
}

fn spin(polls: u32, ready: &impl Fn() -> bool) -> bool {
    let polls = if cfg!(miri) { 1 } else { polls };
    for _ in 0..polls {
        if ready() {
            return true;
        }
        spin_loop();
    }
    false
}

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

#[cfg(not(loom))]
mod threads {
    //! A thread that waits for a completion, by `std::thread::park`.

    use std::thread::{self, Thread};
    use std::time::Instant;

    /// The current thread.
    pub(super) struct Parker;

    /// Wakes a parked thread.
    #[derive(Debug)]
    pub(crate) struct Unparker(Thread);

    impl Parker {
        pub(super) fn new() -> Self {
            Self
        }

        pub(super) fn unparker(&self) -> Unparker {
            Unparker(thread::current())
        }

        /// Parks; may return at any time.
        pub(super) fn park(&self, until: Option<Instant>) {
            match until {
                None => thread::park(),
                Some(until) => {
                    thread::park_timeout(until.saturating_duration_since(Instant::now()));
                }
            }
        }
    }

    impl Unparker {
        pub(crate) fn wake(&self) {
            self.0.unpark();
        }
    }
}

#[cfg(loom)]
mod modelled {
    //! The same for loom, whose `unpark` disturbs a thread that is about to join another. Time does not pass there.

    use std::time::Instant;

    use crate::sync::{Arc, Condvar, Mutex};

    pub(super) struct Parker(Arc<(Mutex<bool>, Condvar)>);

    #[derive(Debug)]
    pub(crate) struct Unparker(Arc<(Mutex<bool>, Condvar)>);

    impl Parker {
        pub(super) fn new() -> Self {
            Self(Arc::new((Mutex::new(false), Condvar::new())))
        }

        pub(super) fn unparker(&self) -> Unparker {
            Unparker(Arc::clone(&self.0))
        }

        pub(super) fn park(&self, _: Option<Instant>) {
            let (woken, bell) = &*self.0;
            let mut woken = woken.lock().unwrap();
            while !*woken {
                woken = bell.wait(woken).unwrap();
            }
        }
    }

    impl Unparker {
        pub(crate) fn wake(&self) {
            let (woken, bell) = &*self.0;
            *woken.lock().unwrap() = true;
            bell.notify_one();
        }
    }
}

#[cfg(all(target_os = "linux", not(loom)))]
mod linux {
    //! Sleeping on the word itself by futex; the asymmetric barrier by membarrier.

    use std::time::{Duration, Instant};

    use crate::sync::atomic::AtomicU32;

    /// Nothing to keep: the kernel knows who sleeps on a word.
    #[derive(Debug)]
    pub(super) struct Sleeper;

    impl Sleeper {
        pub(super) fn new() -> Self {
            Self
        }

        /// Sleeps while the word is `expected`; may return at any time.
        pub(super) fn sleep(&self, word: &AtomicU32, expected: u32, until: Option<Instant>) {
            let timeout =
                until.map(|until| timespec(until.saturating_duration_since(Instant::now())));
            let timeout = timeout
                .as_ref()
                .map_or(std::ptr::null(), std::ptr::from_ref);
            let wait = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
            // SAFETY: the word and the time-out live for the whole call; the kernel only reads them.
            unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), wait, expected, timeout) };
        }

        /// Wakes whoever sleeps on the word.
        pub(super) fn wake(&self, word: &AtomicU32) {
            let wake = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
            // SAFETY: the kernel uses the word's address only as a key.
            unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), wake, 1) };
        }
    }

    #[allow(
        clippy::cast_lossless,
        reason = "a long has 32 bits on some systems, which less than a second fits"
    )]
    fn timespec(left: Duration) -> libc::timespec {
        libc::timespec {
            tv_sec: libc::time_t::try_from(left.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: left.subsec_nanos() as libc::c_long,
        }
    }

    #[cfg(not(miri))]
    const PRIVATE_EXPEDITED: libc::c_int = 1 << 3;
    #[cfg(not(miri))]
    const REGISTER_PRIVATE_EXPEDITED: libc::c_int = 1 << 4;

    /// Registers this process for `membarrier`; `false` where the kernel lacks it or a filter forbids it.
    #[cfg(not(miri))]
    pub(super) fn register_membarrier() -> bool {
        // SAFETY: takes integers only.
        unsafe { libc::syscall(libc::SYS_membarrier, REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 }
    }

    /// A full barrier on every core that runs a thread of this process.
    #[cfg(not(miri))]
    pub(super) fn membarrier() -> bool {
        // SAFETY: takes integers only.
        unsafe { libc::syscall(libc::SYS_membarrier, PRIVATE_EXPEDITED, 0, 0) == 0 }
    }
}

#[cfg(any(not(target_os = "linux"), loom))]
mod portable {
    //! Sleeping by a condition variable, for systems without futex and for loom.

    use std::sync::PoisonError;
    use std::time::Instant;

    use crate::sync::atomic::{AtomicU32, Ordering};
    use crate::sync::{Condvar, Mutex};

    /// The lock is taken when going to sleep and when waking, never by a send that wakes nobody.
    #[derive(Debug)]
    pub(super) struct Sleeper {
        lock: Mutex<()>,
        bell: Condvar,
    }

    impl Sleeper {
        pub(super) fn new() -> Self {
            Self {
                lock: Mutex::new(()),
                bell: Condvar::new(),
            }
        }

        /// Sleeps while the word is `expected`; may return at any time.
        pub(super) fn sleep(&self, word: &AtomicU32, expected: u32, until: Option<Instant>) {
            let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
            if word.load(Ordering::Acquire) != expected {
                return;
            }
            match until {
                Some(until) if !cfg!(loom) => {
                    let left = until.saturating_duration_since(Instant::now());
                    drop(self.bell.wait_timeout(guard, left));
                }
                _ => drop(self.bell.wait(guard)),
            }
        }

        /// Wakes whoever sleeps on the word, which was changed before.
        pub(super) fn wake(&self, _: &AtomicU32) {
            // Under the lock nobody is between looking at the word and sleeping.
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.bell.notify_one();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::sync::Arc;
    use crate::sync::atomic::AtomicU64;

    /// One end of a ping-pong that goes to sleep for each message, however soon that comes.
    fn play(
        mine: &(Doorbell, AtomicU64),
        theirs: &(Doorbell, AtomicU64),
        rounds: u64,
        first: bool,
    ) {
        for round in 1..=rounds {
            if first {
                theirs.1.store(round, Ordering::Release);
                theirs.0.ring();
            }
            while mine.1.load(Ordering::Acquire) < round {
                let deadline = Instant::now() + Duration::from_secs(60);
                mine.0
                    .sleep(Some(deadline), &|| mine.1.load(Ordering::Acquire) >= round);
                assert!(Instant::now() < deadline, "a wake-up was lost");
            }
            if !first {
                theirs.1.store(round, Ordering::Release);
                theirs.0.ring();
            }
        }
    }

    /// Loom checks the fence; this is for the barrier that the kernel makes, and for the futex.
    #[test]
    fn no_wake_up_is_lost_in_many_forced_sleeps() {
        let rounds = if cfg!(miri) { 20 } else { 20_000 };
        for barrier in [Barrier::Fence, Barrier::choose()] {
            let new = || {
                (
                    Doorbell::with_barrier(WaitMode::Wake, barrier),
                    AtomicU64::new(0),
                )
            };
            let ends = Arc::new((new(), new()));
            let other = Arc::clone(&ends);
            let thread = thread::spawn(move || play(&other.1, &other.0, rounds, false));
            play(&ends.0, &ends.1, rounds, true);
            thread.join().unwrap();
        }
    }

    #[test]
    fn a_gate_that_never_pays_stays_shut() {
        let mut gate = Gate::new();
        let mut parked = 0;
        for _ in 0..100 {
            let deadline = Instant::now() + Duration::from_secs(60);
            let done = std::cell::Cell::new(false);
            let woken = gate.wait(&|| done.get(), Some(deadline), |gate| {
                // A long sleep: no spin would have met the message.
                gate.slept(1_000_000_000, Some(3_000));
                parked += 1;
                done.set(true);
            });
            assert_eq!(woken, Woken::Ready);
        }
        assert_eq!(parked, 100);
        assert_eq!(
            (gate.spin.credit, gate.yielding.credit, gate.near),
            (0, 0, false)
        );
        assert!((BUDGET_MIN..=BUDGET_MAX).contains(&gate.wake));
        assert_eq!(gate.budget, BUDGET_MIN);
    }

    #[test]
    #[cfg_attr(miri, ignore = "there a spin is one poll")]
    fn a_spin_that_pays_is_not_given_up() {
        let mut gate = Gate::new();
        for _ in 0..100 {
            let polls = std::cell::Cell::new(0);
            let ready = || {
                polls.set(polls.get() + 1);
                polls.get() > 3
            };
            assert_eq!(gate.wait(&ready, None, |_| panic!("parked")), Woken::Ready);
        }
        assert_eq!(gate.spin.credit, 32 * gate.wake);
    }
}
