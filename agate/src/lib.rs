//! Machine-local message passing: owners, queues, streams and completions.
//!
//! A resource that only one thread at a time may touch gets an [`Owner`]: one thread with an inbox.
//! Everybody else holds a [`Handle`], attaches to it, and sends messages that cost nanoseconds.
//! What will be answered later is answered into a [`Completion`].
//!
//! ```
//! use agate::{Handler, Local, Pending, Resolver, Scope};
//! use std::time::Duration;
//!
//! /// State that one thread alone uses.
//! struct Counter(u64);
//!
//! enum Count {
//!     Add(u64),
//!     Total(Resolver<u64>),
//! }
//!
//! impl Handler for Counter {
//!     type Message = Count;
//!     fn handle(&mut self, message: Count) {
//!         match message {
//!             Count::Add(n) => self.0 += n,
//!             Count::Total(asker) => asker.resolve(self.0),
//!         }
//!     }
//! }
//!
//! let second = Duration::from_secs(1);
//! let counter = Local.owner("counter", Counter(0))?;
//! let port = counter.attach()?; // one for each thread that sends
//! port.send(Count::Add(2))?; // never blocks
//! let mut total = port.ask(Count::Total)?; // poll it, wait for it, or await it
//! assert_eq!(total.wait_timeout(second), Ok(2));
//! let report = counter.shutdown(Pending::Drain, second)?;
//! assert_eq!(report.handled, 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What there is
//!
//! | object | made by | attach gives |
//! |---|---|---|
//! | [`Owner`] with an [`Inbox`] | [`Scope::owner`] | [`Port`] |
//! | [`Queue`] of messages | [`Scope::queue`] | [`Sender`], [`Receiver`] |
//! | [`Stream`] of byte messages, in [`Block`]s | [`Scope::stream`] | [`StreamSender`], [`StreamReceiver`] |
//! | one of your own [`Kind`] | [`Scope::install`] | whatever you like |
//!
//! # Names that can be relied on
//!
//! A `try_*` returns at once and may refuse; what was refused comes back. A plain verb returns at once and never
//! refuses for want of room. Only what is called `wait*` or `*_timeout`, and the end of an [`Owner`], may park. Each
//! method says under *Progress* what it may do besides: *wait-free* means a bounded number of its own steps,
//! *lock-free* that some thread always gets on.

mod attach;
mod caught;
mod completion;
mod counted;
mod error;
mod freelist;
mod handle;
mod holders;
mod inspect;
mod kind;
#[cfg(all(test, loom))]
mod model;
mod object;
mod owner;
mod park;
mod queue;
mod scope;
mod stream;
mod sync;
mod table;
mod verdict;
mod wait_any;
mod words;

pub use attach::{Place, Role};
pub use completion::{
    Arrival, Arrivals, Cancel, Completion, CompletionPool, CompletionPort, PortFull, Resolver,
    completion, forbid_wait,
};
pub use error::{
    AttachError, Closed, CompletionError, CreateError, NextError, OutOfBlocks, OutOfCompletions,
    RecvError, SendError, SendTimeoutError, StreamError, TryRecvError, TrySendError, WaitError,
};
pub use handle::{Handle, Limits};
pub use holders::Holders;
pub use inspect::{Inspection, LaneInspection};
pub use kind::Kind;
pub use owner::{
    Driver, Handler, Inbox, Owner, OwnerOptions, OwnerStats, Pending, Port, Pumped, ShutdownError,
    ShutdownReport,
};
pub use park::WaitMode;
pub use queue::{Capacity, Drain, Order, Queue, QueueOptions, Receiver, Recv, Sender};
pub use scope::{Carries, Local, Private, Scope};
pub use stream::{
    Block, BlockOptions, BlockPool, BlockStats, RawBlock, Reservation, Stream, StreamReceiver,
    StreamSender,
};
pub use wait_any::{WaitAnyError, Waitable, wait_any};

/// The program in the README is compiled and run with the examples of this crate.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
