//! The queue: a lane for each attached sender, drained by one receiver; or one array that all share.

pub(crate) mod intake;
pub(crate) mod lane;
mod lanes;
mod options;
mod receiver;
mod recv;
pub(crate) mod rx;
mod sender;
mod slots;
mod total;
pub(crate) mod tx;

use std::fmt;

pub use options::{Capacity, Order, QueueOptions};
pub use receiver::{Drain, Receiver};
pub use recv::Recv;
pub use sender::Sender;

use crate::attach::{Place, Role};
use crate::error::{AttachError, CreateError};
use crate::handle::Handle;
use crate::inspect::Inspection;
use crate::kind::{Kind, Notice, in_role};
use crate::park::Bell;
use crate::queue::intake::Intake;
use crate::queue::total::Total;
use crate::scope::{Local, Scope};
use crate::sync::atomic::Ordering;
use crate::words::Word;

/// What a segment of an unbounded lane holds, in bytes.
const SEGMENT_BYTES: usize = 4096;

/// A queue of messages: many senders, one receiver (or several, in total order). Used through a [`Handle`].
///
/// Every sender has a lane of its own, so senders do not disturb each other. Messages of one sender arrive in the
/// order sent; between senders there is no order, also between two that one thread attached one after the other. What
/// is in a lane when its sender detaches is still received. For one order of all messages, or several receivers, see
/// [`Order::Total`].
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
    /// In total order there are no lanes, but this.
    total: Option<Box<Total<T, S>>>,
    bounded: bool,
    /// Whether a sender was ever attached.
    had_sender: S::Bool,
    /// Whether the last handle is gone.
    unnamed: S::Bool,
    /// In total order: whether the receiver that left last did so by `detach`.
    detached: S::Bool,
}

impl<T: 'static, S: Scope> Queue<T, S> {
    pub(crate) fn new(options: &QueueOptions) -> Result<Self, CreateError> {
        if let Capacity::Bounded(messages) = options.capacity {
            if messages == 0 {
                return Err(CreateError::ZeroCapacity);
            }
            // In total order each message has a stamp beside it.
            let fits = match options.order {
                Order::Total => slots::layout::<(usize, T)>(messages).is_some(),
                Order::PerSender => slots::layout::<T>(messages).is_some(),
            };
            // The memory of lanes is asked for when they are attached; here it is needed at once.
            let there = || {
                let mut probe = Vec::<(usize, T)>::new();
                options.order == Order::PerSender || probe.try_reserve_exact(messages).is_ok()
            };
            if !fits || !there() {
                return Err(CreateError::TooLarge);
            }
        }
        Ok(Self::with_checked(options))
    }

    pub(crate) fn unbounded() -> Self {
        Self::with_checked(&QueueOptions::new(Capacity::Unbounded))
    }

    fn with_checked(options: &QueueOptions) -> Self {
        let QueueOptions {
            capacity,
            order,
            wait,
            ..
        } = *options;
        let many = order == Order::Total;
        Self {
            intake: Intake::with_bell(
                capacity,
                if many {
                    S::Bell::for_many(wait)
                } else {
                    S::Bell::new(wait)
                },
            ),
            total: many.then(|| Box::new(Total::new(capacity))),
            bounded: capacity != Capacity::Unbounded,
            had_sender: S::Bool::new(false),
            unnamed: S::Bool::new(false),
            detached: S::Bool::new(true),
        }
    }

    fn nudge_senders(&self) {
        match &self.total {
            Some(total) => total.nudge_senders(),
            None => self.intake.nudge_senders(),
        }
    }

    /// In total order: nobody receives any more. Drops what is waiting or still comes.
    fn retire_total(&self, total: &Total<T, S>) {
        self.intake.leave_for_good();
        total.nudge_senders();
        total.discard();
    }
}

