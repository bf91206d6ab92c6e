//! agate's queue.

use agate::{Capacity, Limits, Local, Receiver, Scope, Sender, TrySendError};

use crate::messages::message::Message;
use crate::messages::peer::{BATCH, CAPACITY, Class, Info, Peer, Rx, Tx};

/// A queue of agate: bounded or not, sending one by one or in batches, with so many more senders attached that do nothing.
#[derive(Debug)]
pub struct Agate<const BOUNDED: bool, const BATCHED: bool, const IDLE: usize>;

/// Bounded.
pub type Bounded = Agate<true, false, 0>;
/// Unbounded.
pub type Unbounded = Agate<false, false, 0>;
/// Bounded, publishing [`BATCH`] messages at once.
pub type BoundedBatch = Agate<true, true, 0>;
/// Unbounded, publishing [`BATCH`] messages at once.
pub type UnboundedBatch = Agate<false, true, 0>;
/// Bounded, with 64 idle lanes.
pub type BoundedIdle = Agate<true, false, 64>;
/// Unbounded, with 64 idle lanes.
pub type UnboundedIdle = Agate<false, false, 64>;

/// The receiving end, and the senders that do nothing.
#[derive(Debug)]
pub struct Drained<M: Message> {
    receiver: Receiver<M>,
    _idle: Vec<Sender<M>>,
}

/// A sending end; whether it sends in batches is part of its type.
#[derive(Debug)]
pub struct Attached<M: Message, const BATCHED: bool>(Sender<M>);

impl<M: Message, const BOUNDED: bool, const BATCHED: bool, const IDLE: usize> Peer<M>
    for Agate<BOUNDED, BATCHED, IDLE>
{
    type Tx = Attached<M, BATCHED>;
    type Rx = Drained<M>;

    fn info() -> Info {
        let bounds = if BOUNDED { "bounded" } else { "unbounded" };
        let batch = if BATCHED { ", batches of 32" } else { "" };
        let idle = if IDLE > 0 { ", 64 idle lanes" } else { "" };
        Info {
            name: format!("agate {bounds}{batch}{idle}"),
            class: Class::Parks,
            bounded: BOUNDED,
        }
    }

    fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        let capacity = if BOUNDED {
            Capacity::bounded(CAPACITY)
        } else {
            Capacity::Unbounded
        };
        let limits = Limits::senders(senders + IDLE).receivers(1);
        let queue = Local.queue(limits, capacity).expect("makes a queue");
        let attach = |_| queue.attach_sender().expect("within the limit");
        let txs = (0..senders).map(attach).map(Attached).collect();
        let receiver = queue.attach_receiver().expect("the first receiver");
        let _idle = (0..IDLE).map(attach).collect();
        (txs, Drained { receiver, _idle })
    }
}

impl<M: Message, const BATCHED: bool> Attached<M, BATCHED> {
    /// Sends one message, and waits for room where there is none.
    #[inline(always)]
    fn send_waiting(&self, message: M) {
        if let Err(refused) = self.0.try_send(message) {
            self.send_late(refused);
        }
    }

    #[cold]
    fn send_late(&self, refused: TrySendError<M>) {
        // Ends with an error when the receiver is gone, which the sums then show.
        let _ = self.0.wait_send(refused.into_message());
    }

    /// Sends these, [`BATCH`] published at once; waits for room where there is none.
    fn send_batches(&self, mut messages: impl ExactSizeIterator<Item = M>) {
        while messages.len() > 0 {
            match self.0.try_send_batch(&mut messages.by_ref().take(BATCH)) {
                Ok(0) => match messages.next() {
                    Some(message) => self.send_waiting(message),
                    None => return,
                },
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }
}

impl<M: Message, const BATCHED: bool> Tx<M> for Attached<M, BATCHED> {
    #[inline(always)]
    fn send(&mut self, message: M) {
        self.send_waiting(message);
    }

    #[inline]
    fn send_each(&mut self, messages: impl ExactSizeIterator<Item = M>) {
        if BATCHED {
            self.send_batches(messages);
        } else {
            messages.for_each(|message| self.send_waiting(message));
        }
    }
}

impl<M: Message> Rx<M> for Drained<M> {
    #[inline]
    fn drain(&mut self, mut each: impl FnMut(M)) -> usize {
        let mut count = 0;
        for message in self.receiver.drain() {
            each(message);
            count += 1;
        }
        count
    }

    #[inline]
    fn receive(&mut self, mut each: impl FnMut(M)) -> usize {
        let count = self.drain(&mut each);
        if count > 0 {
            return count;
        }
        match self.receiver.wait_recv() {
            Ok(message) => {
                each(message);
                1
            }
            Err(_) => 0,
        }
    }

    #[inline]
    fn next(&mut self) -> Option<M> {
        self.receiver.wait_recv().ok()
    }
}
