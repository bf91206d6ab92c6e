//! The queue: a lane for each attached sender, drained by one receiver.

pub(crate) mod intake;
pub(crate) mod lane;
mod lanes;
mod receiver;
mod recv;
pub(crate) mod rx;
mod sender;
mod slots;
pub(crate) mod tx;

use std::fmt;

pub use receiver::{Drain, Receiver};
pub use recv::Recv;
pub use sender::Sender;

use crate::attach::{Place, Role};
use crate::error::{AttachError, CreateError};
use crate::handle::Handle;
use crate::kind::Kind;
use crate::park::WaitMode;
use crate::queue::intake::Intake;
use crate::scope::{Local, Scope};
use crate::sync::atomic::Ordering;
use crate::words::Word;

/// What a segment of an unbounded lane holds, in bytes.
const SEGMENT_BYTES: usize = 4096;

/// How many messages may wait in each sender's lane.
///
/// # Examples
///
/// ```
/// use agate::Capacity;
///
/// assert_eq!(Capacity::bounded(1024), Capacity::Bounded(1024));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// At most so many messages in each lane; its memory is allocated when the lane is first attached.
    Bounded(usize),
    /// As many as memory holds. Lanes grow by segments of about 4 KiB, which are recycled and not given back.
    Unbounded,
}

impl Capacity {
    /// At most `messages` messages in each lane.
    #[must_use]
    pub const fn bounded(messages: usize) -> Self {
        Self::Bounded(messages)
    }
}

/// A queue of messages: many senders, one receiver. Used through a [`Handle`].
///
/// Every sender has a lane of its own, so senders do not disturb each other. Messages of one sender arrive in the
/// order sent; between senders there is no order, also between two that one thread attached one after the other. What
/// is in a lane when its sender detaches is still received.
///
/// Both sides see the other's end: with the receiver gone or the queue closed, sends give `Closed`; with all senders
/// gone, receives give `Disconnected` once nothing is waiting (a sender that attaches later revives the queue).
///
/// Made by [`Scope::queue`](crate::Scope::queue).
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Handle, Limits, Local, Queue, Scope, SendError};
///
/// let queue: Handle<Queue<u32>> = Local.queue(Limits::default(), Capacity::Unbounded)?;
/// let sender = queue.attach_sender()?;
/// sender.send(1)?;
/// queue.close();
/// assert_eq!(sender.send(2), Err(SendError::Closed(2)));
/// assert_eq!(queue.attach_receiver()?.try_recv()?, 1, "what was accepted can still be received");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Queue<T: 'static, S: Scope = Local> {
    intake: Intake<T, S>,
    bounded: bool,
    /// Whether a sender was ever attached.
    had_sender: S::Bool,
    /// Whether the last handle is gone.
    unnamed: S::Bool,
}

impl<T: 'static, S: Scope> Queue<T, S> {
    pub(crate) fn new(capacity: Capacity) -> Result<Self, CreateError> {
        if let Capacity::Bounded(messages) = capacity {
            if messages == 0 {
                return Err(CreateError::ZeroCapacity);
            }
            slots::layout::<T>(messages).ok_or(CreateError::TooLarge)?;
        }
        Ok(Self::with_checked(capacity))
    }

    pub(crate) fn unbounded() -> Self {
        Self::with_checked(Capacity::Unbounded)
    }

    fn with_checked(capacity: Capacity) -> Self {
        Self {
            intake: Intake::new(capacity, WaitMode::Wake),
            bounded: capacity != Capacity::Unbounded,
            had_sender: S::Bool::new(false),
            unnamed: S::Bool::new(false),
        }
    }
}

impl<T: 'static, S: Scope> Kind<S> for Queue<T, S> {
    const NAME: &'static str = "queue";
    const ROLE: Role = Role::Sender;
    type User = Sender<T, S>;

    fn attach(place: Place<Self, S>) -> Result<Sender<T, S>, AttachError> {
        Sender::new(place)
    }

    fn close(&self) {
        self.intake.close();
    }

    fn vacated(&self, role: Role) {
        match role {
            Role::Sender => self.intake.nudge(),
            Role::Receiver => self.intake.nudge_senders(),
            Role::User => {}
        }
    }

    fn unnamed(&self) {
        self.unnamed.store(true, Ordering::Release);
        self.intake.nudge();
        self.intake.nudge_senders();
    }
}

impl<T: 'static, S: Scope> Handle<Queue<T, S>, S> {
    /// Attaches a sender with a lane of its own: the same as [`attach`](Self::attach).
    ///
    /// # Errors
    ///
    /// [`AttachError::LimitReached`] when the limit on senders is reached; [`AttachError::Closed`] when nobody will
    /// receive any more.
    ///
    /// # Progress
    ///
    /// Lock-free, and without allocation once as many senders have been attached at a time as are now.
    pub fn attach_sender(&self) -> Result<Sender<T, S>, AttachError> {
        self.attach()
    }

    /// Attaches the receiver. After [`Receiver::detach`] another one can attach.
    ///
    /// # Errors
    ///
    /// [`AttachError::LimitReached`] when a receiver is attached; [`AttachError::Closed`] when one was dropped.
    ///
    /// # Progress
    ///
    /// Lock-free.
    pub fn attach_receiver(&self) -> Result<Receiver<T, S>, AttachError> {
        Receiver::new(self.place(Role::Receiver)?)
    }
}

impl<T: 'static, S: Scope> fmt::Debug for Queue<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("closed", &self.intake.is_closed())
            .finish_non_exhaustive()
    }
}