impl<T: 'static, S: Scope> Kind<S> for Queue<T, S> {
    const NAME: &'static str = "queue";
    const ROLE: Role = Role::Sender;
    type User = Sender<T, S>;

    #[inline(always)]
    fn attach(place: Place<Self, S>) -> Result<Sender<T, S>, AttachError> {
        Sender::new(in_role(place)?)
    }

    fn close(&self) {
        self.intake.close();
        self.nudge_senders();
    }

    fn is_closed(&self, role: Role) -> bool {
        match role {
            // What was accepted can still be received.
            Role::Receiver => self.intake.is_retired(),
            Role::Sender | Role::User => self.intake.is_closed(),
        }
    }

    fn told(&self, notice: Notice) {
        match (notice, &self.total) {
            (Notice::Vacated(Role::Sender), _) => self.intake.nudge(),
            (Notice::Vacated(Role::Receiver), Some(total))
                if !self.detached.load(Ordering::Acquire) =>
            {
                self.retire_total(total);
            }
            (Notice::Vacated(Role::Receiver), _) => self.nudge_senders(),
            (Notice::Vacated(Role::User), _) => {}
            (Notice::Unnamed, _) => {
                self.unnamed.store(true, Ordering::Release);
                self.intake.nudge();
                self.nudge_senders();
            }
        }
    }
}

impl<T: 'static, S: Scope> Handle<Queue<T, S>, S> {
    /// Attaches a sender with a lane of its own: the same as [`attach`](Self::attach).
    ///
    /// # Errors
    ///
    /// [`AttachError::LimitReached`] when the limit on senders is reached; [`AttachError::Closed`] when nobody will
    /// receive any more; [`AttachError::TooMany`] and [`AttachError::OutOfMemory`] as their names say.
    ///
    /// # Progress
    ///
    /// Lock-free, and without allocation once as many senders have been attached at a time as are now.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{AttachError, Capacity, Limits, Local, Scope};
    ///
    /// let queue = Local.queue::<u32>(Limits::senders(1), Capacity::Unbounded)?;
    /// let sender = queue.attach_sender()?;
    /// let refused = queue.attach_sender().unwrap_err();
    /// assert!(matches!(refused, AttachError::LimitReached { limit: 1, .. }));
    /// drop(sender);
    /// assert!(queue.attach_sender().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    #[inline(always)]
    pub fn attach_sender(&self) -> Result<Sender<T, S>, AttachError> {
        self.attach()
    }

    /// Attaches the receiver, or with [`Order::Total`] one of several. After [`Receiver::detach`] another one can attach.
    ///
    /// # Errors
    ///
    /// [`AttachError::LimitReached`] when a receiver is attached (or as many as may be); [`AttachError::Closed`] when
    /// the last one was dropped; [`AttachError::TooMany`] with [`Order::Total`] alone.
    ///
    /// # Progress
    ///
    /// Lock-free.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{AttachError, Capacity, Limits, Local, Scope};
    ///
    /// let queue = Local.queue::<u32>(Limits::default(), Capacity::Unbounded)?;
    /// queue.attach_sender()?.send(7)?;
    /// queue.attach_receiver()?.detach(); // leaves the queue as it is
    /// let mut receiver = queue.attach_receiver()?;
    /// assert_eq!(receiver.try_recv(), Ok(7));
    /// drop(receiver); // closes it
    /// assert_eq!(queue.attach_receiver().err(), Some(AttachError::Closed));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn attach_receiver(&self) -> Result<Receiver<T, S>, AttachError> {
        Receiver::new(self.place(Role::Receiver)?)
    }

    /// What the queue looks like now: who is attached, what waits, what was counted.
    ///
    /// # Progress
    ///
    /// Allocates; looks at every lane.
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let queue = self.object();
        let mut seen = Inspection::new(Queue::<T, S>::NAME, self.limits());
        queue.intake.inspect(&mut seen);
        if let Some(total) = &queue.total {
            total.inspect(&mut seen);
        }
        seen.senders = self.attached(Role::Sender);
        seen.receivers = self.attached(Role::Receiver);
        seen
    }
}

impl<T: 'static, S: Scope> fmt::Debug for Queue<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("closed", &self.intake.is_closed())
            .finish_non_exhaustive()
    }
}
