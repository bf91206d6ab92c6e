//! The queue in total order: one array, or chain, that all senders and receivers share.
//!
//! Closing works as told in `intake`, without lanes: a sender that sees the queue closed after it has put a message in
//! looks whether the receivers have left for good, and drops everything in that case. It put the message in before it
//! looked, and who leaves says so before it empties the queue, with the heavy barrier in between: one of both finds it.

use crossbeam_queue::{ArrayQueue, SegQueue};
use std::time::Instant;

use crate::caught;
use crate::error::Closed;
use crate::inspect::Inspection;
use crate::park::{Bell, Gate, WaitMode, Woken};
use crate::queue::Capacity;
use crate::queue::intake::{Intake, Refused};
use crate::scope::Scope;
use crate::sync::atomic::Ordering;
use crate::words::{Number, Word};

/// Where the messages are.
enum Items<T> {
    Array(ArrayQueue<T>),
    Chain(SegQueue<T>),
}

/// One queue for all.
///
/// A sender takes a place before it puts a message in, and a receiver gives it back after it took the message out: so
/// whoever got a place finds it, and a batch never takes a message from its iterator that has nowhere to go.
pub(crate) struct Total<T, S: Scope> {
    items: Items<T>,
    capacity: usize,
    /// Places that senders have taken, ever, and that receivers have given back, ever; both wrap.
    entered: S::Usize,
    left: S::Usize,
    refused: S::Usize,
    /// What senders sleep on that wait for room.
    room: S::Bell,
}

impl<T, S: Scope> Total<T, S> {
    pub(crate) fn new(capacity: Capacity) -> Self {
        let (items, capacity) = match capacity {
            Capacity::Bounded(messages) => (Items::Array(ArrayQueue::new(messages)), messages),
            Capacity::Unbounded => (Items::Chain(SegQueue::new()), usize::MAX),
        };
        Self {
            items,
            capacity,
            entered: S::Usize::new(0),
            left: S::Usize::new(0),
            refused: S::Usize::new(0),
            room: S::Bell::for_many(WaitMode::Wake),
        }
    }

    pub(crate) fn inspect(&self, seen: &mut Inspection) {
        seen.received = self.left.load(Ordering::Acquire);
        seen.sent = self.entered.load(Ordering::Acquire);
        seen.waiting = seen.sent.wrapping_sub(seen.received);
        seen.full = self.refused.load(Ordering::Relaxed);
        seen.memory = match &self.items {
            Items::Array(items) => items.capacity(),
            Items::Chain(items) => items.len(),
        };
    }

    pub(crate) fn is_empty(&self) -> bool {
        match &self.items {
            Items::Array(items) => items.is_empty(),
            Items::Chain(items) => items.is_empty(),
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        // What left first: it is never more than what entered, seen later.
        let left = self.left.load(Ordering::Acquire);
        let entered = self.entered.load(Ordering::Acquire);
        entered.wrapping_sub(left) < self.capacity
    }

    /// Takes a place for one message.
    fn enter(&self) -> bool {
        if self.capacity == usize::MAX {
            self.entered.fetch_add(1, Ordering::AcqRel);
            return true;
        }
        let mut entered = self.entered.load(Ordering::Relaxed);
        loop {
            let left = self.left.load(Ordering::Acquire);
            if entered.wrapping_sub(left) >= self.capacity {
                let now = self.entered.load(Ordering::Acquire);
                if now == entered {
                    return false;
                }
                entered = now;
                continue;
            }
            match self.entered.compare_exchange_weak(
                entered,
                entered.wrapping_add(1),
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(now) => entered = now,
            }
        }
    }

    /// Puts a message into a place that was taken.
    fn put(&self, message: T) {
        match &self.items {
            Items::Array(items) => {
                let mut message = message;
                // There is a slot for each place, but another receiver may have been stopped in the middle of freeing
                // the one whose turn it is.
                while let Err(back) = items.push(message) {
                    message = back;
                    crate::sync::spin_loop();
                }
            }
            Items::Chain(items) => items.push(message),
        }
    }

    /// Sends one message.
    pub(crate) fn send(&self, intake: &Intake<T, S>, message: T) -> Result<(), Refused<T>> {
        if intake.bell.is_closed() {
            return Err(Refused::Closed(message));
        }
        if !self.enter() {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Refused::Full(message));
        }
        self.put(message);
        self.published(intake);
        Ok(())
    }

    /// Wakes receivers, or drops what none of them will see any more.
    fn published(&self, intake: &Intake<T, S>) {
        let word = intake.bell.after_publish();
        if word != 0 && intake.bell.answer(word) && intake.is_retired() {
            self.discard();
        }
    }

    /// Sends as many as there is room for; one wake at the end, also if the iterator panics.
    pub(crate) fn send_batch(
        &self,
        intake: &Intake<T, S>,
        messages: &mut impl Iterator<Item = T>,
    ) -> Result<usize, Closed> {
        if intake.is_closed() {
            return Err(Closed);
        }
        let mut batch = Batch {
            total: self,
            intake,
            place: false,
        };
        let mut sent = 0;
        while self.enter() {
            batch.place = true;
            let Some(message) = messages.next() else {
                break;
            };
            batch.place = false;
            self.put(message);
            sent += 1;
        }
        Ok(sent)
    }

    /// Takes the next message.
    #[inline(never)]
    pub(crate) fn take(&self) -> Option<T> {
        let message = match &self.items {
            Items::Array(items) => items.pop(),
            Items::Chain(items) => items.pop(),
        }?;
        self.give_back();
        Some(message)
    }

    fn give_back(&self) {
        self.left.fetch_add(1, Ordering::AcqRel);
        if self.capacity != usize::MAX {
            self.room.ring();
        }
    }

    /// Waits until there is room, `also` is true, or the deadline.
    pub(crate) fn wait_room(
        &self,
        intake: &Intake<T, S>,
        gate: &mut Gate,
        deadline: Option<Instant>,
        also: impl Fn() -> bool,
    ) -> Woken {
        // A batch around this, of another sender of this thread, may have told nobody yet what it has put in.
        self.published(intake);
        self.room.wait(gate, deadline, || also() || self.has_room())
    }

    /// Wakes the senders that wait for room, so that they look at what has changed.
    pub(crate) fn nudge_senders(&self) {
        self.room.ring();
    }

    /// Drops all messages; returns how many.
    pub(crate) fn discard(&self) -> u64 {
        let mut count = 0;
        while let Some(message) = self.take() {
            count += 1;
            caught::run(|| drop(message));
        }
        count
    }
}

impl<T, S: Scope> Drop for Total<T, S> {
    fn drop(&mut self) {
        self.discard();
    }
}

/// Ends a batch: gives an unused place back, and wakes.
struct Batch<'a, T, S: Scope> {
    total: &'a Total<T, S>,
    intake: &'a Intake<T, S>,
    place: bool,
}

impl<T, S: Scope> Drop for Batch<'_, T, S> {
    fn drop(&mut self) {
        if self.place {
            self.total.entered.fetch_sub(1, Ordering::AcqRel);
            self.total.room.ring();
        }
        self.total.published(self.intake);
    }
}
