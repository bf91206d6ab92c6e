//! The keeper: the thread that looks after the pools' owner where its users drive that. What the owner wants to do at a
//! time, give up slots that do not come, help shards, trim, is done then, also if nobody comes by.
//!
//! # Invariants
//!
//! - K1: the owner writes `at` and then passes `planned`; the keeper sets `planned` and then reads `at` again. So either the
//!   keeper plans for the newest time, or the owner sees that it plans for a later one, and wakes it.

use crate::pool::PoolMessage;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::turnstile::Turnstile;
use agate::{Handler, Port};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where nothing is to be done at any time.
pub(crate) const NEVER: u64 = u64::MAX;
/// How long the keeper leaves an owner alone that it found busy, at first and at most.
const AGAIN_AFTER: Duration = Duration::from_millis(1);
const AGAIN_AT_MOST: Duration = Duration::from_millis(32);

/// When the owner wants to be driven, and for when the keeper plans, in nanoseconds.
pub(crate) struct Times {
    at: AtomicU64,
    pub(crate) planned: Turnstile,
}

impl Times {
    pub(crate) fn new() -> Self {
        Self {
            at: AtomicU64::new(NEVER),
            planned: Turnstile::new(NEVER),
        }
    }

    /// The owner's: whether the keeper must look again. Nobody else writes the time.
    pub(crate) fn want(&self, at: u64) -> bool {
        if self.at.load(Ordering::Relaxed) == at {
            return false;
        }
        // K1.
        self.at.store(at, Ordering::Release);
        at < self.planned.pass()
    }

    /// The keeper's: the time that it plans for from now on.
    pub(crate) fn plan(&self) -> u64 {
        let mut seen = self.at.load(Ordering::Acquire);
        // K1. It changes again and again only while the owner is driven again and again.
        loop {
            self.planned.set(seen);
            let now = self.at.load(Ordering::Acquire);
            if now == seen {
                return seen;
            }
            seen = now;
        }
    }
}

/// Has the keeper look at the times again.
pub(crate) struct LookAgain;

/// The owner's end.
pub(crate) struct Alarm {
    base: Instant,
    times: Arc<Times>,
    keeper: Port<LookAgain>,
}

impl Alarm {
    /// The owner wants to be driven at this time, and at no other.
    pub(crate) fn set(&self, at: Option<Instant>) {
        let since = |at: Instant| {
            let since = at.saturating_duration_since(self.base).as_nanos();
            u64::try_from(since).unwrap_or(NEVER)
        };
        if self.times.want(at.map_or(NEVER, since)) {
            // A keeper that has ended is missed by nobody: the service shuts down.
            let _ = self.keeper.send(LookAgain);
        }
    }
}

impl Drop for Alarm {
    /// The owner has ended, and wants nothing any more.
    fn drop(&mut self) {
        self.set(None);
    }
}

/// See the module.
pub(crate) struct Keeper {
    base: Instant,
    times: Arc<Times>,
    pool: Port<PoolMessage>,
    not_before: Instant,
    /// How long it waits where it finds the owner busy.
    again_after: Duration,
}

impl Keeper {
    pub(crate) fn new(pool: Port<PoolMessage>) -> Self {
        let base = Instant::now();
        Self {
            base,
            times: Arc::new(Times::new()),
            pool,
            not_before: base,
            again_after: AGAIN_AFTER,
        }
    }

    /// What makes the owner's end of it, once the keeper is there to be told.
    pub(crate) fn alarm(&self) -> impl FnOnce(Port<LookAgain>) -> Alarm + use<> {
        let (base, times) = (self.base, Arc::clone(&self.times));
        move |keeper| Alarm {
            base,
            times,
            keeper,
        }
    }
}

impl Handler for Keeper {
    type Message = LookAgain;

    /// After each message the times are looked at.
    fn handle(&mut self, LookAgain: LookAgain) {}

    fn wake_at(&self) -> Option<Instant> {
        let at = self.times.plan();
        let wanted = (at != NEVER).then(|| self.base.checked_add(Duration::from_nanos(at)));
        wanted.flatten().map(|wanted| wanted.max(self.not_before))
    }

    fn wake(&mut self) {
        let handled = self.pool.help();
        let now = Instant::now();
        let due = Duration::from_nanos(self.times.plan()) <= now - self.base;
        // What is still due is left to who drives the owner just now.
        self.again_after = if due && handled == 0 {
            AGAIN_AT_MOST.min(2 * self.again_after)
        } else {
            AGAIN_AFTER
        };
        self.not_before = now + self.again_after;
    }
}
