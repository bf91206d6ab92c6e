//! What a resolver and its completion share: a slot, split between them by one state word.
//!
//! # The slot's state word
//!
//! One atomic word of four bits, each set once, except that `WAITER` may be cleared again by the completion:
//!
//! - `RESOLVED`: the resolver has written the outcome.
//! - `WAITER`: the completion has left something to wake.
//! - `DROPPED`: the completion is done with the slot.
//! - `RELEASED`: the resolver, which had found a waiter, is done with the slot.
//!
//! # Rules
//!
//! - R1: the outcome is the resolver's until it sets `RESOLVED`. Then it is the completion's, unless that exchange
//!   found `DROPPED`: then it stays the resolver's.
//! - R2: the waiter is the completion's while `WAITER` is clear. If the resolver's setting of `RESOLVED` found
//!   `WAITER`, it is the resolver's from then on. If the completion's clearing of `WAITER` found no `RESOLVED`, it is
//!   the completion's again.
//! - R3: who frees the slot. The resolver found `DROPPED` when it set `RESOLVED`: the resolver. It found neither
//!   `DROPPED` nor `WAITER`: the completion, the resolver does not touch the slot any more. It found `WAITER`: the one
//!   whose setting of `RELEASED` or `DROPPED` finds the other's bit.
//! - R4: wakers run after the resolver has left the slot, so nothing of ours is held meanwhile.
#![allow(
    unsafe_code,
    reason = "two ends share a slot, split between them by the state word, R1 to R3"
)]

use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::task::Waker;

use crate::caught;
use crate::error::CompletionError;
use crate::freelist::{FreeList, Links};
use crate::park::Unparker;
use crate::scope::Local;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use crate::sync::cell::UnsafeCell;
use crate::table::Table;

pub(super) const RESOLVED: u32 = 1;
pub(super) const WAITER: u32 = 2;
pub(super) const DROPPED: u32 = 4;
pub(super) const RELEASED: u32 = 8;

pub(super) type Outcome<T> = Result<T, CompletionError>;

/// Whom to wake.
#[derive(Debug)]
pub(super) enum Waiter {
    Thread(Unparker),
    Task(Waker),
}

impl Waiter {
    /// Wakes. A panic in a waker is caught: it must not end the thread that resolves.
    pub(super) fn wake(self) {
        match self {
            Self::Thread(thread) => thread.wake(),
            Self::Task(waker) => caught::run(|| waker.wake()),
        }
    }
}

/// What a resolver and its completion share.
#[repr(align(64))]
pub(super) struct Slot<T> {
    pub(super) state: AtomicU32,
    link: AtomicU32,
    index: u32,
    /// The pool to go back to, kept alive by a count that the pair holds; null: the slot is a box of its own.
    pub(super) pool: AtomicPtr<Pool<T>>,
    outcome: UnsafeCell<MaybeUninit<Outcome<T>>>,
    waiter: UnsafeCell<Option<Waiter>>,
}

pub(super) struct Pool<T> {
    pub(super) slots: Table<Slot<T>, Local>,
    pub(super) free: FreeList<Local>,
}

// SAFETY: slots move values of type `T` between threads, and rules R1 to R3 give each cell to one thread at a time.
unsafe impl<T: Send> Send for Pool<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Pool<T> {}

impl<T> Links<Local> for Table<Slot<T>, Local> {
    fn link(&self, index: u32) -> &AtomicU32 {
        &self
            .get(index as usize)
            .expect("an index on the free list has been made")
            .link
    }
}

impl<T> Slot<T> {
    pub(super) fn new(index: usize) -> Self {
        Self {
            state: AtomicU32::new(0),
            link: AtomicU32::new(0),
            index: u32::try_from(index).expect("a table has fewer than 2^32 entries"),
            pool: AtomicPtr::new(ptr::null_mut()),
            outcome: UnsafeCell::new(MaybeUninit::uninit()),
            waiter: UnsafeCell::new(None),
        }
    }

    /// Writes the outcome.
    ///
    /// # Safety
    ///
    /// It is the caller's by R1, and holds none yet.
    pub(super) unsafe fn put(&self, outcome: Outcome<T>) {
        // SAFETY: the outcome is the caller's alone.
        self.outcome
            .with_mut(|cell| unsafe { cell.write(MaybeUninit::new(outcome)) });
    }

    /// Takes the outcome out.
    ///
    /// # Safety
    ///
    /// It is the caller's by R1, was written, and is not taken again.
    pub(super) unsafe fn take(&self) -> Outcome<T> {
        // SAFETY: the outcome is the caller's alone.
        let outcome = self.outcome.with(|cell| unsafe { cell.read() });
        // SAFETY: it was written.
        unsafe { outcome.assume_init() }
    }

    /// Leaves a waiter, or takes the one that was left.
    ///
    /// # Safety
    ///
    /// It is the caller's by R2.
    pub(super) unsafe fn replace_waiter(&self, waiter: Option<Waiter>) -> Option<Waiter> {
        // SAFETY: the waiter is the caller's alone.
        self.waiter.with_mut(|cell| unsafe { cell.replace(waiter) })
    }
}

/// Gives a slot back to its pool, or frees it.
///
/// # Safety
///
/// By R3 the caller frees it; the outcome and the waiter were taken out.
pub(super) unsafe fn free<T>(slot: NonNull<Slot<T>>) {
    // SAFETY: until it is freed below, the slot is alive.
    let shared = unsafe { slot.as_ref() };
    let pool = shared.pool.load(Ordering::Relaxed);
    if pool.is_null() {
        // SAFETY: without a pool it came from a box, and nobody uses it any more.
        drop(unsafe { Box::from_raw(slot.as_ptr()) });
        return;
    }
    // SAFETY: the pair holds a count on its pool, which came from `Arc::into_raw` and ends here.
    let pool = unsafe { Arc::from_raw(pool.cast_const()) };
    pool.free.push(&pool.slots, shared.index);
}

pub(super) fn is_resolved<T>(slot: NonNull<Slot<T>>) -> bool {
    // SAFETY: called by the completion before it has let the slot go; by R3 it is alive.
    let shared = unsafe { slot.as_ref() };
    shared.state.load(Ordering::Acquire) & RESOLVED != 0
}
