//! The stream: messages of any length, written into blocks; blocks are published whole and recycled.

mod block;
mod receiver;
mod room;
mod sender;

use std::fmt;

pub use block::{Block, BlockOptions, BlockPool, BlockStats, RawBlock};
pub use receiver::StreamReceiver;
pub use sender::{Reservation, StreamSender};

use crate::attach::{Place, Role};
use crate::error::AttachError;
use crate::handle::Handle;
use crate::inspect::StreamInspection;
use crate::kind::{Kind, Notice, in_role};
use crate::queue::Queue;
use crate::scope::{Local, Scope};

/// A stream of byte messages of any length up to a block: many senders, one receiver. Used through a [`Handle`].
///
/// A sender writes messages into a block that it owns; a block that is full, or flushed, goes to the receiver as a
/// whole. So many small messages cost one publish. Messages of one sender arrive in the order sent. The blocks come
/// from a [`BlockPool`], which bounds the memory, and several streams may share one.
///
/// Made by [`Scope::stream`](crate::Scope::stream).
///
/// # Examples
///
/// ```
/// use agate::{BlockOptions, BlockPool, Limits, Local, Scope};
///
/// let pool = BlockPool::new(BlockOptions { block_bytes: 4096, max_blocks: 16 })?;
/// let lines = Local.stream(Limits::senders(4), &pool);
/// let mut sender = lines.attach_sender()?;
/// sender.try_send(b"one")?;
/// sender.try_send(b"and another")?;
/// sender.flush()?;
/// let mut receiver = lines.attach_receiver()?;
/// assert_eq!(receiver.try_recv()?, b"one");
/// assert_eq!(receiver.try_recv()?, b"and another");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Stream<S: Scope = Local> {
    blocks: Handle<Queue<Block<S>, S>, S>,
    pool: BlockPool<S>,
}

impl<S: Scope> Stream<S> {
    pub(crate) fn new(blocks: Handle<Queue<Block<S>, S>, S>, pool: &BlockPool<S>) -> Self {
        Self {
            blocks,
            pool: pool.clone(),
        }
    }
}

impl<S: Scope> Kind<S> for Stream<S> {
    const NAME: &'static str = "stream";
    const ROLE: Role = Role::Sender;
    type User = StreamSender<S>;

    fn attach(place: Place<Self, S>) -> Result<StreamSender<S>, AttachError> {
        let place = in_role(place)?;
        let blocks = place.blocks.attach_sender()?;
        Ok(StreamSender::new(blocks, place))
    }

    fn close(&self) {
        self.blocks.close();
        self.pool.nudge();
    }

    fn is_closed(&self, role: Role) -> bool {
        self.blocks.object().is_closed(role)
    }

    fn told(&self, notice: Notice) {
        match notice {
            Notice::Vacated(Role::Receiver) => self.pool.nudge(),
            Notice::Vacated(Role::Sender | Role::User) => {}
            Notice::Unnamed => {
                self.blocks.object().told(notice);
                self.pool.nudge();
            }
        }
    }
}

impl<S: Scope> Handle<Stream<S>, S> {
    /// Attaches a sender: the same as [`attach`](Self::attach).
    ///
    /// # Errors
    ///
    /// [`AttachError::LimitReached`] when the limit on senders is reached; [`AttachError::Closed`] when nobody will
    /// receive any more; [`AttachError::TooMany`] and [`AttachError::OutOfMemory`] as their names say.
    ///
    /// # Progress
    ///
    /// Lock-free, and without allocation once as many senders have been attached at a time as are now.
    #[track_caller]
    pub fn attach_sender(&self) -> Result<StreamSender<S>, AttachError> {
        self.attach()
    }

    /// Attaches the receiver, one at a time. Dropping it closes the stream.
    ///
    /// # Errors
    ///
    /// [`AttachError::LimitReached`] when a receiver is attached; [`AttachError::Closed`] when one was dropped.
    ///
    /// # Progress
    ///
    /// Lock-free.
    #[track_caller]
    pub fn attach_receiver(&self) -> Result<StreamReceiver<S>, AttachError> {
        let place = self.place(Role::Receiver)?;
        Ok(StreamReceiver::new(place.blocks.attach_receiver()?, place))
    }

    /// What the stream looks like now: who is attached, what waits, what was counted.
    ///
    /// # Progress
    ///
    /// Allocates; looks at every lane.
    ///
    /// # Examples
    ///
    /// See [`StreamInspection`].
    #[must_use]
    pub fn inspect(&self) -> StreamInspection {
        let Stream { blocks, pool } = self.object();
        let queue = blocks.inspect();
        let (block_bytes, max_blocks) = (pool.block_bytes(), pool.max_blocks());
        StreamInspection {
            kind: Stream::<S>::NAME,
            limits: self.limits(),
            senders: self.attached(Role::Sender),
            receivers: self.attached(Role::Receiver),
            closed: queue.closed,
            sent: queue.sent,
            received: queue.received,
            waiting: queue.waiting,
            waiting_bytes: queue.waiting.saturating_mul(block_bytes),
            capacity_bytes: max_blocks.saturating_mul(block_bytes),
            wakes: queue.wakes,
            max_blocks,
            blocks: pool.stats(),
        }
    }
}

impl<S: Scope> fmt::Debug for Stream<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// Words that the head of a message takes in a block: its length in bytes.
const HEAD_WORDS: usize = 1;
const WORD: usize = size_of::<u64>();

/// Words that a message of so many bytes takes in a block.
fn message_words(bytes: usize) -> usize {
    HEAD_WORDS + bytes.div_ceil(WORD)
}
