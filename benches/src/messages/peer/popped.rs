//! The queues of crossbeam-queue, which do not wait: those who use them spin, then yield.

use std::sync::Arc;

use crossbeam_queue::{ArrayQueue, SegQueue};

use crate::messages::backoff::Backoff;
use crate::messages::message::Message;
use crate::messages::peer::{CAPACITY, Class, Info, Peer, Rx, Tx};

/// `ArrayQueue`.
#[derive(Debug)]
pub struct Array;

/// `SegQueue`.
#[derive(Debug)]
pub struct Segments;

/// Either end.
#[derive(Debug)]
pub struct End<Q>(Arc<Q>);

/// A queue that gives what is there.
pub trait Pop<M>: Send + Sync {
    /// The oldest message.
    fn pop(&self) -> Option<M>;
}

impl<M: Message> Pop<M> for ArrayQueue<M> {
    #[inline]
    fn pop(&self) -> Option<M> {
        Self::pop(self)
    }
}

impl<M: Message> Pop<M> for SegQueue<M> {
    #[inline]
    fn pop(&self) -> Option<M> {
        Self::pop(self)
    }
}

fn ends<Q>(queue: Q, senders: usize) -> (Vec<End<Q>>, End<Q>) {
    let queue = Arc::new(queue);
    let txs = (0..senders).map(|_| End(Arc::clone(&queue))).collect();
    (txs, End(queue))
}

impl<M: Message> Peer<M> for Array {
    type Tx = End<ArrayQueue<M>>;
    type Rx = End<ArrayQueue<M>>;

    fn info() -> Info {
        Info::bounded("crossbeam ArrayQueue", Class::Spins)
    }

    fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        ends(ArrayQueue::new(CAPACITY), senders)
    }
}

impl<M: Message> Peer<M> for Segments {
    type Tx = End<SegQueue<M>>;
    type Rx = End<SegQueue<M>>;

    fn info() -> Info {
        Info::unbounded("crossbeam SegQueue", Class::Spins)
    }

    fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        ends(SegQueue::new(), senders)
    }
}

impl<M: Message> Tx<M> for End<ArrayQueue<M>> {
    #[inline]
    fn send(&mut self, mut message: M) {
        let mut backoff = Backoff::default();
        while let Err(refused) = self.0.push(message) {
            message = refused;
            backoff.wait();
        }
    }
}

impl<M: Message> Tx<M> for End<SegQueue<M>> {
    #[inline]
    fn send(&mut self, message: M) {
        self.0.push(message);
    }
}

impl<M: Message, Q: Pop<M>> Rx<M> for End<Q> {
    #[inline]
    fn drain(&mut self, mut each: impl FnMut(M)) -> usize {
        let mut count = 0;
        while let Some(message) = self.0.pop() {
            each(message);
            count += 1;
        }
        count
    }

    #[inline]
    fn receive(&mut self, mut each: impl FnMut(M)) -> usize {
        let mut backoff = Backoff::default();
        loop {
            let count = self.drain(&mut each);
            if count > 0 {
                return count;
            }
            backoff.wait();
        }
    }

    #[inline]
    fn next(&mut self) -> Option<M> {
        let mut backoff = Backoff::default();
        loop {
            if let Some(message) = self.0.pop() {
                return Some(message);
            }
            backoff.wait();
        }
    }
}
