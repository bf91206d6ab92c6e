//! The sending end of a stream: reserve, write, commit.
//!
//! # Invariants
//!
//! - I1: the first `len_words` words of the sender's block hold whole messages: a head word with the length in bytes,
//!   then that many written bytes, then padding to a word, which is not read.
//! - I2: a reservation may write the words behind them, as far as it reserved: `reserve` saw that they are there.
#![allow(unsafe_code, reason = "writes bytes into a block that it owns")]

use std::fmt;
use std::io;

use crate::attach::Place;
use crate::error::{AttachError, Closed, StreamError};
use crate::park::Gate;
use crate::queue::Sender;
use crate::scope::{Local, Scope};
use crate::stream::block::Short;
use crate::stream::{Block, HEAD_WORDS, Stream, WORD, message_words};

/// The right to send to a [`Stream`]: it writes into a block of its own until that is full or flushed.
///
/// Made by [`Handle::attach_sender`](crate::Handle::attach_sender); dropping it flushes and detaches.
///
/// # Examples
///
/// See [`Stream`] and [`reserve`](Self::reserve).
pub struct StreamSender<S: Scope = Local> {
    /// Given back before `blocks`, by which the receiver sees the end: whoever sees it finds the place free.
    pub(super) place: Place<Stream<S>, S>,
    pub(super) blocks: Sender<Block<S>, S>,
    /// The block being filled.
    block: Option<Block<S>>,
    /// What it has learnt about waiting for blocks.
    pub(super) gate: Gate,
}

/// Why there is no room for a message.
pub(super) enum Refused {
    TooLong { max: usize },
    Closed,
    Short(Short),
}

impl<S: Scope> StreamSender<S> {
    pub(crate) fn new(blocks: Sender<Block<S>, S>, place: Place<Stream<S>, S>) -> Self {
        Self {
            blocks,
            block: None,
            gate: Gate::for_room(),
            place,
        }
    }

    /// Copies a message into the block. The receiver sees it when the block is full or [`flush`](Self::flush)ed.
    ///
    /// # Errors
    ///
    /// [`StreamError`], and nothing of the message was written.
    ///
    /// # Progress
    ///
    /// Lock-free: at most one block is taken and one sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{BlockOptions, BlockPool, Limits, Local, Scope, StreamError};
    ///
    /// let pool = BlockPool::new(BlockOptions { block_bytes: 64, max_blocks: 4 })?;
    /// let stream = Local.stream(Limits::default(), &pool);
    /// let mut sender = stream.attach_sender()?;
    /// sender.try_send(b"short")?;
    /// assert_eq!(sender.try_send(&[0; 60]), Err(StreamError::TooLong { bytes: 60, max: 56 }));
    /// sender.flush()?;
    /// assert_eq!(stream.attach_receiver()?.try_recv()?, b"short");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_send(&mut self, message: &[u8]) -> Result<(), StreamError> {
        self.reserve(message.len())?.fill(message);
        Ok(())
    }

    /// Reserves room for a message of at most `bytes` bytes, to be written in place.
    ///
    /// # Errors
    ///
    /// [`StreamError::TooLong`] when it does not fit into a block; [`StreamError::OutOfBlocks`] when the pool has none;
    /// [`StreamError::Closed`] when nobody receives any more.
    ///
    /// # Progress
    ///
    /// Lock-free: at most one block is taken and one sent.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{BlockOptions, BlockPool, Limits, Local, Scope};
    /// use std::io::Write;
    ///
    /// let pool = BlockPool::new(BlockOptions { block_bytes: 4096, max_blocks: 2 })?;
    /// let stream = Local.stream(Limits::default(), &pool);
    /// let mut sender = stream.attach_sender()?;
    ///
    /// let mut message = sender.reserve(64)?;
    /// write!(message, "{} + {} = {}", 1, 2, 3)?;
    /// message.commit();
    /// drop(sender.reserve(64)?); // not committed: never sent
    /// sender.flush()?;
    ///
    /// assert_eq!(stream.attach_receiver()?.try_recv()?, b"1 + 2 = 3");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reserve(&mut self, bytes: usize) -> Result<Reservation<'_, S>, StreamError> {
        let out_of_blocks = self.place.pool.out_of_blocks();
        self.begin(bytes).map_err(|refused| match refused {
            Refused::TooLong { max } => StreamError::TooLong { bytes, max },
            Refused::Closed => StreamError::Closed,
            Refused::Short(_) => StreamError::OutOfBlocks(out_of_blocks),
        })
    }

    /// As `reserve`, and tells more of why it is refused.
    pub(super) fn begin(&mut self, bytes: usize) -> Result<Reservation<'_, S>, Refused> {
        let max = (self.place.pool.block_words() - HEAD_WORDS) * WORD;
        if bytes > max {
            return Err(Refused::TooLong { max });
        }
        if self.blocks.is_closed() {
            return Err(Refused::Closed);
        }
        let words = message_words(bytes);
        let fits = |block: &Block<S>| block.capacity_words() - block.len_words() >= words;
        if !self.block.as_ref().is_some_and(fits) {
            // First, also if there is no next block: the receiver may be waiting for this one to give others back.
            self.flush().map_err(|Closed| Refused::Closed)?;
            self.block = Some(self.place.pool.take().map_err(Refused::Short)?);
        }
        match &mut self.block {
            Some(block) => Ok(Reservation {
                block,
                bytes,
                written: 0,
            }),
            None => Err(Refused::Closed),
        }
    }

    /// Sends the block, so that the receiver sees what was committed. The next message begins a block.
    ///
    /// # Errors
    ///
    /// [`Closed`] when nobody receives any more; what was committed is dropped.
    ///
    /// # Progress
    ///
    /// As [`Sender::send`].
    pub fn flush(&mut self) -> Result<(), Closed> {
        match self.block.take() {
            // An unbounded queue refuses only when it is closed.
            Some(block) if block.len_words() > 0 => self.blocks.send(block).map_err(|_| Closed),
            _ if self.blocks.is_closed() => Err(Closed),
            _ => Ok(()),
        }
    }

    /// Attaches another sender, with a lane and a block of its own.
    ///
    /// # Errors
    ///
    /// As [`Handle::attach_sender`](crate::Handle::attach_sender).
    ///
    /// # Progress
    ///
    /// Lock-free.
    #[track_caller]
    pub fn try_clone(&self) -> Result<Self, AttachError> {
        let place = self.place.another()?;
        Ok(Self::new(self.blocks.try_clone()?, place))
    }
}

