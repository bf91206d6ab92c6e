//! flume.

use flume::{Receiver, Sender};

use crate::messages::message::Message;
use crate::messages::peer::{CAPACITY, Class, Info, Peer, Rx, Tx};

/// flume, bounded or not.
#[derive(Debug)]
pub struct Channel<const BOUNDED: bool>;

/// Bounded.
pub type Bounded = Channel<true>;
/// Unbounded.
pub type Unbounded = Channel<false>;

impl<M: Message, const BOUNDED: bool> Peer<M> for Channel<BOUNDED> {
    type Tx = Sender<M>;
    type Rx = Receiver<M>;

    fn info() -> Info {
        if BOUNDED {
            Info::bounded("flume bounded", Class::Parks)
        } else {
            Info::unbounded("flume unbounded", Class::Parks)
        }
    }

    fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        let (tx, rx) = if BOUNDED {
            flume::bounded(CAPACITY)
        } else {
            flume::unbounded()
        };
        (vec![tx; senders], rx)
    }
}

impl<M: Message> Tx<M> for Sender<M> {
    #[inline]
    fn send(&mut self, message: M) {
        let _ = Sender::send(self, message);
    }
}

impl<M: Message> Rx<M> for Receiver<M> {
    #[inline]
    fn drain(&mut self, each: impl FnMut(M)) -> usize {
        Receiver::drain(self).map(each).count()
    }

    #[inline]
    fn receive(&mut self, mut each: impl FnMut(M)) -> usize {
        let Ok(message) = self.recv() else { return 0 };
        each(message);
        1 + Rx::drain(self, each)
    }

    #[inline]
    fn next(&mut self) -> Option<M> {
        self.recv().ok()
    }
}
