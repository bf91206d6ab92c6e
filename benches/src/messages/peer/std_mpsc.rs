//! The channels of the standard library.

use std::sync::mpsc::{self, Receiver, Sender, SyncSender};

use crate::messages::message::Message;
use crate::messages::peer::{CAPACITY, Class, Info, Peer, Rx, Tx};

/// `sync_channel`.
#[derive(Debug)]
pub struct Bounded;

/// `channel`.
#[derive(Debug)]
pub struct Unbounded;

impl<M: Message> Peer<M> for Bounded {
    type Tx = SyncSender<M>;
    type Rx = Receiver<M>;

    fn info() -> Info {
        Info::bounded("std sync_channel", Class::Parks)
    }

    fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        let (tx, rx) = mpsc::sync_channel(CAPACITY);
        (vec![tx; senders], rx)
    }
}

impl<M: Message> Peer<M> for Unbounded {
    type Tx = Sender<M>;
    type Rx = Receiver<M>;

    fn info() -> Info {
        Info::unbounded("std channel", Class::Parks)
    }

    fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        let (tx, rx) = mpsc::channel();
        (vec![tx; senders], rx)
    }
}

impl<M: Message> Tx<M> for SyncSender<M> {
    #[inline]
    fn send(&mut self, message: M) {
        let _ = SyncSender::send(self, message);
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
        self.try_iter().map(each).count()
    }

    #[inline]
    fn receive(&mut self, mut each: impl FnMut(M)) -> usize {
        let Ok(message) = self.recv() else { return 0 };
        each(message);
        1 + self.drain(each)
    }

    #[inline]
    fn next(&mut self) -> Option<M> {
        self.recv().ok()
    }
}
