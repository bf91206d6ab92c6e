//! The queues that are compared, each used as its documentation advises, all behind one trait.

pub mod agate;
pub mod crossbeam;
pub mod crossfire;
pub mod fixed;
pub mod flume;
pub mod gil;
pub mod kanal;
pub mod popped;
pub mod ring;
pub mod rtrb;
pub mod std_mpsc;

use crate::messages::message::Message;

/// So many messages fit into a bounded queue; into each lane where each sender has its own.
pub const CAPACITY: usize = 1024;

/// So many messages are published together where a candidate sends in batches.
pub const BATCH: usize = 32;

/// What an end does that has nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// It sleeps in the kernel.
    Parks,
    /// It burns its processor.
    Spins,
    /// It is no library but what the machine allows.
    Limit,
}

impl Class {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Parks => "parks",
            Self::Spins => "spins",
            Self::Limit => "limit",
        }
    }
}

/// What a candidate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// What the tables call it.
    pub name: String,
    /// What it does when idle.
    pub class: Class,
    /// Whether a queue is full at some time.
    pub bounded: bool,
}

impl Info {
    /// Of a queue with room for [`CAPACITY`] messages.
    pub fn bounded(name: impl Into<String>, class: Class) -> Self {
        Self {
            name: name.into(),
            class,
            bounded: true,
        }
    }

    /// Of a queue that grows.
    pub fn unbounded(name: impl Into<String>, class: Class) -> Self {
        Self {
            bounded: false,
            ..Self::bounded(name, class)
        }
    }
}

/// A kind of queue.
pub trait Peer<M: Message> {
    /// A sending end, for one thread.
    type Tx: Tx<M>;
    /// The receiving end.
    type Rx: Rx<M>;

    /// What it is.
    fn info() -> Info;

    /// Makes a queue with so many sending ends; those for a single sender are never asked for more.
    fn open(senders: usize) -> (Vec<Self::Tx>, Self::Rx);
}

/// A sending end.
pub trait Tx<M: Message>: Send {
    /// Sends; waits while there is no room.
    fn send(&mut self, message: M);

    /// Sends all of these, in the way that the candidate is about: one by one or in batches.
    #[inline]
    fn send_each(&mut self, messages: impl ExactSizeIterator<Item = M>) {
        for message in messages {
            self.send(message);
        }
    }
}

/// A receiving end.
pub trait Rx<M: Message>: Send {
    /// Hands on what is there, without waiting; returns how many.
    fn drain(&mut self, each: impl FnMut(M)) -> usize;

    /// Waits until something is there, and hands on as much as a good user of this library would take at once. Returns how
    /// many; 0 when all senders are gone, which those that spin never tell.
    fn receive(&mut self, each: impl FnMut(M)) -> usize;

    /// Waits for the next message; `None` when all senders are gone.
    fn next(&mut self) -> Option<M>;
}
