//! Waiting for room in a stream: until the receiver, or another stream of the pool, gives a block back.

use std::time::{Duration, Instant};

use crate::attach::Role;
use crate::completion::is_wait_forbidden;
use crate::error::StreamTimeoutError;
use crate::park::Woken;
use crate::scope::Scope;
use crate::stream::StreamSender;
use crate::stream::block::Short;
use crate::stream::sender::Refused;

impl<S: Scope> StreamSender<S> {
    /// Copies a message into the block, waiting up to `timeout` for a block with room. The receiver sees it when the
    /// block is full or [`flush`](Self::flush)ed.
    ///
    /// A block that is full is sent before it waits. Blocks come back when the receiver asks for the message behind their
    /// last one; so a receiver that keeps its last message keeps a block.
    ///
    /// # Errors
    ///
    /// [`StreamTimeoutError`], and nothing of the message was written.
    ///
    /// # Progress
    ///
    /// May park.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{BlockOptions, BlockPool, Limits, Local, Scope, StreamTimeoutError};
    /// use std::time::Duration;
    ///
    /// let pool = BlockPool::new(BlockOptions { block_bytes: 64, max_blocks: 1 })?;
    /// let stream = Local.stream(Limits::default(), &pool);
    /// let mut sender = stream.attach_sender()?;
    /// let mut receiver = stream.attach_receiver()?;
    /// sender.try_send(&[1; 56])?; // the one block is full now
    /// assert_eq!(sender.send_timeout(&[2; 56], Duration::ZERO), Err(StreamTimeoutError::TimedOut));
    /// let receiving = std::thread::spawn(move || {
    ///     receiver.wait_recv().unwrap();
    ///     receiver.wait_recv().unwrap().to_vec()
    /// });
    /// sender.send_timeout(&[2; 56], Duration::from_secs(10))?;
    /// sender.flush()?;
    /// assert_eq!(receiving.join().unwrap(), [2; 56]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_timeout(
        &mut self,
        message: &[u8],
        timeout: Duration,
    ) -> Result<(), StreamTimeoutError> {
        self.send_by(message, || Instant::now().checked_add(timeout))
    }

    /// As [`send_timeout`](Self::send_timeout), waiting until this time.
    ///
    /// # Errors
    ///
    /// As [`send_timeout`](Self::send_timeout).
    ///
    /// # Progress
    ///
    /// May park.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{BlockOptions, BlockPool, Limits, Local, Scope, StreamTimeoutError};
    /// use std::time::Instant;
    ///
    /// let pool = BlockPool::new(BlockOptions { block_bytes: 64, max_blocks: 1 })?;
    /// let stream = Local.stream(Limits::default(), &pool);
    /// let mut sender = stream.attach_sender()?;
    /// let now = Instant::now();
    /// assert_eq!(sender.send_until(&[1; 56], now), Ok(()));
    /// assert_eq!(sender.send_until(&[2; 56], now), Err(StreamTimeoutError::TimedOut));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_until(
        &mut self,
        message: &[u8],
        deadline: Instant,
    ) -> Result<(), StreamTimeoutError> {
        self.send_by(message, || Some(deadline))
    }

    /// As [`send_timeout`](Self::send_timeout), waiting as long as somebody receives or still could.
    ///
    /// # Errors
    ///
    /// As [`send_timeout`](Self::send_timeout), but for `TimedOut`. [`StreamTimeoutError::Closed`] also when no receiver
    /// is attached and nobody is left who could attach one.
    ///
    /// # Progress
    ///
    /// May park.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{BlockOptions, BlockPool, Limits, Local, Scope, StreamTimeoutError};
    ///
    /// let pool = BlockPool::new(BlockOptions { block_bytes: 64, max_blocks: 2 })?;
    /// let stream = Local.stream(Limits::default(), &pool);
    /// let mut sender = stream.attach_sender()?;
    /// let mut receiver = stream.attach_receiver()?;
    /// let lengths = std::thread::spawn(move || {
    ///     (0..100).map(|_| receiver.wait_recv().unwrap().len()).sum::<usize>()
    /// });
    /// for _ in 0..100 {
    ///     sender.wait_send(b"hello")?;
    /// }
    /// sender.flush()?;
    /// assert_eq!(lengths.join().unwrap(), 500);
    /// assert_eq!(sender.wait_send(b"hello"), Err(StreamTimeoutError::Closed), "the receiver is gone");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_send(&mut self, message: &[u8]) -> Result<(), StreamTimeoutError> {
        self.send_by(message, || None)
    }

    fn send_by(
        &mut self,
        message: &[u8],
        deadline: impl FnOnce() -> Option<Instant>,
    ) -> Result<(), StreamTimeoutError> {
        let mut deadline = Some(deadline);
        let mut until = None;
        loop {
            let bytes = message.len();
            match self.begin(bytes) {
                Ok(reservation) => {
                    reservation.fill(message);
                    return Ok(());
                }
                Err(Refused::TooLong { max }) => {
                    return Err(StreamTimeoutError::TooLong { bytes, max });
                }
                Err(Refused::Closed) => return Err(StreamTimeoutError::Closed),
                Err(Refused::Short(Short::Memory)) => {
                    return Err(StreamTimeoutError::OutOfMemory);
                }
                Err(Refused::Short(Short::Blocks)) => {}
            }
            let nobody_may_come = self.place.limit(Role::Receiver) == 0;
            if nobody_may_come || self.blocks.is_abandoned() {
                return Err(StreamTimeoutError::Closed);
            }
            if is_wait_forbidden() {
                return Err(StreamTimeoutError::WouldStall);
            }
            if let Some(deadline) = deadline.take() {
                until = deadline();
            }
            let Self {
                blocks,
                gate,
                place,
                ..
            } = self;
            let also = || blocks.is_closed() || blocks.is_abandoned();
            match place.pool.wait_room(gate, until, also) {
                Woken::Ready => {}
                Woken::TimedOut => return Err(StreamTimeoutError::TimedOut),
                Woken::Stalled => return Err(StreamTimeoutError::WouldStall),
            }
        }
    }
}
