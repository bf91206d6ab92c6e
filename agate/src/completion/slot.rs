//! What a resolver and its completion share: a slot, split between them by one state word.
//!
//! # Invariants
//!
//! The state word holds these bits, each set once, except that `THREAD` and `TASK` may be cleared again by the
//! completion. Above them stands the slot's generation.
//!
//! - `RESOLVED`: the resolver has written the outcome.
//! - `DROPPED`: the completion is done with the slot.
//! - `RELEASED`: the resolver, which had found `THREAD` or `TASK`, is done with the slot.
//! - `BEGUN`: the resolver does not let the operation be cancelled any more.
//! - `CANCELLED`: the completion has cancelled the operation, before `BEGUN`; set together with `DROPPED`.
//! - `THREAD`, `TASK`: the completion has left somebody to wake.
//! - `CALL`, `POST`: the completion has left a callback, or a port to post to, and is gone.
//!
//! What was left stands in the slot's `left` cell, its type told by the bit.
//!
//! - R1: the outcome is the resolver's until it sets `RESOLVED`. Then it is the completion's, unless that exchange
//!   found `DROPPED`, `CALL` or `POST`: then it stays the resolver's.
//! - R2: what is left is the completion's while none of the four bits is set. If the resolver's setting of `RESOLVED`
//!   found one, it is the resolver's from then on. If the completion's clearing of one, or its setting of `CALL` or
//!   `POST`, found `RESOLVED` unset or set respectively, it is the completion's again.
//! - R3: who frees the slot. The resolver found `DROPPED` or `CALL` when it set `RESOLVED`: the resolver. It found
//!   `POST`: whoever takes it off the port's list, or the resolver if the port is gone. It found none of the six: the
//!   completion, the resolver does not touch the slot any more. It found `THREAD` or `TASK`: the one whose setting of
//!   `RELEASED` or `DROPPED` finds the other's bit.
//! - R4: wakers and callbacks run after the resolver has left the slot, so nothing of ours is held meanwhile.
//! - R5: the pair that a slot is given to is all that reaches it, each end is used up by what ends it, and a slot goes
//!   back to its pool only by R3, after both ends. So nobody can use it who had it before. Each pair has a generation
//!   of its own, which the completion remembers, and compares in builds with debug assertions.
#![allow(
    unsafe_code,
    reason = "two ends share a slot, split between them by the state word, R1 to R3"
)]

use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::task::Waker;

use crate::caught;
use crate::counted::Counted;
use crate::error::CompletionError;
use crate::freelist::{FreeList, Links};
use crate::park::Unparker;
use crate::scope::{Local, Scope};
use crate::sync::atomic::Ordering;
use crate::sync::cell::UnsafeCell;
use crate::table::Table;
use crate::words::Word;

pub(super) const RESOLVED: u32 = 1;
pub(super) const DROPPED: u32 = 1 << 1;
pub(super) const RELEASED: u32 = 1 << 2;
pub(super) const BEGUN: u32 = 1 << 3;
pub(super) const CANCELLED: u32 = 1 << 4;
pub(super) const THREAD: u32 = 1 << 5;
pub(super) const TASK: u32 = 1 << 6;
pub(super) const CALL: u32 = 1 << 7;
pub(super) const POST: u32 = 1 << 8;
/// Somebody to wake.
pub(super) const WAITER: u32 = THREAD | TASK;
/// What the resolver must look at when it has resolved.
pub(super) const FOUND: u32 = DROPPED | WAITER | CALL | POST;
const GENERATION_ONE: u32 = 1 << 9;

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

