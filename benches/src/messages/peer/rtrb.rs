//! rtrb: a ring for one sender, which does not wait; plain, and with chunks on both sides.

use rtrb::{Consumer, Producer, PushError, RingBuffer};

use crate::messages::backoff::Backoff;
use crate::messages::message::Message;
use crate::messages::peer::{BATCH, CAPACITY, Class, Info, Peer, Rx, Tx};

/// One message at a time, or in chunks.
#[derive(Debug)]
pub struct Ring<const CHUNKS: bool>;

/// One message at a time.
pub type Plain = Ring<false>;
/// Chunks on both sides, of [`BATCH`] messages where they are sent.
pub type Chunks = Ring<true>;

/// The sending end.
#[derive(Debug)]
pub struct Sending<M, const CHUNKS: bool>(Producer<M>);

/// The receiving end.
#[derive(Debug)]
pub struct Receiving<M, const CHUNKS: bool>(Consumer<M>);

impl<M: Message, const CHUNKS: bool> Peer<M> for Ring<CHUNKS> {
    type Tx = Sending<M, CHUNKS>;
    type Rx = Receiving<M, CHUNKS>;

    fn info() -> Info {
        let name = if CHUNKS { "rtrb, chunks of 32" } else { "rtrb" };
        Info::bounded(name, Class::Spins)
    }

    fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx) {
        assert_eq!(senders, 1, "rtrb has one sender");
        let (producer, consumer) = RingBuffer::new(CAPACITY);
        (vec![Sending(producer)], Receiving(consumer))
    }
}

impl<M: Message, const CHUNKS: bool> Tx<M> for Sending<M, CHUNKS> {
    #[inline]
    fn send(&mut self, mut message: M) {
        let mut backoff = Backoff::default();
        while let Err(PushError::Full(refused)) = self.0.push(message) {
            message = refused;
            backoff.wait();
        }
    }

    #[inline]
    fn send_each(&mut self, mut messages: impl ExactSizeIterator<Item = M>) {
        if !CHUNKS {
            messages.for_each(|message| self.send(message));
            return;
        }
        let mut backoff = Backoff::default();
        while messages.len() > 0 {
            match self.0.write_chunk_uninit(BATCH.min(messages.len())) {
                Ok(chunk) => {
                    chunk.fill_from_iter(&mut messages);
                    backoff = Backoff::default();
                }
                Err(_) => backoff.wait(),
            }
        }
    }
}

impl<M: Message, const CHUNKS: bool> Rx<M> for Receiving<M, CHUNKS> {
    #[inline]
    fn drain(&mut self, mut each: impl FnMut(M)) -> usize {
        if CHUNKS {
            let there = self.0.slots();
            let Ok(chunk) = self.0.read_chunk(there) else {
                return 0;
            };
            return chunk.into_iter().map(each).count();
        }
        let mut count = 0;
        while let Ok(message) = self.0.pop() {
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
            if let Ok(message) = self.0.pop() {
                return Some(message);
            }
            backoff.wait();
        }
    }
}
