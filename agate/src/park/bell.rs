//! What an object's intake needs of a doorbell, and the doorbell of one thread.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug};
use std::task::Waker;
use std::time::Instant;

use crate::caught;
use crate::park::{CLOSED, Gate, Ready, TASK, WaitMode, Woken};

/// What senders look at after each publish, and what the receiver sleeps on.
#[allow(
    unreachable_pub,
    reason = "what a scope is built of, named by its sealed trait; rustc 1.85 does not see that"
)]
pub trait Bell: Debug {
    /// Whether nobody can ring it while its user waits.
    const LONELY: bool;

    fn new(mode: WaitMode) -> Self;

    /// A bell on which several may wait: each wakes for every ring. Their tasks need a seat there.
    fn for_many(mode: WaitMode) -> Self;

    /// A bell that tasks alone wait on, at seats, and that is rung seldom: who rings it pays for the order of memory, and who
    /// waits does not call the kernel for it.
    fn for_tasks() -> Self;

    /// How many times the kernel was called to wake a thread, closing included.
    fn wakes(&self) -> u64;

    /// Takes a seat for the tasks of one of several waiters; `None` when there are too many.
    fn enter(&self) -> Option<u32>;

    /// Gives a seat back.
    fn leave(&self, seat: u32);

    /// As [`register`](Self::register), for who has that seat.
    fn register_at(&self, seat: u32, waker: &Waker);

    /// As [`unregister`](Self::unregister), for who has that seat.
    fn unregister_at(&self, seat: u32);

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

    /// As `ring`, and wakes a receiver that polls too.
    fn nudge(&self) {
        self.ring();
    }

    /// Closes and wakes the receiver, whatever its mode. Returns whether this call was the first.
    fn close(&self) -> bool;

    /// The waiter's half of the barrier: everything that senders published before they looked at the word is visible
    /// after this, or they see what was stored to the word before.
    fn heavy_barrier(&self);

    /// Waits until `ready`, spinning and sleeping as `gate` has learnt, or until the deadline.
    ///
    /// `ready` must be over once the bell is closed. Called by the receiver only.
    fn wait(&self, gate: &mut Gate, deadline: Option<Instant>, ready: impl Ready) -> Woken;

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
    /// The wakers of several waiters, by their seats.
    seats: RefCell<Vec<Option<Waker>>>,
    /// Seats that were given back.
    free: RefCell<Vec<u32>>,
}

impl Bell for Alone {
    const LONELY: bool = true;

    fn new(_: WaitMode) -> Self {
        Self {
            word: Cell::new(0),
            task: Cell::new(None),
            seats: RefCell::new(Vec::new()),
            free: RefCell::new(Vec::new()),
        }
    }

    fn for_many(mode: WaitMode) -> Self {
        Self::new(mode)
    }

    fn for_tasks() -> Self {
        Self::new(WaitMode::Wake)
    }

    fn wakes(&self) -> u64 {
        0
    }

    fn enter(&self) -> Option<u32> {
        if let Some(seat) = self.free.borrow_mut().pop() {
            return Some(seat);
        }
        let mut seats = self.seats.borrow_mut();
        let seat = u32::try_from(seats.len()).ok()?;
        seats.push(None);
        Some(seat)
    }

    fn leave(&self, seat: u32) {
        self.unregister_at(seat);
        self.free.borrow_mut().push(seat);
    }

    fn register_at(&self, seat: u32, waker: &Waker) {
        let waker = waker.clone();
        let before = self
            .seats
            .borrow_mut()
            .get_mut(seat as usize)
            .and_then(|seat| seat.replace(waker));
        self.word.set(self.word.get() | TASK);
        drop(before);
    }

    fn unregister_at(&self, seat: u32) {
        let mut seats = self.seats.borrow_mut();
        let before = seats.get_mut(seat as usize).and_then(Option::take);
        drop(seats);
        drop(before);
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
            let waiting = self.seats.borrow().len();
            for seat in 0..waiting {
                let waker = self.seats.borrow_mut().get_mut(seat).and_then(Option::take);
                if let Some(waker) = waker {
                    caught::run(|| waker.wake());
                }
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

    fn wait(&self, _: &mut Gate, deadline: Option<Instant>, ready: impl Ready) -> Woken {
        if ready.is_over() {
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
