//! The keeper: the thread that looks after the pools' owner where its users drive that. What the owner wants to do at a
//! time, give up slots that do not come, help shards, trim, is done then, also if nobody comes by.
//!
//! # Invariants
//!
//! - K1: the owner writes `at` and then reads `planned`; the keeper writes `planned` and then reads `at` again; all by
//!   sequentially consistent exchanges and loads. So either the keeper plans for the newest time, or the owner sees that it
//!   plans for a later one, and wakes it.

use crate::pool::PoolMessage;
use agate::{Handler, Port};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Where nothing is to be done at any time.
const NEVER: u64 = u64::MAX;
/// How long the keeper leaves an owner alone that it found busy.
const AGAIN_AFTER: Duration = Duration::from_millis(1);

/// When the owner wants to be driven, and for when the keeper plans, in nanoseconds since `base`.
struct Times {
    base: Instant,
    at: AtomicU64,
    planned: AtomicU64,
}

/// Has the keeper look at the times again.
pub(crate) struct LookAgain;

/// The owner's end.
pub(crate) struct Alarm {
    times: Arc<Times>,
    keeper: Port<LookAgain>,
}

impl Alarm {
    /// The owner wants to be driven at this time, and at no other.
    pub(crate) fn set(&self, at: Option<Instant>) {
        let since = |at: Instant| at.saturating_duration_since(self.times.base).as_nanos() as u64;
        let at = at.map_or(NEVER, since);
        // K1. Nobody else writes it.
        if self.times.at.swap(at, Ordering::SeqCst) != at
            && at < self.times.planned.load(Ordering::SeqCst)
        {
            // A keeper that has ended is missed by nobody: the service shuts down.
            let _ = self.keeper.send(LookAgain);
        }
    }
}

/// See the module.
pub(crate) struct Keeper {
    times: Arc<Times>,
    pool: Port<PoolMessage>,
    not_before: Instant,
}

impl Keeper {
    pub(crate) fn new(pool: Port<PoolMessage>) -> Self {
        let base = Instant::now();
        Self {
            times: Arc::new(Times {
                base,
                at: AtomicU64::new(NEVER),
                planned: AtomicU64::new(NEVER),
            }),
            pool,
            not_before: base,
        }
    }

    /// What makes the owner's end of it, once the keeper is there to be told.
    pub(crate) fn alarm(&self) -> impl FnOnce(Port<LookAgain>) -> Alarm + use<> {
        let times = Arc::clone(&self.times);
        |keeper| Alarm { times, keeper }
    }
}

impl Handler for Keeper {
    type Message = LookAgain;

    /// After each message the times are looked at.
    fn handle(&mut self, LookAgain: LookAgain) {}

    fn wake_at(&self) -> Option<Instant> {
        let Times { base, at, planned } = &*self.times;
        let mut seen = at.load(Ordering::SeqCst);
        // K1. It changes again and again only while the owner is driven again and again.
        loop {
            planned.swap(seen, Ordering::SeqCst);
            let now = at.load(Ordering::SeqCst);
            if now == seen {
                break;
            }
            seen = now;
        }
        let wanted = (seen != NEVER).then(|| *base + Duration::from_nanos(seen));
        wanted.map(|wanted| wanted.max(self.not_before))
    }

    fn wake(&mut self) {
        self.pool.help();
        self.not_before = Instant::now() + AGAIN_AFTER;
    }
}
