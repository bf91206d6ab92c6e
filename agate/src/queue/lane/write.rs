//! The sending end of a lane.
#![allow(
    unsafe_code,
    reason = "writes slots that are the sender's by L3 and L4 of `lane`"
)]

use std::ptr;
use std::time::Instant;

use super::{Lane, Segment, Sending};
use crate::park::{Bell, Woken};
use crate::scope::Scope;
use crate::sync::atomic::Ordering;
use crate::words::Word;

impl<T, S: Scope> Lane<T, S> {
    /// Makes a bounded lane's memory, where there is none yet. `false` when memory is out.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1).
    #[inline]
    pub(crate) unsafe fn prepare(&self) -> bool {
        // SAFETY: as the caller promises.
        !self.bounded || self.segments.load(Ordering::Relaxed) != 0 || unsafe { self.allocate() }
    }

    /// Makes a bounded lane's memory.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1), and there is no memory yet.
    #[cold]
    unsafe fn allocate(&self) -> bool {
        let Some(segment) = Segment::new(self.len) else {
            return false;
        };
        // SAFETY: L1.
        self.sending
            .with_mut(|sending| unsafe { (*sending).current = segment });
        self.first.store(segment, Ordering::Release);
        self.segments.store(1, Ordering::Relaxed);
        true
    }

    /// Whether there is room for a message; looks for more where the run is at its end.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1).
    #[inline(always)]
    pub(crate) unsafe fn room(&self) -> bool {
        let in_run = self.sending.with(|sending| {
            // SAFETY: L1.
            let sending = unsafe { &*sending };
            sending.tail != sending.limit
        });
        // SAFETY: as the caller promises.
        in_run || unsafe { self.more_room() }
    }

    /// Writes a message that the receiver does not see before it is published.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1), and `room` was true since the last write.
    #[inline(always)]
    pub(crate) unsafe fn write(&self, message: T) {
        self.sending.with_mut(|sending| {
            // SAFETY: L1.
            let sending = unsafe { &mut *sending };
            let slot = sending.slot;
            // SAFETY: by L4 the slot is the sender's, in a segment that is alive, and holds no message.
            sending.slot = unsafe { slot.next() };
            sending.tail = sending.tail.wrapping_add(1);
            // SAFETY: as above.
            unsafe { slot.put(message) };
        });
    }

    /// Writes messages as long as there are some and there is room for them; returns how many. The iterator may itself
    /// send through this lane: what it sends then comes first.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1).
    #[inline]
    pub(crate) unsafe fn write_from(&self, messages: &mut impl Iterator<Item = T>) -> usize {
        let mut count = 0;
        // SAFETY: as the caller promises.
        while unsafe { self.room() } {
            let (mut slot, mut tail, limit) = self.sending.with(|sending| {
                // SAFETY: L1.
                let sending = unsafe { &*sending };
                (sending.slot, sending.tail, sending.limit)
            });
            // SAFETY: as the caller promises, and there is room.
            let held = unsafe { Held::new(self, limit) };
            let mut displaced = None;
            while tail != limit {
                let Some(message) = messages.next() else {
                    return count;
                };
                // SAFETY: as the caller promises.
                if unsafe { self.written() } != tail {
                    // The iterator has sent, so the run is another one now.
                    displaced = Some(message);
                    break;
                }
                let here = slot;
                // SAFETY: by L4 the slot is the sender's, in a segment that is alive, and holds no message.
                slot = unsafe { here.next() };
                tail = tail.wrapping_add(1);
                self.sending.with_mut(|sending| {
                    // SAFETY: L1.
                    let sending = unsafe { &mut *sending };
                    sending.slot = slot;
                    sending.tail = tail;
                });
                // SAFETY: as above.
                unsafe { here.put(message) };
                count += 1;
            }
            drop(held);
            if let Some(message) = displaced {
                // SAFETY: as the caller promises.
                let room = unsafe { self.room() };
                debug_assert!(room, "a place was held, by L7");
                // SAFETY: as the caller promises, and by L7 there is room.
                unsafe { self.write(message) };
                count += 1;
            }
        }
        count
    }

    /// Writes copies of these messages as long as there is room for them; returns how many.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1).
    #[inline]
    pub(crate) unsafe fn write_all(&self, messages: &[T]) -> usize
    where
        T: Copy,
    {
        let mut rest = messages;
        // SAFETY: as the caller promises.
        while !rest.is_empty() && unsafe { self.room() } {
            self.sending.with_mut(|sending| {
                // SAFETY: L1.
                let sending = unsafe { &mut *sending };
                let row = sending.limit.wrapping_sub(sending.tail);
                let (now, later) = rest.split_at(row.min(rest.len()));
                // SAFETY: by L4 the slots of the run are the sender's, and hold no messages.
                unsafe { sending.slot.put_all(now.as_ptr(), now.len()) };
                // SAFETY: as above.
                sending.slot = unsafe { sending.slot.nth(now.len()) };
                sending.tail = sending.tail.wrapping_add(now.len());
                rest = later;
            });
        }
        messages.len() - rest.len()
    }

