//! kanal.

use kanal::{Receiver, Sender};

use crate::messages::message::Message;
use crate::messages::peer::{CAPACITY, Class, Info, Peer, Rx, Tx};

/// kanal, bounded or not.
#[derive(Debug)]
pub struct Channel<const BOUNDED: bool>;

/// Bounded.
pub type Bounded = Channel<true>;
/// Unbounded.
pub type Unbounded = Channel<false>;

/// The receiving end, and the memory that its batch call fills.
#[derive(Debug)]
pub struct Batches<M> {
    receiver: Receiver<M>,
    batch: Vec<M>,
}

impl<M: Message, const BOUNDED: bool> Peer<M> for Channel<BOUNDED> {
    type Tx = Sender<M>;
    type Rx = Batches<M>;

    fn info() -> Info {
        if BOUNDED {
            Info::bounded("kanal bounded", Class::Parks)
        } else {
            Info::unbounded("kanal unbounded", Class::Parks)
        }
    }

    fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        let (tx, receiver) = if BOUNDED {
            kanal::bounded(CAPACITY)
        } else {
            kanal::unbounded()
        };
        let batch = Vec::with_capacity(CAPACITY);
        (vec![tx; senders], Batches { receiver, batch })
    }
}

impl<M: Message> Tx<M> for Sender<M> {
    #[inline]
    fn send(&mut self, message: M) {
        let _ = Sender::send(self, message);
    }
}

impl<M: Message> Rx<M> for Batches<M> {
    #[inline]
    fn drain(&mut self, each: impl FnMut(M)) -> usize {
        let _ = self.receiver.drain_into(&mut self.batch);
        self.batch.drain(..).map(each).count()
    }

    #[inline]
    fn receive(&mut self, mut each: impl FnMut(M)) -> usize {
        let count = self.drain(&mut each);
        if count > 0 {
            return count;
        }
        let Ok(message) = self.receiver.recv() else {
            return 0;
        };
        each(message);
        1
    }

    #[inline]
    fn next(&mut self) -> Option<M> {
        self.receiver.recv().ok()
    }
}
