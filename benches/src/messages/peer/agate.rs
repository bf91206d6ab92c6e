//! agate's queue.

use agate::{Capacity, Limits, Local, Receiver, Scope, Sender, TrySendError};

use crate::messages::message::Message;
use crate::messages::peer::{BATCH, CAPACITY, Class, Info, Peer, Rx, Tx};

/// A queue of agate: bounded or not, sending one by one or in batches, with so many more senders attached that do nothing.
#[derive(Debug)]
pub struct Agate<const BOUNDED: bool, const HOW: usize, const IDLE: usize>;

/// Each message by itself.
pub const ONE_BY_ONE: usize = 0;
/// [`BATCH`] messages of an iterator at once.
pub const BATCHES: usize = 1;
/// [`BATCH`] messages of a slice at once, and received into a vector.
pub const SLICES: usize = 2;

/// Bounded.
pub type Bounded = Agate<true, ONE_BY_ONE, 0>;
/// Unbounded.
pub type Unbounded = Agate<false, ONE_BY_ONE, 0>;
/// Bounded, publishing [`BATCH`] messages at once.
pub type BoundedBatch = Agate<true, BATCHES, 0>;
/// Unbounded, publishing [`BATCH`] messages at once.
pub type UnboundedBatch = Agate<false, BATCHES, 0>;
/// Bounded, sending slices of [`BATCH`] messages and receiving rows of them.
pub type BoundedSlices = Agate<true, SLICES, 0>;
/// Bounded, with 64 idle lanes.
pub type BoundedIdle = Agate<true, ONE_BY_ONE, 64>;
/// Unbounded, with 64 idle lanes.
pub type UnboundedIdle = Agate<false, ONE_BY_ONE, 64>;

/// The receiving end, and the senders that do nothing.
#[derive(Debug)]
pub struct Drained<M: Message, const HOW: usize> {
    receiver: Receiver<M>,
    /// What slices are received into.
    row: Vec<M>,
    _idle: Vec<Sender<M>>,
}

/// A sending end; whether it sends in batches is part of its type.
#[derive(Debug)]
pub struct Attached<M: Message, const HOW: usize>(Sender<M>);

impl<M: Message, const BOUNDED: bool, const HOW: usize, const IDLE: usize> Peer<M>
    for Agate<BOUNDED, HOW, IDLE>
{
    type Tx = Attached<M, HOW>;
    type Rx = Drained<M, HOW>;

    fn info() -> Info {
        let bounds = if BOUNDED { "bounded" } else { "unbounded" };
        let batch = ["", ", batches of 32", ", slices of 32"][HOW];
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
        let row = Vec::with_capacity(CAPACITY);
        (
            txs,
            Drained {
                receiver,
                row,
                _idle,
            },
        )
    }
}

impl<M: Message, const HOW: usize> Attached<M, HOW> {
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

impl<M: Message, const HOW: usize> Attached<M, HOW> {
    /// As `send_batches`, by way of a slice.
    fn send_slices(&self, mut messages: impl ExactSizeIterator<Item = M>) {
        let mut slice = Vec::with_capacity(BATCH);
        while messages.len() > 0 {
            slice.clear();
            slice.extend(messages.by_ref().take(BATCH));
            let Ok(mut sent) = self.0.try_send_slice(&slice) else {
                return;
            };
            while sent < slice.len() {
                self.send_waiting(slice[sent]);
                sent += 1;
                sent += self.0.try_send_slice(&slice[sent..]).unwrap_or(slice.len());
            }
        }
    }
}

impl<M: Message, const HOW: usize> Tx<M> for Attached<M, HOW> {
    #[inline(always)]
    fn send(&mut self, message: M) {
        self.send_waiting(message);
    }

    #[inline]
    fn send_each(&mut self, messages: impl ExactSizeIterator<Item = M>) {
        match HOW {
            ONE_BY_ONE => messages.for_each(|message| self.send_waiting(message)),
            BATCHES => self.send_batches(messages),
            _ => self.send_slices(messages),
        }
    }
}

impl<M: Message, const HOW: usize> Rx<M> for Drained<M, HOW> {
    #[inline]
    fn drain(&mut self, mut each: impl FnMut(M)) -> usize {
        if HOW == SLICES {
            let count = self.receiver.drain_into(&mut self.row, CAPACITY);
            self.row.drain(..).for_each(each);
            return count;
        }
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
