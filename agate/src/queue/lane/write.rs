//! The sending end of a lane.
#![allow(
    unsafe_code,
    reason = "writes slots that are the sender's by L3 and L4 of `lane`"
)]

use std::cell::Cell;
use std::ptr;

use super::{Lane, Segment, Sending};
use crate::queue::slots::Slot;
use crate::scope::Scope;
use crate::sync::atomic::Ordering;
use crate::words::Word;

/// Slots in a row that are free for the sender (L4).
pub(crate) struct Run<T> {
    slot: Cell<Slot<T>>,
    tail: Cell<usize>,
    limit: Cell<usize>,
}

impl<T> Run<T> {
    pub(crate) fn new() -> Self {
        Self {
            slot: Cell::new(Slot::dangling()),
            tail: Cell::new(0),
            limit: Cell::new(0),
        }
    }

    fn set(&self, other: &Self) {
        self.slot.set(other.slot.get());
        self.tail.set(other.tail.get());
        self.limit.set(other.limit.get());
    }

    /// How many messages were written, ever (wrapping).
    #[inline(always)]
    pub(crate) fn tail(&self) -> usize {
        self.tail.get()
    }

    /// Writes a message that the receiver does not see before it is published.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender, this is its run, and `room` was true since the last write.
    #[inline(always)]
    pub(crate) unsafe fn write(&self, message: T) {
        let slot = self.slot.get();
        // SAFETY: by L4 the slot is the sender's, in a segment that is alive, and holds no message.
        unsafe { slot.put(message) };
        // SAFETY: as above.
        self.slot.set(unsafe { slot.next() });
        self.tail.set(self.tail.get().wrapping_add(1));
    }
}

impl<T, S: Scope> Lane<T, S> {
    /// Makes a bounded lane's memory, and takes the run that the last sender left. `false` when memory is out.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1).
    pub(crate) unsafe fn enter(&self, run: &Run<T>) -> bool {
        self.sending.with_mut(|sending| {
            // SAFETY: L1.
            let sending = unsafe { &mut *sending };
            if self.bounded && sending.current.is_null() {
                let Some(segment) = Segment::new(self.len) else {
                    return false;
                };
                sending.current = segment;
                self.first.store(segment, Ordering::Release);
                self.segments.store(1, Ordering::Relaxed);
            }
            run.set(&sending.parked);
            true
        })
    }

    /// Leaves the run for the next sender.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1), and `run` is its run.
    pub(crate) unsafe fn exit(&self, run: &Run<T>) {
        // SAFETY: L1.
        self.sending
            .with_mut(|sending| unsafe { (*sending).parked.set(run) });
    }

    /// Whether there is room for a message; looks for more where the run is at its end.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1), and `run` is its run.
    #[inline(always)]
    pub(crate) unsafe fn room(&self, run: &Run<T>) -> bool {
        // SAFETY: as the caller promises.
        run.tail.get() != run.limit.get() || unsafe { self.more_room(run) }
    }

    /// Lets the receiver see everything written.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1), and `run` is its run.
    #[inline(always)]
    pub(crate) unsafe fn publish(&self, run: &Run<T>) {
        self.tail.store(run.tail.get(), Ordering::Release);
    }

    /// Counts a send that found no room.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1).
    pub(crate) unsafe fn count_refused(&self) {
        let refused = self.refused.load(Ordering::Relaxed).wrapping_add(1);
        self.refused.store(refused, Ordering::Relaxed);
    }

    /// The run is at its end: finds the next one, if there is room.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1), and `run` is its run.
    #[cold]
    #[inline(never)]
    unsafe fn more_room(&self, run: &Run<T>) -> bool {
        self.sending.with_mut(|sending| {
            // SAFETY: L1.
            let sending = unsafe { &mut *sending };
            if self.bounded {
                self.go_round(sending, run)
            } else {
                self.go_on(sending, run);
                true
            }
        })
    }

    fn go_round(&self, sending: &mut Sending<T, S>, run: &Run<T>) -> bool {
        let tail = run.tail.get();
        if tail.wrapping_sub(sending.head) == self.len {
            sending.head = self.progress.head.load(Ordering::Acquire);
            if tail.wrapping_sub(sending.head) == self.len {
                return false;
            }
        }
        if tail == sending.end {
            // SAFETY: the lane's only segment was made by `enter` and lives as long as the lane.
            run.slot.set(unsafe { &*sending.current }.slots.first());
            sending.end = tail.wrapping_add(self.len);
        }
        let room = self.len - tail.wrapping_sub(sending.head);
        let row = sending.end.wrapping_sub(tail);
        run.limit.set(tail.wrapping_add(room.min(row)));
        true
    }

    /// Begins the segment behind the current one: one that came back, else a new one.
    fn go_on(&self, sending: &mut Sending<T, S>, run: &Run<T>) {
        let taken_back = !sending.current.is_null()
            && sending.taken != self.progress.finished.load(Ordering::Acquire);
        let segment = if taken_back {
            let segment = sending.oldest;
            // SAFETY: by L6 the oldest segment is the sender's and is alive.
            sending.oldest = unsafe { &*segment }.next.load(Ordering::Relaxed);
            sending.taken = sending.taken.wrapping_add(1);
            // SAFETY: as above.
            let next = &unsafe { &*segment }.next;
            next.store(ptr::null_mut(), Ordering::Relaxed);
            segment
        } else {
            let made = self.segments.load(Ordering::Relaxed).wrapping_add(1);
            self.segments.store(made, Ordering::Relaxed);
            Segment::must(self.len)
        };
        if sending.current.is_null() {
            sending.oldest = segment;
            self.first.store(segment, Ordering::Release);
        } else {
            // SAFETY: the current segment is in the chain and alive.
            let next = &unsafe { &*sending.current }.next;
            next.store(segment, Ordering::Release);
        }
        sending.current = segment;
        // SAFETY: the segment is alive, as above or because it is new.
        run.slot.set(unsafe { &*segment }.slots.first());
        sending.end = run.tail.get().wrapping_add(self.len);
        run.limit.set(sending.end);
    }
}
