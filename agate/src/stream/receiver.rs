//! The receiving end of a stream: the messages of one block after the other.
//!
//! # Invariants
//!
//! - I1: a block that came through the stream's queue holds whole messages in its first `len_words` words (`sender`
//!   I1), and `at` is where the next one begins, or `len_words`.
#![allow(unsafe_code, reason = "reads bytes out of a block that it owns")]

use std::fmt;
use std::time::{Duration, Instant};

use crate::attach::Place;
use crate::error::{RecvError, TryRecvError};
use crate::queue::Receiver;
use crate::scope::{Local, Scope};
use crate::stream::{Block, HEAD_WORDS, Stream, message_words};

/// The right to receive from a [`Stream`]. Dropping it closes the stream and drops what was not received.
///
/// Made by [`Handle::attach_receiver`](crate::Handle::attach_receiver).
///
/// # Examples
///
/// ```
/// use agate::{BlockOptions, BlockPool, Limits, Local, RecvError, Scope};
/// use std::time::Duration;
///
/// let pool = BlockPool::new(BlockOptions { block_bytes: 1024, max_blocks: 16 })?;
/// let stream = Local.stream(Limits::default(), &pool);
/// let mut receiver = stream.attach_receiver()?;
/// let mut sender = stream.attach_sender()?;
/// std::thread::spawn(move || sender.try_send(b"sent when the sender is dropped").unwrap());
/// assert_eq!(receiver.recv_timeout(Duration::from_secs(10))?, b"sent when the sender is dropped");
/// assert_eq!(receiver.wait_recv(), Err(RecvError::Disconnected));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct StreamReceiver<S: Scope = Local> {
    blocks: Receiver<Block<S>, S>,
    /// The block being read, and the word where its next message begins.
    block: Option<Block<S>>,
    at: usize,
    _place: Place<Stream<S>, S>,
}

impl<S: Scope> StreamReceiver<S> {
    pub(crate) fn new(blocks: Receiver<Block<S>, S>, place: Place<Stream<S>, S>) -> Self {
        Self {
            blocks,
            block: None,
            at: 0,
            _place: place,
        }
    }

    /// Receives the next message if one is waiting. It lies in its block, which goes back to the pool when the last
    /// message of it was received and another is asked for.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`]; [`TryRecvError::Disconnected`] when also no sender is left or the stream is closed.
    ///
    /// # Progress
    ///
    /// Wait-free, except that giving a block back is lock-free, and wakes a sender that waits for one (a system call that
    /// does not wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{BlockOptions, BlockPool, Limits, Local, Scope, TryRecvError};
    ///
    /// let pool = BlockPool::new(BlockOptions { block_bytes: 64, max_blocks: 4 })?;
    /// let stream = Local.stream(Limits::default(), &pool);
    /// let (mut sender, mut receiver) = (stream.attach_sender()?, stream.attach_receiver()?);
    /// sender.try_send(b"one")?;
    /// sender.try_send(b"two")?;
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty), "still in the sender's block");
    /// drop(sender); // sends it
    /// assert_eq!(receiver.try_recv()?, b"one");
    /// assert_eq!(receiver.try_recv()?, b"two");
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_recv(&mut self) -> Result<&[u8], TryRecvError> {
        if !self.has_next() {
            self.block = None;
            let block = self.blocks.try_recv()?;
            self.begin(block);
        }
        self.next().ok_or(TryRecvError::Empty)
    }

    /// Receives the next message, waiting up to `timeout` for it.
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv_timeout`].
    ///
    /// # Progress
    ///
    /// May park.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<&[u8], RecvError> {
        self.recv_by(Instant::now().checked_add(timeout))
    }

    /// Receives the next message, waiting for it until this time.
    ///
    /// # Errors
    ///
    /// As [`Receiver::recv_timeout`].
    ///
    /// # Progress
    ///
    /// May park.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{BlockOptions, BlockPool, Limits, Local, RecvError, Scope};
    /// use std::time::Instant;
    ///
    /// let pool = BlockPool::new(BlockOptions { block_bytes: 1024, max_blocks: 16 })?;
    /// let stream = Local.stream(Limits::default(), &pool);
    /// let mut receiver = stream.attach_receiver()?;
    /// assert_eq!(receiver.recv_until(Instant::now()), Err(RecvError::TimedOut));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn recv_until(&mut self, deadline: Instant) -> Result<&[u8], RecvError> {
        self.recv_by(Some(deadline))
    }

    /// Receives the next message, waiting for it as long as a sender is attached or none has been yet.
    ///
    /// # Errors
    ///
    /// As [`Receiver::wait_recv`].
    ///
    /// # Progress
    ///
    /// May park.
    pub fn wait_recv(&mut self) -> Result<&[u8], RecvError> {
        self.recv_by(None)
    }

    fn recv_by(&mut self, deadline: Option<Instant>) -> Result<&[u8], RecvError> {
        if !self.has_next() {
            self.block = None;
            let block = self.blocks.recv_by(deadline)?;
            self.begin(block);
        }
        self.next().ok_or(RecvError::Disconnected)
    }

    /// Receives the next message, to be awaited, with whatever executor. Dropping the future loses nothing.
    ///
    /// # Errors
    ///
    /// [`RecvError::Disconnected`] as with [`wait_recv`](Self::wait_recv), and no other.
    ///
    /// # Progress
    ///
    /// As [`Receiver::recv`].
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{BlockOptions, BlockPool, Limits, Local, Scope};
    ///
    /// let pool = BlockPool::new(BlockOptions { block_bytes: 1024, max_blocks: 16 })?;
    /// let stream = Local.stream(Limits::default(), &pool);
    /// let mut receiver = stream.attach_receiver()?;
    /// let mut sender = stream.attach_sender()?;
    /// sender.try_send(b"hello")?;
    /// sender.flush()?;
    /// let greeting = futures::executor::block_on(receiver.recv())?;
    /// assert_eq!(greeting, b"hello");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "async")]
    pub async fn recv(&mut self) -> Result<&[u8], RecvError> {
        if !self.has_next() {
            self.block = None;
            let block = self.blocks.recv().await?;
            self.begin(block);
        }
        self.next().ok_or(RecvError::Disconnected)
    }

    pub(crate) fn blocks(&mut self) -> &mut Receiver<Block<S>, S> {
        &mut self.blocks
    }

    pub(crate) fn has_next(&self) -> bool {
        self.block
            .as_ref()
            .is_some_and(|block| self.at < block.len_words())
    }

    fn begin(&mut self, block: Block<S>) {
        self.block = Some(block);
        self.at = 0;
    }

    /// The next message of the block; senders send no block without one.
    fn next(&mut self) -> Option<&[u8]> {
        let block = self
            .block
            .as_ref()
            .filter(|block| self.at < block.len_words())?;
        // SAFETY: I1: a message begins here, within the block.
        let head = unsafe { block.as_ptr().add(self.at) };
        // SAFETY: as above: its head word was written.
        let bytes = usize::try_from(unsafe { head.read() }).ok()?;
        self.at += message_words(bytes);
        // SAFETY: I1: the message's bytes follow, within the block.
        let body = unsafe { head.add(HEAD_WORDS) }.cast::<u8>();
        // SAFETY: I1: so many bytes were written; the block is ours and not written as long as `self` is borrowed.
        Some(unsafe { std::slice::from_raw_parts(body, bytes) })
    }
}

impl<S: Scope> fmt::Debug for StreamReceiver<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamReceiver")
            .field("block", &self.block)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
