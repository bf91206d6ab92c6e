//! Errors: one small type for each operation; a refused message rides inside.

use std::fmt;

use crate::attach::Role;
use crate::holders::Holders;

/// Why an object could not be made.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, CreateError, Limits, Local, Scope};
///
/// let refused = Local.queue::<u32>(Limits::default(), Capacity::bounded(0));
/// assert!(matches!(refused, Err(CreateError::ZeroCapacity)));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum CreateError {
    /// A bounded queue needs room for at least one message in each lane.
    ZeroCapacity,
    /// Blocks must have at least one word, and a pool at least one block.
    ZeroBlocks,
    /// The size asked for is more than can be addressed, or counted, or than there is memory for where it is needed at once.
    TooLarge,
    /// The system refused the owner's thread.
    Thread(std::io::Error),
    /// An owner in [`Private`](crate::Private) has no thread of its own: it is driven by its users or by the host.
    NoThreads,
    /// An owner that is driven by its users or by the host moves between threads: make it by
    /// [`Scope::owner_from`](crate::Scope::owner_from), whose handler is known to be [`Send`].
    HandlerMoves,
}

impl fmt::Display for CreateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroCapacity => {
                f.write_str("a bounded queue needs a capacity of at least one message")
            }
            Self::ZeroBlocks => {
                f.write_str("a block pool needs blocks of at least 8 bytes and at least one block")
            }
            Self::TooLarge => f.write_str(
                "the size asked for is more than can be addressed or counted, or than there is memory for",
            ),
            Self::Thread(error) => write!(f, "the system refused a thread for the owner: {error}"),
            Self::NoThreads => f.write_str(
                "an owner in Private has no thread: have it driven by its users or by the host",
            ),
            Self::HandlerMoves => f.write_str(
                "an owner driven by its users or the host moves between threads: use `owner_from`, with a handler that is Send",
            ),
        }
    }
}

impl std::error::Error for CreateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Thread(error) => Some(error),
            _ => None,
        }
    }
}

/// Why nobody new could attach.
///
/// # Examples
///
/// ```
/// use agate::{AttachError, Capacity, Limits, Local, Role, Scope};
///
/// let queue = Local.queue::<u32>(Limits::senders(1), Capacity::Unbounded)?;
/// let sender = queue.attach_sender()?;
/// let refused = queue.attach_sender().unwrap_err();
/// assert!(matches!(refused, AttachError::LimitReached { role: Role::Sender, limit: 1, .. }));
/// drop(sender);
/// assert!(queue.attach_sender().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AttachError {
    /// As many users of this role as the limit allows are attached; try again when one has detached.
    LimitReached {
        /// The role that is full.
        role: Role,
        /// How many may be attached at once.
        limit: usize,
        /// Where those were attached who hold the places.
        holders: Holders,
    },
    /// The object is closed, or its owner is gone.
    Closed,
    /// As many are attached as an object can count, whatever its limit: a million users of a role. Or there are as many
    /// lanes as its table can hold, which is more. Detach some first.
    TooMany,
    /// The place that [`Kind::attach`](crate::Kind::attach) was given is of another role, whose limit it counts against.
    /// Never from [`Handle::attach`](crate::Handle::attach).
    WrongRole {
        /// The role that the kind attaches in.
        wanted: Role,
        /// The role of the place.
        given: Role,
    },
    /// There is no memory for the new user's lane; a smaller [`Capacity`](crate::Capacity) needs less.
    OutOfMemory,
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LimitReached {
                role,
                limit,
                holders,
            } => {
                write!(f, "the limit of {limit} attached {role}s is reached")?;
                match holders.iter().count() {
                    0 => Ok(()),
                    1 if *limit == 1 => write!(f, "; it was attached at {holders}"),
                    known if known == *limit => write!(f, "; they were attached at {holders}"),
                    _ => write!(f, "; among them those attached at {holders}"),
                }
            }
            Self::Closed => f.write_str("the object is closed"),
            Self::TooMany => {
                f.write_str("as many are attached as can be counted: detach some first")
            }
            Self::WrongRole { wanted, given } => {
                write!(
                    f,
                    "a {given}'s place makes no {wanted}: take one of role {wanted}"
                )
            }
            Self::OutOfMemory => f.write_str("there is no memory for a lane"),
        }
    }
}

impl std::error::Error for AttachError {}

/// Nobody receives any more; nothing was taken from the batch that is not sent.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Closed, Limits, Local, Scope};
///
/// let queue = Local.queue::<u32>(Limits::default(), Capacity::Unbounded)?;
/// let sender = queue.attach_sender()?;
/// queue.close();
/// assert_eq!(sender.try_send_batch(&mut (0..3)), Err(Closed));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody receives any more")
    }
}

impl std::error::Error for Closed {}

/// Why a message was not sent by [`Sender::try_send`](crate::Sender::try_send); it comes back inside.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local, Scope, TrySendError};
///
/// let queue = Local.queue(Limits::default(), Capacity::bounded(1))?;
/// let sender = queue.attach_sender()?;
/// sender.try_send(1)?;
/// let refused = sender.try_send(2).unwrap_err();
/// assert_eq!(refused, TrySendError::Full(2));
/// assert_eq!(refused.into_message(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// The sender's lane has no room now.
    Full(T),
    /// Nobody will receive any more.
    Closed(T),
}