    /// How many messages were written, ever (wrapping).
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1).
    #[inline(always)]
    pub(crate) unsafe fn written(&self) -> usize {
        // SAFETY: L1.
        self.sending.with(|sending| unsafe { (*sending).tail })
    }

    /// Waits until there is room, `also` is true, or the deadline. Inside of a batch's iterator it does not wait.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1).
    pub(crate) unsafe fn wait_room(
        &self,
        deadline: Option<Instant>,
        also: impl Fn() -> bool,
    ) -> Woken {
        // SAFETY: as the caller promises.
        let ready = || also() || unsafe { self.room() };
        // SAFETY: L1.
        if self.sending.with(|sending| unsafe { (*sending).held }) != 0 {
            // The receiver does not see yet what the batch has written, so it may never make room.
            return if ready() {
                Woken::Ready
            } else {
                Woken::Stalled
            };
        }
        match &*self.room {
            Some(bell) => {
                // SAFETY: L1.
                let mut gate = self.sending.with(|sending| unsafe { (*sending).gate });
                let woken = bell.wait(&mut gate, deadline, ready);
                // SAFETY: L1.
                self.sending
                    .with_mut(|sending| unsafe { (*sending).gate = gate });
                woken
            }
            None => Woken::Ready,
        }
    }

    /// Lets the receiver see everything written.
    ///
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1).
    #[inline(always)]
    pub(crate) unsafe fn publish(&self) {
        // SAFETY: as the caller promises.
        self.tail
            .store(unsafe { self.written() }, Ordering::Release);
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
    /// The caller is the lane's only sender (L1).
    #[cold]
    #[inline(never)]
    unsafe fn more_room(&self) -> bool {
        self.sending.with_mut(|sending| {
            // SAFETY: L1.
            let sending = unsafe { &mut *sending };
            if self.bounded {
                self.go_round(sending)
            } else {
                self.go_on(sending);
                true
            }
        })
    }

    fn go_round(&self, sending: &mut Sending<T, S>) -> bool {
        let tail = sending.tail;
        let len = self.len - sending.held;
        if tail.wrapping_sub(sending.head) >= len {
            sending.head = self.progress.head.load(Ordering::Acquire);
            if tail.wrapping_sub(sending.head) >= len {
                return false;
            }
        }
        if tail == sending.end {
            // SAFETY: the lane's only segment was made by `prepare` and lives as long as the lane.
            sending.slot = unsafe { &*sending.current }.slots.first();
            sending.end = tail.wrapping_add(self.len);
        }
        let room = len - tail.wrapping_sub(sending.head);
        let row = sending.end.wrapping_sub(tail);
        sending.limit = tail.wrapping_add(room.min(row));
        true
    }

    /// Begins the segment behind the current one: one that came back, else a new one.
    fn go_on(&self, sending: &mut Sending<T, S>) {
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
        sending.slot = unsafe { &*segment }.slots.first();
        sending.end = sending.tail.wrapping_add(self.len);
        sending.limit = sending.end;
    }
}

/// Holds a place of a bounded lane while a batch asks its iterator for a message, so that this has somewhere to go
/// whatever the iterator sends meanwhile (L7). Gives it back when it goes out of scope, also by a panic.
struct Held<'a, T, S: Scope> {
    lane: &'a Lane<T, S>,
    /// The run's limit before.
    limit: usize,
}

impl<'a, T, S: Scope> Held<'a, T, S> {
    /// # Safety
    ///
    /// The caller is the lane's only sender (L1) as long as this lives; `limit` is that of its run, which is not empty.
    unsafe fn new(lane: &'a Lane<T, S>, limit: usize) -> Self {
        if lane.bounded {
            lane.sending.with_mut(|sending| {
                // SAFETY: L1.
                let sending = unsafe { &mut *sending };
                sending.held += 1;
                sending.limit = limit.wrapping_sub(1);
            });
        }
        Self { lane, limit }
    }
}

impl<T, S: Scope> Drop for Held<'_, T, S> {
    fn drop(&mut self) {
        if self.lane.bounded {
            self.lane.sending.with_mut(|sending| {
                // SAFETY: L1, as `new` was promised.
                let sending = unsafe { &mut *sending };
                sending.held -= 1;
                // Else the iterator has found another run, which goes further.
                if sending.limit == self.limit.wrapping_sub(1) {
                    sending.limit = self.limit;
                }
            });
        }
    }
}
