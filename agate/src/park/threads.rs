//! A thread that parks, by `std::thread::park`, and who wakes it.

use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use crate::park::nanos;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicU64, Ordering};

/// A thread, as others know it.
#[derive(Debug)]
struct Parked {
    thread: Thread,
    epoch: Instant,
    /// When the last waker was about to wake it, in nanoseconds since `epoch`; 0: not known.
    stamp: AtomicU64,
}

/// Wakes a parked thread.
#[derive(Clone, Debug)]
pub(crate) struct Unparker(Arc<Parked>);

/// The current thread.
pub(super) struct Parker(Unparker);

thread_local! {
    static THIS: Unparker = Unparker::new();
}

impl Parker {
    /// Allocates once in the life of a thread.
    pub(super) fn new() -> Self {
        // No longer there when a thread ends: its destructors may wait too.
        let this = THIS
            .try_with(Unparker::clone)
            .unwrap_or_else(|_| Unparker::new());
        this.0.stamp.store(0, Ordering::Relaxed);
        Self(this)
    }

    pub(super) fn unparker(&self) -> Unparker {
        self.0.clone()
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

    /// What the last wake took until now, in nanoseconds, if there was one since `new`.
    pub(super) fn latency(&self) -> Option<u64> {
        let stamp = self.0.0.stamp.load(Ordering::Relaxed);
        (stamp != 0).then(|| self.0.0.now().saturating_sub(stamp))
    }
}

impl Unparker {
    /// The same, for who wakes tasks. Does not allocate.
    pub(crate) fn into_waker(self) -> Waker {
        Waker::from(self.0)
    }

    fn new() -> Self {
        Self(Arc::new(Parked {
            thread: thread::current(),
            epoch: Instant::now(),
            stamp: AtomicU64::new(0),
        }))
    }

    pub(crate) fn wake(&self) {
        self.0.wake_by_ref();
    }
}

impl Parked {
    fn now(&self) -> u64 {
        nanos(self.epoch.elapsed()).max(1)
    }
}

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.stamp.store(self.now(), Ordering::Relaxed);
        self.thread.unpark();
    }
}
