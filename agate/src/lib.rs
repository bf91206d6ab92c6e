//! Machine-local message passing: owners, queues, streams and completions.
//!
//! A resource that only one thread at a time may touch gets an [`Owner`]: one thread with an inbox.
//! Everybody else holds a [`Handle`], attaches to it, and sends messages that cost nanoseconds.
//! What will be answered later is answered into a [`Completion`].

mod attach;
mod caught;
mod completion;
mod error;
mod freelist;
mod handle;
mod kind;
#[cfg(all(test, loom))]
mod model;
mod owner;
mod park;
mod queue;
mod scope;
mod stream;
mod sync;
mod table;
mod verdict;

pub use attach::{Place, Role};
pub use completion::{Completion, CompletionPool, Resolver, completion, forbid_wait};
pub use error::{
    AttachError, Closed, CompletionError, CreateError, OutOfBlocks, RecvError, SendError,
    StreamError, TryRecvError, TrySendError, WaitError,
};
pub use handle::{Handle, Limits};
pub use kind::Kind;
pub use owner::{
    Handler, Inbox, Owner, OwnerOptions, Pending, Port, ShutdownError, ShutdownReport,
};
pub use park::WaitMode;
pub use queue::{Capacity, Drain, Queue, Receiver, Sender};
pub use scope::{Local, Scope};
pub use stream::{
    Block, BlockOptions, BlockPool, BlockStats, RawBlock, Reservation, Stream, StreamReceiver,
    StreamSender,
};
