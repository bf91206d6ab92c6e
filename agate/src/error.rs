//! Errors: one small type for each operation; a refused message rides inside.

use std::fmt;

use crate::attach::Role;
use crate::holders::Holders;

/// Why an object could not be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum CreateError {
    /// A bounded queue needs room for at least one message in each lane.
    ZeroCapacity,
    /// Blocks must have at least one word, and a pool at least one block.
    ZeroBlocks,
    /// The size asked for does not fit into memory that can be addressed.
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
            Self::TooLarge => f.write_str("the size asked for is more than can be addressed"),
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// The object has as many lanes as its table can hold; detach some senders first.
    TooMany,
    /// There is no memory for the new user's lane.
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
            Self::TooMany => f.write_str("the object's table of lanes is full"),
            Self::OutOfMemory => f.write_str("there is no memory for a lane"),
        }
    }
}

impl std::error::Error for AttachError {}

/// Nobody receives any more; nothing was taken from the batch that is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nobody receives any more")
    }
}

impl std::error::Error for Closed {}

/// Why a message was not sent by [`Sender::try_send`](crate::Sender::try_send); it comes back inside.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// The sender's lane has no room now.
    Full(T),
    /// Nobody will receive any more.
    Closed(T),
}

impl<T> TrySendError<T> {
    /// The message that was refused.
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
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendError<T> {
    /// Nobody will receive any more.
    Closed(T),
    /// The queue is bounded, where `send` could be refused for want of room: use `try_send`. Never from a [`Port`](crate::Port).
    Bounded(T),
}

impl<T> SendError<T> {
    /// The message that was refused.
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
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// The sender's lane had no room in time.
    TimedOut(T),
    /// Nobody will receive any more.
    Closed(T),
    /// There is no room, and this thread must not park; see [`forbid_wait`](crate::forbid_wait).
    WouldStall(T),
}

impl<T> SendTimeoutError<T> {
    /// The message that was refused.
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
    /// No block is free: the receiver is behind. Try again, or raise the pool's `max_blocks`.
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

/// No block is free, and the pool may not allocate more; give blocks back or raise `max_blocks`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfBlocks {
    /// How many blocks the pool may have.
    pub max_blocks: usize,
}

impl fmt::Display for OutOfBlocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "all {} blocks of the pool are in use", self.max_blocks)
    }
}

impl std::error::Error for OutOfBlocks {}
