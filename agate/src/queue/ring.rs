//! The bounded lane: an index ring. The sender publishes `tail`, the receiver publishes `head`, each caches the other.
//!
//! # Invariants
//!
//! - I1: indices count messages and wrap; slot of index `i` is `i & mask`.
//! - I2: `head <= private head <= tail <= private tail <= head + capacity` (in wrapping arithmetic).
//! - I3: slots in `[private head, tail)` hold messages and are the receiver's; the others are the sender's.
//! - I4: `sending` is touched by the lane's sender alone, `receiving` by its receiver alone (`lane` I1); hand-over of
//!   a lane through the free list is release/acquire.
//! - I5: `slots` goes from null to a boxed `Slots` once, by the sender, before the first publish.
#![allow(
    unsafe_code,
    reason = "the two ends share raw slots, split between them by the indices, I3"
)]

use std::time::Instant;

use crate::park::{Bell, Gate, WaitMode, Woken};
use crate::queue::lane::Store;
use crate::queue::slots::{Base, Slots};
use crate::scope::{Local, Scope};
use crate::sync::Line;
use crate::sync::atomic::Ordering;
use crate::sync::cell::UnsafeCell;
use crate::words::Word;

#[derive(Debug)]
struct Sending {
    tail: usize,
    /// A head that was true once; the real one may be further.
    head: usize,
}

#[derive(Debug)]
struct Receiving {
    head: usize,
    /// A tail that was true once; the real one may be further.
    tail: usize,
    /// The head that the sender can see.
    released: usize,
}

/// A bounded single-producer single-consumer ring.
pub(crate) struct Ring<T, S: Scope> {
    capacity: usize,
    mask: usize,
    slots: S::Ptr<Slots<T>>,
    sending: Line<UnsafeCell<Sending>>,
    tail: Line<S::Usize>,
    head: Line<S::Usize>,
    receiving: Line<UnsafeCell<Receiving>>,
    /// What the sender sleeps on when there is no room.
    room: Line<S::Bell>,
}

// SAFETY: the ring moves messages from the sender's thread to the receiver's; everything shared is atomic or split by I3, I4.
unsafe impl<T: Send> Send for Ring<T, Local> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Ring<T, Local> {}

impl<T, S: Scope> Ring<T, S> {
    #[inline(always)]
    fn slots(&self) -> Base<T> {
        let slots = self.slots.load(Ordering::Relaxed);
        // SAFETY: by I5 it is set: the sender set it itself at attach, the receiver comes here after it has acquired
        // a tail that was published later. It lives as long as the ring.
        unsafe { &*slots }.base()
    }
}

impl<T, S: Scope> Ring<T, S> {
    #[inline(always)]
    fn room(&self, sending: &mut Sending) -> bool {
        if sending.tail.wrapping_sub(sending.head) < self.capacity {
            return true;
        }
        sending.head = self.head.load(Ordering::Acquire);
        sending.tail.wrapping_sub(sending.head) < self.capacity
    }
}

impl<T, S: Scope> Store<T> for Ring<T, S> {
    type Config = usize;

    fn new(capacity: usize) -> Self {
        Self {
            capacity,
            mask: capacity.next_power_of_two() - 1,
            slots: S::Ptr::new(std::ptr::null_mut()),
            sending: Line(UnsafeCell::new(Sending { tail: 0, head: 0 })),
            tail: Line(S::Usize::new(0)),
            head: Line(S::Usize::new(0)),
            receiving: Line(UnsafeCell::new(Receiving {
                head: 0,
                tail: 0,
                released: 0,
            })),
            room: Line(S::Bell::new(WaitMode::Wake)),
        }
    }

    unsafe fn prepare(&self) -> bool {
        if self.slots.load(Ordering::Relaxed).is_null() {
            let Some(slots) = Slots::new(self.mask + 1) else {
                return false;
            };
            self.slots
                .store(Box::into_raw(Box::new(slots)), Ordering::Release);
        }
        true
    }

    unsafe fn wait_room(
        &self,
        gate: &mut Gate,
        deadline: Option<Instant>,
        also: impl Fn() -> bool,
    ) -> Woken {
        self.room.wait(gate, deadline, || {
            // SAFETY: the caller is the only sender.
            also() || unsafe { self.has_room() }
        })
    }

    fn ring_room(&self) {
        self.room.ring();
    }

    unsafe fn has_room(&self) -> bool {
        // SAFETY: the caller is the only sender, I4.
        self.sending
            .with_mut(|sending| self.room(unsafe { &mut *sending }))
    }

    #[inline(always)]
    unsafe fn write(&self, message: T) -> Result<(), T> {
        self.sending.with_mut(|sending| {
            // SAFETY: the caller is the only sender, I4.
            let sending = unsafe { &mut *sending };
            if !self.room(sending) {
                return Err(message);
            }
            // SAFETY: masked; by I3 the slot is the sender's and empty, since `tail < head + capacity`.
            unsafe { self.slots().write(sending.tail & self.mask, message) };
            sending.tail = sending.tail.wrapping_add(1);
            Ok(())
        })
    }

    #[inline(always)]
    unsafe fn publish(&self) {
        // SAFETY: the caller is the only sender, I4.
        let tail = self.sending.with(|sending| unsafe { (*sending).tail });
        self.tail.store(tail, Ordering::Release);
    }

    #[inline(always)]
    unsafe fn is_ready(&self) -> bool {
        // SAFETY: the caller is the only receiver, I4.
        let head = self
            .receiving
            .with(|receiving| unsafe { (*receiving).head });
        self.tail.load(Ordering::Acquire) != head
    }

    #[inline(always)]
    unsafe fn take(&self) -> Option<T> {
        self.receiving.with_mut(|receiving| {
            // SAFETY: the caller is the only receiver, I4.
            let receiving = unsafe { &mut *receiving };
            if receiving.head == receiving.tail {
                receiving.tail = self.tail.load(Ordering::Acquire);
                if receiving.head == receiving.tail {
                    return None;
                }
            }
            let index = receiving.head & self.mask;
            // The head goes on first: whatever happens later, the message is not delivered twice.
            receiving.head = receiving.head.wrapping_add(1);
            // SAFETY: masked; by I3 the slot holds a message of the receiver's, and `head` is past it now.
            Some(unsafe { self.slots().read(index) })
        })
    }

    #[inline(always)]
    unsafe fn release(&self) {
        self.receiving.with_mut(|receiving| {
            // SAFETY: the caller is the only receiver, I4.
            let receiving = unsafe { &mut *receiving };
            if receiving.released != receiving.head {
                receiving.released = receiving.head;
                self.head.store(receiving.head, Ordering::Release);
                let word = self.room.after_publish();
                if word != 0 {
                    self.room.answer(word);
                }
            }
        });
    }
}

impl<T, S: Scope> Drop for Ring<T, S> {
    fn drop(&mut self) {
        // SAFETY: `&mut self`: both ends are ours.
        while let Some(message) = unsafe { self.take() } {
            drop(message);
        }
        let slots = self.slots.load(Ordering::Relaxed);
        if !slots.is_null() {
            // SAFETY: by I5 it came from a box, and it is not used again.
            drop(unsafe { Box::from_raw(slots) });
        }
    }
}
