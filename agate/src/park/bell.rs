//! What an object's intake needs of a doorbell, and the doorbell of one thread.

use std::cell::Cell;
use std::fmt::{self, Debug};
use std::task::Waker;
use std::time::Instant;

use crate::caught;
use crate::park::{CLOSED, Gate, TASK, WaitMode, Woken};

/// What senders look at after each publish, and what the receiver sleeps on.
pub trait Bell: Debug {
    /// Whether nobody can ring it while its user waits.
    const LONELY: bool;

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

    /// Has the next ring wake a task, once. The caller looks whether it is ready after this, and returns `Pending` only
    /// if not. Called by the receiver only.
    fn register(&self, waker: &Waker);

    /// Takes the waker back, if it was not used. Called by the receiver only.
    fn unregister(&self);
}

/// The bell of one thread: nobody can ring while it waits. A task can be waiting while another one sends.
pub struct Alone {
    word: Cell<u32>,
    /// There when `word` has `TASK`.
    task: Cell<Option<Waker>>,
}

impl Bell for Alone {
    const LONELY: bool = true;

    fn new(_: WaitMode) -> Self {
        Self {
            word: Cell::new(0),
            task: Cell::new(None),
        }
    }

    #[inline(always)]
    fn is_closed(&self) -> bool {
        self.word.get() & CLOSED != 0
    }

    fn is_closed_acquire(&self) -> bool {
        self.is_closed()
    }

    #[inline(always)]
    fn after_publish(&self) -> u32 {
        self.word.get()
    }

    fn answer(&self, word: u32) -> bool {
        if word & TASK != 0 {
            self.word.set(self.word.get() & !TASK);
            if let Some(waker) = self.task.take() {
                caught::run(|| waker.wake());
            }
        }
        word & CLOSED != 0
    }

    fn close(&self) -> bool {
        let before = self.word.replace(self.word.get() | CLOSED);
        self.answer(before);
        before & CLOSED == 0
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

    fn register(&self, waker: &Waker) {
        let before = self.task.replace(Some(waker.clone()));
        self.word.set(self.word.get() | TASK);
        drop(before);
    }

    fn unregister(&self) {
        self.word.set(self.word.get() & !TASK);
        drop(self.task.take());
    }
}

impl Debug for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alone")
            .field("word", &self.word.get())
            .finish_non_exhaustive()
    }
}
