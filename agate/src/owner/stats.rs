//! What an owner counts about itself, for others to see.

use std::time::Instant;

use crate::owner::drive::Counts;
use crate::scope::Scope;
use crate::sync::Line;
use crate::sync::atomic::Ordering;
use crate::words::Word;

/// What an owner has done so far; see [`Owner::stats`](crate::Owner::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OwnerStats {
    /// Messages handled, up to the last batch that has ended.
    pub handled: u64,
    /// In how many batches: how often [`Handler::batch_end`](crate::Handler::batch_end) was called.
    pub batches: u64,
    /// Of the handled: those that a user's thread handled, helping.
    pub helped: u64,
}

/// What [`Owner::pump`](crate::Owner::pump) did.
///
/// # Examples
///
/// See [`Owner::pump`](crate::Owner::pump).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "it says whether and when to pump again"]
#[non_exhaustive]
pub struct Pumped {
    /// Messages handled by this call.
    pub handled: usize,
    /// Whether more may be waiting: the limit or the time was reached, or somebody else drives just now.
    pub more: bool,
    /// When the handler wants to be woken ([`Handler::wake_at`](crate::Handler::wake_at)): pump again by then.
    pub wake_at: Option<Instant>,
}

/// Counters that whoever drives stores, and anybody may load.
#[derive(Debug)]
pub(crate) struct Tally<S: Scope>(Line<Words<S>>);

#[derive(Debug)]
struct Words<S: Scope> {
    handled: S::U64,
    batches: S::U64,
    helped: S::U64,
}

impl<S: Scope> Tally<S> {
    pub(crate) fn new() -> Self {
        Self(Line(Words {
            handled: S::U64::new(0),
            batches: S::U64::new(0),
            helped: S::U64::new(0),
        }))
    }

    pub(crate) fn record(&self, counts: &Counts) {
        self.0.handled.store(counts.handled, Ordering::Relaxed);
        self.0.batches.store(counts.batches, Ordering::Relaxed);
        self.0.helped.store(counts.helped, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> OwnerStats {
        OwnerStats {
            handled: self.0.handled.load(Ordering::Relaxed),
            batches: self.0.batches.load(Ordering::Relaxed),
            helped: self.0.helped.load(Ordering::Relaxed),
        }
    }
}
