//! Where a task that waits leaves its waker, and whoever wakes it takes it.
//!
//! # Invariants
//!
//! - I1: `waker` belongs to the thread whose exchange set `MOVING`, until that thread stores `EMPTY` or `FULL`.
//! - I2: `MOVING` lasts for a few instructions, none of them the user's.
//!
//! Nobody waits for `MOVING` to end. Who takes finds nothing then; who leaves a waker is told that there was no place
//! for it. Why neither loses a wake-up stands in `park.md`.
#![allow(
    unsafe_code,
    reason = "the waker is moved in and out by the thread that the state gives it to, I1"
)]

use std::task::Waker;

use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::cell::UnsafeCell;

const EMPTY: u32 = 0;
const FULL: u32 = 1;
const MOVING: u32 = 2;

/// A place for one waker.
#[derive(Debug)]
pub(crate) struct TaskCell {
    state: AtomicU32,
    waker: UnsafeCell<Option<Waker>>,
}

// SAFETY: by I1 the waker is touched by one thread at a time, in the order of `state`; wakers are `Send`.
unsafe impl Send for TaskCell {}
// SAFETY: as above.
unsafe impl Sync for TaskCell {}

impl TaskCell {
    pub(crate) fn new() -> Self {
        Self {
            state: AtomicU32::new(EMPTY),
            waker: UnsafeCell::new(None),
        }
    }

    /// Leaves a waker in place of the one before. `false`: somebody is taking that one, there is no place now.
    pub(crate) fn put(&self, waker: &Waker) -> bool {
        let waker = waker.clone();
        if !self.claim(FULL) && !self.claim(EMPTY) {
            return false;
        }
        // SAFETY: I1, claimed above.
        let before = self
            .waker
            .with_mut(|cell| unsafe { (*cell).replace(waker) });
        self.state.store(FULL, Ordering::Release);
        drop(before);
        true
    }

    /// Takes the waker, if one is there.
    pub(crate) fn take(&self) -> Option<Waker> {
        if !self.claim(FULL) {
            return None;
        }
        // SAFETY: I1, claimed above.
        let waker = self.waker.with_mut(|cell| unsafe { (*cell).take() });
        self.state.store(EMPTY, Ordering::Release);
        waker
    }

    fn claim(&self, from: u32) -> bool {
        self.state
            .compare_exchange(from, MOVING, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    }
}