/// Room for what a completion leaves: three words, so that the slot of a word-sized value is one cache line.
#[repr(align(8))]
struct Room(#[allow(dead_code)] [MaybeUninit<*mut ()>; ROOM]);

/// In the models, references take more.
const ROOM: usize = if cfg!(loom) { 4 } else { 3 };

/// What a resolver and its completion share.
#[repr(align(64))]
pub(super) struct Slot<T, S: Scope> {
    pub(super) state: S::U32,
    link: S::U32,
    index: u32,
    /// The pool to go back to, kept alive by a count that the pair holds; null: the slot is a box of its own.
    pub(super) pool: S::Ptr<Pool<T, S>>,
    outcome: UnsafeCell<MaybeUninit<Outcome<T>>>,
    left: UnsafeCell<Room>,
}

pub(super) struct Pool<T, S: Scope> {
    pub(super) slots: Table<Slot<T, S>, S>,
    pub(super) free: FreeList<S>,
    /// How many slots there may be.
    pub(super) limit: usize,
}

// SAFETY: slots move values of type `T` between threads, and rules R1 to R3 give each cell to one thread at a time.
unsafe impl<T: Send> Send for Pool<T, Local> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Pool<T, Local> {}

impl<T, S: Scope> Links<S> for Table<Slot<T, S>, S> {
    fn link(&self, index: u32) -> &S::U32 {
        &self
            .get(index as usize)
            .expect("an index on the free list has been made")
            .link
    }
}

impl<T, S: Scope> Slot<T, S> {
    pub(super) fn new(index: usize) -> Self {
        Self {
            state: S::U32::new(0),
            link: S::U32::new(0),
            index: u32::try_from(index).expect("a table has fewer than 2^32 entries"),
            pool: S::Ptr::new(ptr::null_mut()),
            outcome: UnsafeCell::new(MaybeUninit::uninit()),
            left: UnsafeCell::new(Room([MaybeUninit::uninit(); ROOM])),
        }
    }

    /// Makes the slot as new, with the next generation. Called while nobody else uses it.
    pub(super) fn renew(&self) {
        let state = self.state.load(Ordering::Relaxed);
        let next = (state & !(GENERATION_ONE - 1)).wrapping_add(GENERATION_ONE);
        self.state.store(next, Ordering::Relaxed);
    }

    /// Which pair the slot is given to, counted (and wrapping).
    pub(super) fn generation(&self) -> u32 {
        self.state.load(Ordering::Relaxed) / GENERATION_ONE
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

    /// Leaves something.
    ///
    /// # Safety
    ///
    /// The cell is the caller's by R2, and holds nothing.
    pub(super) unsafe fn leave<W>(&self, what: W) {
        const {
            assert!(size_of::<W>() <= size_of::<Room>());
            assert!(align_of::<W>() <= align_of::<Room>());
        }
        // SAFETY: the cell is the caller's alone, and has room.
        self.left
            .with_mut(|cell| unsafe { cell.cast::<W>().write(what) });
    }

    /// Takes what was left.
    ///
    /// # Safety
    ///
    /// The cell is the caller's by R2, a `W` was left, and it is not taken again.
    pub(super) unsafe fn take_left<W>(&self) -> W {
        // SAFETY: as the caller promises.
        self.left.with(|cell| unsafe { cell.cast::<W>().read() })
    }

    /// Looks at what was left.
    ///
    /// # Safety
    ///
    /// A `W` was left, and nobody takes it meanwhile.
    pub(super) unsafe fn peek_left<W, R>(&self, look: impl FnOnce(&W) -> R) -> R {
        // SAFETY: as the caller promises.
        self.left.with(|cell| look(unsafe { &*cell.cast::<W>() }))
    }

    /// Leaves somebody to wake; the bit that says so is for the caller to set.
    ///
    /// # Safety
    ///
    /// As [`leave`](Self::leave).
    pub(super) unsafe fn leave_waiter(&self, waiter: Waiter) -> u32 {
        match waiter {
            Waiter::Thread(thread) => {
                // SAFETY: as the caller promises.
                unsafe { self.leave(thread) };
                THREAD
            }
            Waiter::Task(waker) => {
                // SAFETY: as the caller promises.
                unsafe { self.leave(waker) };
                TASK
            }
        }
    }

    /// Takes whom to wake.
    ///
    /// # Safety
    ///
    /// As [`take_left`](Self::take_left); `found` had the bit of what was left.
    pub(super) unsafe fn take_waiter(&self, found: u32) -> Waiter {
        if found & THREAD != 0 {
            // SAFETY: as the caller promises.
            Waiter::Thread(unsafe { self.take_left() })
        } else {
            // SAFETY: as the caller promises.
            Waiter::Task(unsafe { self.take_left() })
        }
    }
}

/// Makes a slot of its own.
pub(super) fn boxed<T, S: Scope>() -> NonNull<Slot<T, S>> {
    NonNull::from(Box::leak(Box::new(Slot::new(0))))
}

/// Gives a slot back to its pool, or frees it.
///
/// # Safety
///
/// By R3 the caller frees it; the outcome and what was left were taken out.
pub(super) unsafe fn free<T, S: Scope>(slot: NonNull<Slot<T, S>>) {
    // SAFETY: until it is freed below, the slot is alive.
    let shared = unsafe { slot.as_ref() };
    let pool = shared.pool.load(Ordering::Relaxed);
    if pool.is_null() {
        // SAFETY: without a pool it came from a box, and nobody uses it any more.
        drop(unsafe { Box::from_raw(slot.as_ptr()) });
        return;
    }
    // SAFETY: the pair holds a count on its pool, which came from `into_raw` and ends here.
    let pool = unsafe { S::Ref::from_raw(pool.cast_const()) };
    pool.free.push(&pool.slots, shared.index);
}

#[cfg(all(test, not(any(loom, shuttle)), target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn the_slot_of_a_word_is_one_cache_line() {
        assert_eq!(size_of::<Slot<u64, Local>>(), 64);
        assert_eq!(size_of::<Slot<(), Local>>(), 64);
    }
}
