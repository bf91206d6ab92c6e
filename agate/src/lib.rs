//! Machine-local message passing: owners, queues, streams and completions.
//!
//! A resource that only one thread at a time may touch gets an [`Owner`]: one thread with an inbox.
//! Everybody else holds a [`Handle`], attaches to it, and sends messages that cost nanoseconds and never block.
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
//! | [`Owner`] with an [`Inbox`] | [`Scope::owner`], [`owner_from`](Scope::owner_from), [`owner_with`](Scope::owner_with) | [`Port`] |
//! | [`Queue`] of messages | [`Scope::queue`], [`queue_with`](Scope::queue_with) | [`Sender`], [`Receiver`] |
//! | [`Stream`] of byte messages, in [`Block`]s of a [`BlockPool`] | [`Scope::stream`], [`block_pool`](Scope::block_pool) | [`StreamSender`], [`StreamReceiver`] |
//! | one of your own [`Kind`] | [`Scope::install`] | whatever you like |
//!
//! A [`Handle`] names an object; [attaching](Handle::attach) checks the [`Limits`], once, and dropping what it gave
//! detaches. [`Handle::inspect`] tells who is attached to a queue and what waits there.
//!
//! What has no name, because it has two ends only, or collects them:
//!
//! | value | made by | is for |
//! |---|---|---|
//! | [`Completion`], [`Resolver`] | [`Port::ask`], [`completion()`], [`Scope::completion`] | one answer: [poll](Completion::poll), [wait](Completion::wait_timeout), `.await`, [call back](Completion::on_done), [join](Completion::join), [cancel](Completion::cancel) |
//! | [`CompletionPool`] | [`Scope::completion_pool`] | answers that allocate nothing |
//! | [`CompletionPort`] | [`Scope::completion_port`] | the answers of many operations, each with a key |
//! | [`wait_any`] | | waiting for several of all this at once |
//!
//! # Who may use it: scopes
//!
//! A scope is a value, and objects are made from it. Everything above has it as a parameter, [`Local`] if nothing is
//! said, and code that is generic over [`Scope`] is written once.
//!
//! | scope | users | a message must be ([`Carries`]) | waiting for what is not there |
//! |---|---|---|---|
//! | [`Local`] | the threads of a process | [`Send`] and `'static` | parks |
//! | [`Private`] | one thread | `'static` | says `WouldStall` at once: nobody else could bring it |
//!
//! In [`Private`] cells take the place of atomics, and nothing can leave its thread: that does not compile.
//!
//! # Names that can be relied on
//!
//! A `try_*` returns at once and may refuse; what was refused comes back. A plain verb returns at once and never
//! refuses for want of room. Only what is called `wait*`, `*_timeout` or `*_until`, and the end of an [`Owner`], may park. Each
//! method says under *Progress* what it may do besides: *wait-free* means a bounded number of its own steps,
//! *lock-free* that some thread always gets on. Calls that say nothing there do a few steps of their own.
//!
//! On a thread that must never park, such as one of a thread pool, call [`forbid_wait`] once: then what would park
//! there says `WouldStall` instead.
//!
//! # Which to choose
//!
//! - *Something that one thread at a time may use* and others want things of: an [`Owner`]. With a thread of its own
//!   if it has much to do or calls what blocks; driven by its users ([`Driver::Users`]) if there is no core to spare
//!   for it; by the host ([`Driver::Host`]) if there is a loop already, such as a window's.
//! - *Messages, and a receiver with a loop of its own*: a [`Queue`], [bounded](Capacity::Bounded) unless you know why
//!   it cannot grow without end.
//! - *Work that several threads take from one place*, or one order of all messages: a queue with [`Order::Total`].
//! - *Many small messages of different lengths*: a [`Stream`].
//! - *One answer to one question*: a [`Completion`], also without an owner.
//! - *Senders that must never pay for a wake*: [`WaitMode::Poll`].
//! - *A value read by all and seldom written*: none of these, but a lock or an atomic.
//!
//! # Order
//!
//! Messages of one sender arrive in the order sent. Between two senders there is no order, not even where one sent
//! after the other; what happened before a send is seen by whoever receives, and what happened before an answer by
//! whoever gets it. [The page on ordering][ordering] has all of it, with the ways to get more.
//!
//! Programs to run are in the folder `examples`: `cargo run -p agate --example owner_counter`, `completions`,
//! `rayon_pipeline`, `backpressure`, `custom_kind`, `wait_any`.
//!
//! [ordering]: https://github.com/agate-rs/agate/blob/main/docs/ordering.md

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
#[cfg(all(test, shuttle))]
mod schedules;
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
    RecvError, SendError, SendTimeoutError, StreamError, StreamTimeoutError, TryRecvError,
    TrySendError, WaitError,
};
pub use handle::{Handle, Limits};
pub use holders::Holders;
pub use inspect::{Inspection, LaneInspection, StreamInspection};
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
pub use wait_any::{WaitAnyError, Waitable, wait_any, wait_any_until};

/// The program in the README is compiled and run with the examples of this crate.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The page on ordering, in the same way.
#[cfg(doctest)]
#[doc = include_str!("../../docs/ordering.md")]
struct Ordering;
