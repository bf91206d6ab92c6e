//! What the machine allows a queue: one plain ring for each sender. A message is one write and one release store; nobody
//! sleeps, nobody leaves, nothing is dropped.
//!
//! # Invariants
//!
//! - I1: the sender alone writes slots from `tail` on, up to one lap behind `head`, and moves `tail` past them afterwards;
//!   the receiver alone reads slots from `head` up to `tail`, and moves `head` past them afterwards.
//! - I2: there is one [`Sending`] and one [`Receiving`] of each ring, and both want `&mut self`.
#![allow(
    unsafe_code,
    reason = "slots are shared between two threads, split by I1"
)]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::messages::backoff::Backoff;
use crate::messages::message::Message;
use crate::messages::peer::{CAPACITY, Class, Info, Peer, Rx, Tx};

/// Plain rings.
#[derive(Debug)]
pub struct Rings;

#[repr(align(128))]
struct Apart<T>(T);

struct Ring<M> {
    head: Apart<AtomicUsize>,
    tail: Apart<AtomicUsize>,
    slots: Apart<[UnsafeCell<MaybeUninit<M>>; CAPACITY]>,
}

// SAFETY: I1 splits the slots between the two ends; messages are `Copy` and may be sent.
unsafe impl<M: Send> Sync for Ring<M> {}

/// The sending end of one ring.
pub struct Sending<M> {
    ring: Arc<Ring<M>>,
    tail: usize,
    head: usize,
}

/// The receiving end of one ring.
pub struct Receiving<M> {
    ring: Arc<Ring<M>>,
    head: usize,
    tail: usize,
}

/// Makes one ring.
pub fn ring<M: Message>() -> (Sending<M>, Receiving<M>) {
    let ring = Arc::new(Ring {
        head: Apart(AtomicUsize::new(0)),
        tail: Apart(AtomicUsize::new(0)),
        slots: Apart([const { UnsafeCell::new(MaybeUninit::uninit()) }; CAPACITY]),
    });
    let sending = Sending {
        ring: Arc::clone(&ring),
        tail: 0,
        head: 0,
    };
    let receiving = Receiving {
        ring,
        head: 0,
        tail: 0,
    };
    (sending, receiving)
}

impl<M: Message> Sending<M> {
    /// Writes and publishes; `false` without room.
    #[inline(always)]
    pub fn push(&mut self, message: M) -> bool {
        if self.tail.wrapping_sub(self.head) == CAPACITY {
            self.head = self.ring.head.0.load(Ordering::Acquire);
            if self.tail.wrapping_sub(self.head) == CAPACITY {
                return false;
            }
        }
        let slot = self.ring.slots.0[self.tail % CAPACITY].get();
        // SAFETY: by I1 and I2 the slot is the sender's: less than a lap ahead of `head`, not yet published.
        unsafe { (*slot).write(message) };
        self.tail = self.tail.wrapping_add(1);
        self.ring.tail.0.store(self.tail, Ordering::Release);
        true
    }
}

impl<M: Message> Receiving<M> {
    /// Whether something is there.
    #[inline(always)]
    pub fn is_ready(&self) -> bool {
        self.head != self.tail || self.ring.tail.0.load(Ordering::Acquire) != self.head
    }

    /// Takes everything that is there, and gives the room back once.
    #[inline(always)]
    pub fn take_all(&mut self, mut each: impl FnMut(M)) -> usize {
        self.tail = self.ring.tail.0.load(Ordering::Acquire);
        let count = self.tail.wrapping_sub(self.head);
        if count == 0 {
            return 0;
        }
        while self.head != self.tail {
            each(self.read());
        }
        self.ring.head.0.store(self.head, Ordering::Release);
        count
    }

    /// Takes the oldest message.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<M> {
        if self.head == self.tail {
            self.tail = self.ring.tail.0.load(Ordering::Acquire);
            if self.head == self.tail {
                return None;
            }
        }
        let message = self.read();
        self.ring.head.0.store(self.head, Ordering::Release);
        Some(message)
    }

    /// Reads the message at `head`, which is before `tail`.
    #[inline(always)]
    fn read(&mut self) -> M {
        let slot = self.ring.slots.0[self.head % CAPACITY].get();
        self.head = self.head.wrapping_add(1);
        // SAFETY: by I1 and I2 the slot is the receiver's.
        let slot = unsafe { &*slot };
        // SAFETY: by I1 it was written before `tail` went past it.
        unsafe { slot.assume_init() }
    }
}

/// The receiving ends of all rings.
pub struct All<M>(Vec<Receiving<M>>);

impl<M: Message> Peer<M> for Rings {
    type Tx = Sending<M>;
    type Rx = All<M>;

    fn info() -> Info {
        Info::bounded("limit: plain rings", Class::Limit)
    }

    fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        let (txs, rxs) = (0..senders).map(|_| ring()).unzip();
        (txs, All(rxs))
    }
}

impl<M: Message> Tx<M> for Sending<M> {
    #[inline(always)]
    fn send(&mut self, message: M) {
        if !self.push(message) {
            let mut backoff = Backoff::default();
            while !self.push(message) {
                backoff.wait();
            }
        }
    }
}

impl<M: Message> Rx<M> for All<M> {
    #[inline]
    fn drain(&mut self, mut each: impl FnMut(M)) -> usize {
        self.0.iter_mut().map(|ring| ring.take_all(&mut each)).sum()
    }

    #[inline]
    fn receive(&mut self, mut each: impl FnMut(M)) -> usize {
        let mut polls = 0_u32;
        loop {
            let count = self.drain(&mut each);
            if count > 0 {
                return count;
            }
            polls += 1;
            if polls < 100 {
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }

    #[inline]
    fn next(&mut self) -> Option<M> {
        loop {
            if let Some(message) = self.0.iter_mut().find_map(Receiving::pop) {
                return Some(message);
            }
            std::hint::spin_loop();
        }
    }
}
