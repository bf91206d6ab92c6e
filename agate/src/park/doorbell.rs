//! The doorbell between threads: the word that senders look at, and who waits for it to be rung.

use std::task::Waker;
use std::time::{Duration, Instant};

use crate::caught;
use crate::park::barrier::Barrier;
use crate::park::crowd::Crowd;
use crate::park::task::TaskCell;
use crate::park::{Bell, CLOSED, Gate, Ready, SLEEPING, Sleeper, TASK, WaitMode, Woken, nanos};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

/// What senders look at after each publish, and what the receiver sleeps on.
///
/// Its word is read by every send and written only when the receiver goes to sleep, is woken, or closes.
#[derive(Debug)]
pub struct Doorbell {
    pub(super) word: AtomicU32,
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

impl Doorbell {
    pub(super) fn with_barrier(mode: WaitMode, barrier: Barrier) -> Self {
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
        let several = self.crowd.as_deref().into_iter().flat_map(Crowd::tasks);
        let tasks = std::iter::once(&self.task).chain(several);
        for waker in tasks.filter_map(TaskCell::take) {
            caught::run(|| waker.wake());
        }
    }

    fn register_in(&self, task: &TaskCell, waker: &Waker) {
        let left = task.put(waker);
        self.word.fetch_or(TASK, Ordering::SeqCst);
        // Where the waker has no place now, or the kernel refuses its barrier, the task looks again soon instead.
        if !(self.barrier.heavy() && left) {
            #[cfg(any(loom, shuttle))]
            crate::sync::thread::yield_now();
            waker.wake_by_ref();
        }
    }

    fn poll_until(
        &self,
        interval: Duration,
        deadline: Option<Instant>,
        ready: impl Ready,
    ) -> Woken {
        loop {
            let turn = self.turn.load(Ordering::Acquire);
            if ready.is_over() {
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

impl Bell for Doorbell {
    const LONELY: bool = false;

    fn new(mode: WaitMode) -> Self {
        Self::with_barrier(mode, Barrier::choose())
    }

    fn for_many(mode: WaitMode) -> Self {
        Self {
            crowd: Some(Box::new(Crowd::new())),
            ..Self::new(mode)
        }
    }

    fn for_tasks() -> Self {
        Self {
            crowd: Some(Box::new(Crowd::new())),
            ..Self::with_barrier(WaitMode::Wake, Barrier::Fence)
        }
    }

    fn wakes(&self) -> u64 {
        self.wakes.load(Ordering::Relaxed)
    }

    fn enter(&self) -> Option<u32> {
        self.crowd.as_ref()?.enter()
    }

    fn leave(&self, seat: u32) {
        if let Some(crowd) = &self.crowd {
            crowd.leave(seat);
        }
    }

    fn register_at(&self, seat: u32, waker: &Waker) {
        if let Some(crowd) = &self.crowd {
            self.register_in(crowd.task(seat), waker);
        }
    }

    /// Others may wait, so `TASK` stays.
    fn unregister_at(&self, seat: u32) {
        if let Some(crowd) = &self.crowd {
            drop(crowd.task(seat).take());
        }
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

    fn nudge(&self) {
        self.ring();
        if let WaitMode::Poll(_) = self.mode {
            self.wake_threads();
        }
    }

    fn close(&self) -> bool {
        let before = self.word.swap(CLOSED, Ordering::AcqRel);
        self.wake_threads();
        if before & TASK != 0 {
            self.wake_tasks();
        }
        before & CLOSED == 0
    }

    fn heavy_barrier(&self) {
        if !self.barrier.heavy() {
            fence(Ordering::SeqCst);
        }
    }

    fn wait(&self, gate: &mut Gate, deadline: Option<Instant>, ready: impl Ready) -> Woken {
        if let WaitMode::Poll(interval) = self.mode {
            return self.poll_until(interval, deadline, ready);
        }
        gate.wait(&ready, deadline, |gate| {
            let asleep = self.now();
            self.stamp.store(0, Ordering::Relaxed);
            self.sleep(deadline, &|| ready.is_over());
            let now = self.now();
            let latency = match self.stamp.load(Ordering::Relaxed) {
                0 => None,
                stamp => Some(now.saturating_sub(stamp)),
            };
            gate.slept(now - asleep, latency);
        })
    }

    fn register(&self, waker: &Waker) {
        self.register_in(&self.task, waker);
    }

    fn unregister(&self) {
        if self.crowd.is_none() && self.word.load(Ordering::Relaxed) & TASK != 0 {
            self.word.fetch_and(!TASK, Ordering::AcqRel);
        }
        drop(self.task.take());
    }
}