impl<S: Scope> Drop for StreamSender<S> {
    fn drop(&mut self) {
        // If nobody receives any more, nobody misses what was written.
        let _ = self.flush();
    }
}

impl<S: Scope> fmt::Debug for StreamSender<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSender")
            .field("block", &self.block)
            .finish_non_exhaustive()
    }
}

/// Room for one message in a sender's block: write into it, then [`commit`](Self::commit). Dropped without commit, it
/// sends nothing.
///
/// Made by [`StreamSender::reserve`], where there is an example.
///
/// # Examples
///
/// See [`StreamSender::reserve`].
pub struct Reservation<'a, S: Scope = Local> {
    block: &'a mut Block<S>,
    bytes: usize,
    written: usize,
}

impl<S: Scope> Reservation<'_, S> {
    /// Writes a message that is as long as was reserved.
    pub(super) fn fill(mut self, message: &[u8]) {
        self.append(message);
        self.commit();
    }

    /// How many more bytes fit.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn room(&self) -> usize {
        self.bytes - self.written
    }

    /// Writes bytes behind those written before, as many as fit; returns how many.
    ///
    /// # Progress
    ///
    /// Wait-free; copies the bytes.
    pub fn append(&mut self, bytes: &[u8]) -> usize {
        let bytes = &bytes[..bytes.len().min(self.room())];
        // SAFETY: I2: the message's bytes begin behind its head, within the block.
        let body = unsafe { self.block.as_ptr().add(self.block.len_words() + HEAD_WORDS) };
        // SAFETY: I2: `written <= bytes` reserved.
        let end = unsafe { body.cast::<u8>().add(self.written) };
        // SAFETY: I2: there is room for as many; the block is ours, so `bytes` lies elsewhere.
        unsafe { end.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        self.written += bytes.len();
        bytes.len()
    }

    /// Makes what was written a message, as long as that is.
    ///
    /// # Progress
    ///
    /// Wait-free.
    pub fn commit(self) {
        let start = self.block.len_words();
        // SAFETY: I2: the head word is within the block.
        let head = unsafe { self.block.as_ptr().add(start) };
        // SAFETY: as above, and the block is ours.
        unsafe { head.write(self.written as u64) };
        self.block
            .set_len_words(start + message_words(self.written));
    }
}

impl<S: Scope> io::Write for Reservation<'_, S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.append(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: Scope> fmt::Debug for Reservation<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("bytes", &self.bytes)
            .field("written", &self.written)
            .finish()
    }
}
