//! A lock-free last-in first-out list of the indices of free things, so that what is reused is still in the cache.
//!
//! # Invariants
//!
//! - I1: the low half of `head` is the index on top plus one, or 0 when nothing is free; the high half is a tag.
//! - I2: every pop that succeeds adds one to the tag, so a `head` that was seen before a pop never comes back
//!   (within 2^32 pops): a compare-exchange that succeeds proves that the `next` read before is still right.
//! - I3: an index is on the list at most once; only its owner may push it.

use crate::scope::Scope;
use crate::sync::atomic::Ordering;
use crate::words::{Number, Word};

/// Where the list keeps, for each index, the one below it.
pub(crate) trait Links<S: Scope> {
    /// The link of an index that has been on the list at least once or is being pushed.
    fn link(&self, index: u32) -> &S::U32;
}

/// The list's top.
pub(crate) struct FreeList<S: Scope> {
    head: S::U64,
}

const TAG_ONE: u64 = 1 << 32;

impl<S: Scope> FreeList<S> {
    pub(crate) fn new() -> Self {
        Self {
            head: S::U64::new(0),
        }
    }

    /// Takes the index that was pushed last. Lock-free.
    ///
    /// Everything that happened before its push happens before this returns.
    #[inline]
    pub(crate) fn pop(&self, links: &impl Links<S>) -> Option<u32> {
        let mut seen = self.head.load(Ordering::Acquire);
        loop {
            let index = top(seen)?;
            // May be stale when another thread pops meanwhile; I2 makes the exchange fail then.
            let below = links.link(index).load(Ordering::Relaxed);
            let next = (seen & !u64::from(u32::MAX)).wrapping_add(TAG_ONE) | u64::from(below);
            match self
                .head
                .compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Some(index),
                Err(now) => seen = now,
            }
        }
    }

    /// Whether nothing is free now.
    pub(crate) fn is_empty(&self) -> bool {
        top(self.head.load(Ordering::Acquire)).is_none()
    }

    /// Puts an index on top. Lock-free. The caller owns it until now (I3).
    #[inline]
    pub(crate) fn push(&self, links: &impl Links<S>, index: u32) {
        let link = links.link(index);
        let mut seen = self.head.load(Ordering::Relaxed);
        loop {
            link.store(seen as u32, Ordering::Relaxed);
            let next = (seen & !u64::from(u32::MAX)) | u64::from(index + 1);
            match self
                .head
                .compare_exchange_weak(seen, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }
}

fn top(head: u64) -> Option<u32> {
    (head as u32).checked_sub(1)
}