impl<T> TrySendError<T> {
    /// The message that was refused.
    ///
    /// # Progress
    ///
    /// Wait-free.
    pub fn into_message(self) -> T {
        match self {
            Self::Full(message) | Self::Closed(message) => message,
        }
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the sender's lane is full",
            Self::Closed(_) => "nobody receives any more",
        })
    }
}

impl<T> std::error::Error for TrySendError<T> {}

/// Why a message was not sent by a `send` that never waits for room; it comes back inside.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local, Scope, SendError};
///
/// let queue = Local.queue(Limits::default(), Capacity::bounded(8))?;
/// let sender = queue.attach_sender()?;
/// assert_eq!(sender.send(1), Err(SendError::Bounded(1)), "only where there is no bound");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendError<T> {
    /// Nobody will receive any more.
    Closed(T),
    /// The queue is bounded, where `send` could be refused for want of room: use `try_send`. Never from a [`Port`](crate::Port).
    Bounded(T),
}

impl<T> SendError<T> {
    /// The message that was refused.
    ///
    /// # Progress
    ///
    /// Wait-free.
    pub fn into_message(self) -> T {
        match self {
            Self::Closed(message) | Self::Bounded(message) => message,
        }
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed(_) => "Closed(..)",
            Self::Bounded(_) => "Bounded(..)",
        })
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed(_) => "nobody receives any more",
            Self::Bounded(_) => "the queue is bounded: use try_send",
        })
    }
}

impl<T> std::error::Error for SendError<T> {}

/// Why a message was not sent by a send that may park; it comes back inside.
///
/// # Examples
///
/// See [`Sender::send_timeout`](crate::Sender::send_timeout) and [`wait_send`](crate::Sender::wait_send).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// The sender's lane had no room in time.
    TimedOut(T),
    /// Nobody will receive any more.
    Closed(T),
    /// There is no room, and this thread must not park; see [`forbid_wait`](crate::forbid_wait). Or it is sending a
    /// [batch](crate::Sender::try_send_batch) by this sender, and this is the batch's iterator.
    WouldStall(T),
}

impl<T> SendTimeoutError<T> {
    /// The message that was refused.
    ///
    /// # Progress
    ///
    /// Wait-free.
    pub fn into_message(self) -> T {
        match self {
            Self::TimedOut(message) | Self::Closed(message) | Self::WouldStall(message) => message,
        }
    }
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut(_) => "TimedOut(..)",
            Self::Closed(_) => "Closed(..)",
            Self::WouldStall(_) => "WouldStall(..)",
        })
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut(_) => "the sender's lane had no room in time",
            Self::Closed(_) => "nobody receives any more",
            Self::WouldStall(_) => {
                "this thread must not park, and the sender's lane is full: use try_send"
            }
        })
    }
}

impl<T> std::error::Error for SendTimeoutError<T> {}

/// Why [`Receiver::try_recv`](crate::Receiver::try_recv) gave no message.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local, Scope, TryRecvError};
///
/// let queue = Local.queue(Limits::default(), Capacity::Unbounded)?;
/// let mut receiver = queue.attach_receiver()?;
/// let sender = queue.attach_sender()?;
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
/// sender.send(1)?;
/// drop(sender);
/// assert_eq!(receiver.try_recv(), Ok(1), "what was sent comes first");
/// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// Nothing is waiting now.
    Empty,
    /// Nothing is waiting, and no sender is left (or the queue is closed).
    Disconnected,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "no message is waiting",
            Self::Disconnected => "no message is waiting, and no sender is left",
        })
    }
}

impl std::error::Error for TryRecvError {}

/// Why a receive that may park gave no message.
///
/// # Examples
///
/// See [`Receiver`](crate::Receiver) and [`Private`](crate::Private).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvError {
    /// Nothing is waiting, and no sender is left (or the queue is closed).
    Disconnected,
    /// No message came in time.
    TimedOut,
    /// This thread must not park; see [`forbid_wait`](crate::forbid_wait).
    WouldStall,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disconnected => "no message is waiting, and no sender is left",
            Self::TimedOut => "no message came in time",
            Self::WouldStall => "this thread must not park, and no message is waiting",
        })
    }
}

impl std::error::Error for RecvError {}

/// How an operation ended that gave no value.
///
/// # Examples
///
/// See [`Resolver`](crate::Resolver), [`Owner`](crate::Owner) and [`Completion::cancel`](crate::Completion::cancel).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompletionError {
    /// The resolver was dropped without an answer.
    Abandoned,
    /// The owner that should have answered has panicked.
    OwnerPanicked,
    /// The value was taken from this completion before.
    AlreadyTaken,
    /// The operation was [cancelled](crate::Completion::cancel) through this completion.
    Cancelled,
}

impl fmt::Display for CompletionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Abandoned => "the operation was given up without an answer",
            Self::OwnerPanicked => "the owner that should have answered has panicked",
            Self::AlreadyTaken => "the answer has been taken already",
            Self::Cancelled => "the operation was cancelled",
        })
    }
}

