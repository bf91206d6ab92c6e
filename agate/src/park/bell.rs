//! What an object's intake needs of a doorbell, and the doorbell of one thread.

use std::cell::Cell;
use std::fmt::Debug;
use std::time::Instant;

use crate::park::{CLOSED, Gate, WaitMode, Woken};

/// What senders look at after each publish, and what the receiver sleeps on.
pub trait Bell: Debug {
    fn new(mode: WaitMode) -> Self;

    /// Whether nothing new is accepted.
    fn is_closed(&self) -> bool;

    /// As `is_closed`, and what happened before the close is visible then.
    fn is_closed_acquire(&self) -> bool;

    /// To be called after each publish. 0: there is nothing to do; else call [`answer`](Self::answer) with it.
    fn after_publish(&self) -> u32;

    /// Wakes the receiver if it sleeps. Returns whether the bell is closed.
    fn answer(&self, word: u32) -> bool;

    /// Both in one, for what happens rarely.
    fn ring(&self) -> bool {
        self.answer(self.after_publish())
    }

    /// Closes and wakes the receiver, whatever its mode. Returns whether this call was the first.
    fn close(&self) -> bool;

    /// The waiter's half of the barrier: everything that senders published before they looked at the word is visible
    /// after this, or they see what was stored to the word before.
    fn heavy_barrier(&self);

    /// Waits until `ready`, spinning and sleeping as `gate` has learnt, or until the deadline.
    ///
    /// `ready` must be true once the bell is closed. Called by the receiver only.
    fn wait(&self, gate: &mut Gate, deadline: Option<Instant>, ready: impl Fn() -> bool) -> Woken;
}

/// The bell of one thread: nobody can ring while it waits.
#[derive(Debug)]
pub struct Alone {
    closed: Cell<bool>,
}

impl Bell for Alone {
    fn new(_: WaitMode) -> Self {
        Self {
            closed: Cell::new(false),
        }
    }

    #[inline(always)]
    fn is_closed(&self) -> bool {
        self.closed.get()
    }

    fn is_closed_acquire(&self) -> bool {
        self.closed.get()
    }

    #[inline(always)]
    fn after_publish(&self) -> u32 {
        if self.closed.get() { CLOSED } else { 0 }
    }

    fn answer(&self, word: u32) -> bool {
        word & CLOSED != 0
    }

    fn close(&self) -> bool {
        !self.closed.replace(true)
    }

    fn heavy_barrier(&self) {}

    fn wait(&self, _: &mut Gate, deadline: Option<Instant>, ready: impl Fn() -> bool) -> Woken {
        if ready() {
            Woken::Ready
        } else if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Woken::TimedOut
        } else {
            Woken::Stalled
        }
    }
}
