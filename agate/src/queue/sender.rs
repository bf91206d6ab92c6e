//! The sender: an attached lane of a queue.

use std::fmt;

use crate::attach::Place;
use crate::error::{AttachError, Closed, SendError, TrySendError};
use crate::queue::Queue;
use crate::queue::intake::{Intake, Refused};
use crate::queue::tx::{HasIntake, Tx};
use crate::scope::{Local, Scope};
use crate::sync::atomic::Ordering;
use crate::words::Word;

impl<T: 'static, S: Scope> HasIntake<S> for Queue<T, S> {
    type Message = T;

    fn intake(&self) -> &Intake<T, S> {
        &self.intake
    }
}

/// The right to send to a queue, with a lane of its own.
///
/// Made by [`Handle::attach_sender`](crate::Handle::attach_sender); dropping it detaches. It can be moved between
/// threads, and used by one at a time: for each further thread attach again or [`try_clone`](Self::try_clone).
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local, Scope, TrySendError};
///
/// let queue = Local.queue(Limits::default(), Capacity::bounded(1))?;
/// let sender = queue.attach_sender()?;
/// sender.try_send("first")?;
/// assert_eq!(sender.try_send("second"), Err(TrySendError::Full("second")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sender<T: 'static, S: Scope = Local> {
    tx: Tx<Queue<T, S>, S>,
}

impl<T: 'static, S: Scope> Sender<T, S> {
    pub(crate) fn new(place: Place<Queue<T, S>, S>) -> Result<Self, AttachError> {
        if place.intake.is_retired() {
            return Err(AttachError::Closed);
        }
        place.had_sender.store(true, Ordering::Release);
        Ok(Self {
            tx: Tx::attach(place)?,
        })
    }

    /// Sends a message if this sender's lane has room.
    ///
    /// `Ok` means handed over. A message that is sent while the receiver goes away is dropped, as are all messages
    /// that were not received.
    ///
    /// # Errors
    ///
    /// [`TrySendError::Full`] and [`TrySendError::Closed`]; both give the message back.
    ///
    /// # Progress
    ///
    /// Wait-free, except that it wakes the receiver if that sleeps (a system call that does not wait), and that an
    /// unbounded lane may allocate a segment.
    #[inline]
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.tx.send(message).map_err(|refused| match refused {
            Refused::Full(message) => TrySendError::Full(message),
            Refused::Closed(message) => TrySendError::Closed(message),
        })
    }

    /// Sends a message into an unbounded lane, where there is always room.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`]; [`SendError::Bounded`] on a bounded queue, always, whether there is room or not. Both
    /// give the message back.
    ///
    /// # Progress
    ///
    /// As [`try_send`](Self::try_send).
    #[inline]
    pub fn send(&self, message: T) -> Result<(), SendError<T>> {
        if self.tx.object().bounded {
            return Err(SendError::Bounded(message));
        }
        self.tx.send(message).map_err(|refused| match refused {
            Refused::Full(message) => SendError::Bounded(message),
            Refused::Closed(message) => SendError::Closed(message),
        })
    }

    /// Sends as many messages as there is room for, and publishes them together. Returns how many; the rest stay in
    /// the iterator.
    ///
    /// # Errors
    ///
    /// [`Closed`] when nobody receives any more; then nothing was taken from the iterator.
    ///
    /// # Progress
    ///
    /// As [`try_send`](Self::try_send), with at most one wake; the iterator's own work comes on top.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, Scope};
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::bounded(4))?;
    /// let sender = queue.attach_sender()?;
    /// let mut numbers = 1..=10;
    /// assert_eq!(sender.try_send_batch(&mut numbers)?, 4);
    /// assert_eq!(numbers.next(), Some(5));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_send_batch(&self, messages: &mut impl Iterator<Item = T>) -> Result<usize, Closed> {
        self.tx.send_batch(messages)
    }

    /// Whether nobody will receive any more. May become true at any time, and never false again.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.tx.object().intake.is_closed()
    }

    /// Attaches another sender, with a lane of its own.
    ///
    /// # Errors
    ///
    /// As [`Handle::attach_sender`](crate::Handle::attach_sender).
    ///
    /// # Progress
    ///
    /// Lock-free; does not allocate when a lane is free.
    pub fn try_clone(&self) -> Result<Self, AttachError> {
        Ok(Self {
            tx: self.tx.try_clone()?,
        })
    }
}

impl<T: 'static, S: Scope> fmt::Debug for Sender<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