impl std::error::Error for CompletionError {}

/// Why [`Completion::wait_timeout`](crate::Completion::wait_timeout) gave no value.
///
/// # Examples
///
/// See [`Completion::wait_timeout`](crate::Completion::wait_timeout) and [`forbid_wait`](crate::forbid_wait).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitError {
    /// Not resolved in time; the completion can be waited for again.
    TimedOut,
    /// This thread must not park; see [`forbid_wait`](crate::forbid_wait).
    WouldStall,
    /// The operation ended without a value.
    Failed(CompletionError),
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("not resolved in time"),
            Self::WouldStall => {
                f.write_str("this thread must not park, and the operation is not done")
            }
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for WaitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}

/// Why [`CompletionPort::next_timeout`](crate::CompletionPort::next_timeout) gave nothing.
///
/// # Examples
///
/// See [`CompletionPort::wait_next`](crate::CompletionPort::wait_next).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NextError {
    /// Nothing is watched that has not been taken, so nothing can arrive: watch something first.
    Idle,
    /// Nothing arrived in time.
    TimedOut,
    /// This thread must not park; see [`forbid_wait`](crate::forbid_wait).
    WouldStall,
}

impl fmt::Display for NextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Idle => "nothing is watched, so nothing can arrive",
            Self::TimedOut => "nothing arrived in time",
            Self::WouldStall => "this thread must not park, and nothing has arrived",
        })
    }
}

impl std::error::Error for NextError {}

/// As many completions of the pool are in use as its limit allows: take or drop some first.
///
/// # Examples
///
/// See [`CompletionPool::try_pair`](crate::CompletionPool::try_pair).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfCompletions {
    /// How many may be in use at once.
    pub limit: usize,
}

impl fmt::Display for OutOfCompletions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "all {} completions of the pool are in use", self.limit)
    }
}

impl std::error::Error for OutOfCompletions {}

/// Why a message was not written into a stream.
///
/// # Examples
///
/// ```
/// use agate::{BlockOptions, BlockPool, Limits, Local, OutOfBlocks, Scope, StreamError};
///
/// let pool = BlockPool::new(BlockOptions { block_bytes: 64, max_blocks: 1 })?;
/// let stream = Local.stream(Limits::default(), &pool);
/// let mut sender = stream.attach_sender()?;
/// assert_eq!(sender.try_send(&[0; 64]), Err(StreamError::TooLong { bytes: 64, max: 56 }));
/// sender.try_send(&[0; 56])?; // the one block is full now
/// let refused = sender.try_send(&[0; 56]).unwrap_err();
/// assert_eq!(refused, StreamError::OutOfBlocks(OutOfBlocks { max_blocks: 1 }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamError {
    /// A message must fit into one block.
    TooLong {
        /// How long it was to be.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// No block is free: the receiver is behind. Try again, or raise the pool's `max_blocks`. Or there is no memory for
    /// another.
    OutOfBlocks(OutOfBlocks),
    /// Nobody receives any more.
    Closed,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { bytes, max } => {
                write!(
                    f,
                    "a message of {bytes} bytes does not fit into a block, which takes {max}"
                )
            }
            Self::OutOfBlocks(error) => error.fmt(f),
            Self::Closed => f.write_str("nobody receives any more"),
        }
    }
}

impl std::error::Error for StreamError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::OutOfBlocks(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a message was not written into a stream by a send that may park.
///
/// # Examples
///
/// See [`StreamSender::send_timeout`](crate::StreamSender::send_timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamTimeoutError {
    /// A message must fit into one block.
    TooLong {
        /// How long it was to be.
        bytes: usize,
        /// How long it may be.
        max: usize,
    },
    /// No block came back in time: the receiver is behind. Try again, or raise the pool's `max_blocks`.
    TimedOut,
    /// Nobody receives any more.
    Closed,
    /// No block is free, and this thread must not park (see [`forbid_wait`](crate::forbid_wait)), or nobody else could
    /// give one back.
    WouldStall,
    /// There is no memory for a block that the pool may have.
    OutOfMemory,
}

impl fmt::Display for StreamTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TooLong { bytes, max } => StreamError::TooLong { bytes, max }.fmt(f),
            Self::TimedOut => f.write_str("no block came back in time"),
            Self::Closed => StreamError::Closed.fmt(f),
            Self::WouldStall => {
                f.write_str("this thread must not park, and no block is free: use try_send")
            }
            Self::OutOfMemory => f.write_str("there is no memory for a block"),
        }
    }
}

impl std::error::Error for StreamTimeoutError {}

/// No block is free, and the pool may have no more, or there is no memory for another; give blocks back, or raise
/// `max_blocks`.
///
/// # Examples
///
/// See [`BlockPool::try_take`](crate::BlockPool::try_take) and [`StreamError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBlocks {
    /// How many blocks the pool may have.
    pub max_blocks: usize,
}

impl fmt::Display for OutOfBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "no block is free: all {} of the pool are in use, or there is no memory for another",
            self.max_blocks
        )
    }
}

impl std::error::Error for OutOfBlocks {}
