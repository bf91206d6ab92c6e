//! gil: its sharded queue, which like agate's gives each sender a ring of its own, and its queue for one sender. Both spin.
//!
//! # Invariants
//!
//! - I1: `commit(n)` follows n writes into the slice that `write_buffer` gave, with nothing between.
#![allow(
    unsafe_code,
    reason = "the only batch call of its senders is unsafe, I1"
)]

use std::num::NonZeroUsize;

use gil::Backoff as GilBackoff;
use gil::mpsc::sharded::{self, Receiver, Sender};
use gil::spsc;

use crate::messages::backoff::Backoff;
use crate::messages::message::Message;
use crate::messages::peer::{BATCH, CAPACITY, Class, Info, Peer, Rx, Tx};

const CAPACITY_OF_ONE: NonZeroUsize = NonZeroUsize::new(CAPACITY).expect("not zero");

/// As many polls before the receiver yields as its own `recv` makes.
const SPINS: u32 = 128;

/// Sharded: received one by one or by its read guard; sent one by one or committed in batches.
#[derive(Debug)]
pub struct Sharded<const GUARD: bool, const COMMIT: bool>;

/// One by one.
pub type Plain = Sharded<false, false>;
/// Received by its read guard.
pub type Guard = Sharded<true, false>;
/// Received by its read guard, sent in batches.
pub type GuardCommit = Sharded<true, true>;

/// The sending end.
pub struct Sending<M, const COMMIT: bool>(Sender<M>);

/// The receiving end.
pub struct Receiving<M, const GUARD: bool>(Receiver<M>);

impl<M: Message, const GUARD: bool, const COMMIT: bool> Peer<M> for Sharded<GUARD, COMMIT> {
    type Tx = Sending<M, COMMIT>;
    type Rx = Receiving<M, GUARD>;

    fn info() -> Info {
        let guard = if GUARD { ", read guard" } else { "" };
        let commit = if COMMIT { ", batches of 32" } else { "" };
        Info::bounded(format!("gil sharded{guard}{commit}"), Class::Spins)
    }

    fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        let shards = NonZeroUsize::new(senders.next_power_of_two()).expect("not zero");
        let (first, rx) = sharded::channel(shards, CAPACITY_OF_ONE);
        let mut txs: Vec<Sender<M>> = (1..senders)
            .map(|_| first.clone().expect("a shard for each"))
            .collect();
        txs.push(first);
        (txs.into_iter().map(Sending).collect(), Receiving(rx))
    }
}

impl<M: Message, const COMMIT: bool> Tx<M> for Sending<M, COMMIT> {
    #[inline]
    fn send(&mut self, message: M) {
        self.0.send(message);
    }

    #[inline]
    fn send_each(&mut self, mut messages: impl ExactSizeIterator<Item = M>) {
        if !COMMIT {
            messages.for_each(|message| self.0.send(message));
            return;
        }
        let mut backoff = Backoff::default();
        while messages.len() > 0 {
            let mut written = 0;
            for (slot, message) in self
                .0
                .write_buffer()
                .iter_mut()
                .take(BATCH)
                .zip(&mut messages)
            {
                slot.write(message);
                written += 1;
            }
            if written == 0 {
                backoff.wait();
                continue;
            }
            backoff = Backoff::default();
            // SAFETY: I1: as many slots were just written.
            unsafe { self.0.commit(written) };
        }
    }
}

impl<M: Message, const GUARD: bool> Rx<M> for Receiving<M, GUARD> {
    #[inline]
    fn drain(&mut self, mut each: impl FnMut(M)) -> usize {
        let mut count = 0;
        if GUARD {
            loop {
                let mut guard = self.0.read_guard();
                let messages = guard.as_slice();
                if messages.is_empty() {
                    return count;
                }
                let there = messages.len();
                messages.iter().copied().for_each(&mut each);
                guard.advance(there);
                count += there;
            }
        }
        while let Some(message) = self.0.try_recv() {
            each(message);
            count += 1;
        }
        count
    }

    #[inline]
    fn receive(&mut self, mut each: impl FnMut(M)) -> usize {
        if !GUARD {
            each(self.0.recv());
            return 1;
        }
        let mut backoff = GilBackoff::with_spin_count(SPINS);
        loop {
            let count = self.drain(&mut each);
            if count > 0 {
                return count;
            }
            backoff.backoff();
        }
    }

    #[inline]
    fn next(&mut self) -> Option<M> {
        Some(self.0.recv())
    }
}

/// The queue for one sender.
#[derive(Debug)]
pub struct Single;

/// An end of the queue for one sender.
pub struct One<E>(E);

impl<M: Message> Peer<M> for Single {
    type Tx = One<spsc::Sender<M>>;
    type Rx = One<spsc::Receiver<M>>;

    fn info() -> Info {
        Info::bounded("gil spsc", Class::Spins)
    }

    fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        assert_eq!(senders, 1, "this queue has one sender");
        let (tx, rx) = spsc::channel(CAPACITY_OF_ONE);
        (vec![One(tx)], One(rx))
    }
}

impl<M: Message> Tx<M> for One<spsc::Sender<M>> {
    #[inline]
    fn send(&mut self, message: M) {
        self.0.send(message);
    }
}

impl<M: Message> Rx<M> for One<spsc::Receiver<M>> {
    #[inline]
    fn drain(&mut self, mut each: impl FnMut(M)) -> usize {
        let mut count = 0;
        while let Some(message) = self.0.try_recv() {
            each(message);
            count += 1;
        }
        count
    }

    #[inline]
    fn receive(&mut self, mut each: impl FnMut(M)) -> usize {
        each(self.0.recv());
        1 + self.drain(each)
    }

    #[inline]
    fn next(&mut self) -> Option<M> {
        Some(self.0.recv())
    }
}
