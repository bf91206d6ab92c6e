//! Handles: they name an object, are cheap to clone and to pass about, and do nothing by themselves.

use std::fmt;

use crate::attach::{Place, Role};
use crate::error::AttachError;
use crate::kind::Kind;
use crate::object::Named;
use crate::scope::{Local, Scope};

/// How many users of each role may be attached to an object at once.
///
/// Limits are checked when a user attaches, and only then.
///
/// # Examples
///
/// ```
/// use agate::Limits;
///
/// let limits = Limits::senders(8).receivers(1);
/// assert_eq!(limits, Limits::none().and_senders(8).receivers(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    senders: usize,
    receivers: usize,
    users: usize,
}

impl Limits {
    /// At most `senders` attached senders, one receiver, any number of users of other kinds.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub const fn senders(senders: usize) -> Self {
        Self::none().and_senders(senders)
    }

    /// No limit on senders and users, one receiver: the same as the default.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            senders: usize::MAX,
            receivers: 1,
            users: usize::MAX,
        }
    }

    /// Sets the limit on senders.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub const fn and_senders(mut self, senders: usize) -> Self {
        self.senders = senders;
        self
    }

    /// Sets the limit on receivers. A queue of lanes serves one receiver at a time; a greater number counts as one there.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub const fn receivers(mut self, receivers: usize) -> Self {
        self.receivers = receivers;
        self
    }

    /// Sets the limit on users of kinds that know one role only.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub const fn users(mut self, users: usize) -> Self {
        self.users = users;
        self
    }

    /// The limit of one role; `usize::MAX` means none.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub const fn of(&self, role: Role) -> usize {
        match role {
            Role::Sender => self.senders,
            Role::Receiver => self.receivers,
            Role::User => self.users,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::none()
    }
}

/// Names an object of kind `K` in scope `S`; attach to use it.
///
/// Cheap to clone and to send to other threads. A handle by itself neither sends nor receives,
/// and dropping it detaches nobody.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local, Scope};
///
/// let numbers = Local.queue::<u64>(Limits::senders(1), Capacity::Unbounded)?;
/// let elsewhere = numbers.clone();
/// let sender = std::thread::spawn(move || elsewhere.attach_sender()).join().unwrap()?;
/// assert!(numbers.attach_sender().is_err(), "one sender at a time");
/// drop(sender);
/// assert!(numbers.attach_sender().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Handle<K: Kind<S>, S: Scope = Local> {
    object: Named<K, S>,
}

impl<K: Kind<S>, S: Scope> Handle<K, S> {
    pub(crate) fn new(limits: Limits, kind: K) -> Self {
        Self {
            object: Named::new(limits, kind),
        }
    }

    pub(crate) fn object(&self) -> &K {
        self.object.kind()
    }

    /// Attaches to the object in its usual role (for a queue: as a sender).
    ///
    /// # Errors
    ///
    /// [`AttachError::LimitReached`] when that many users of the role are attached; [`AttachError::Closed`];
    /// [`AttachError::TooMany`] when there are more than can be counted; [`AttachError::OutOfMemory`] when there is none
    /// for the user's lane. A [`Kind`] of your own may say any of these.
    ///
    /// # Progress
    ///
    /// Lock-free, and without allocation once as many users have been attached at a time as are now.
    #[track_caller]
    #[inline(always)]
    pub fn attach(&self) -> Result<K::User, AttachError> {
        K::attach(self.place(K::ROLE)?)
    }

    /// Takes a place in a role; for kinds that give more than one sort of attachment.
    ///
    /// # Errors
    ///
    /// [`AttachError::LimitReached`] when the role's limit is reached, or [`AttachError::Closed`] if the kind says so then;
    /// [`AttachError::TooMany`].
    ///
    /// # Progress
    ///
    /// Lock-free.
    #[track_caller]
    #[inline]
    pub fn place(&self, role: Role) -> Result<Place<K, S>, AttachError> {
        self.object.enter(role).map(Place::new)
    }

    /// Closes the object: nothing new is accepted, what was accepted can still be received.
    ///
    /// # Progress
    ///
    /// Wait-free, except that it wakes the receiver if that sleeps (a system call that does not wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Capacity, Limits, Local, Scope, TryRecvError};
    ///
    /// let queue = Local.queue(Limits::default(), Capacity::Unbounded)?;
    /// let (sender, mut receiver) = (queue.attach_sender()?, queue.attach_receiver()?);
    /// sender.send(1)?;
    /// queue.close();
    /// assert!(sender.send(2).is_err());
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) {
        self.object.kind().close();
    }

    /// How many users of a role are attached now. Others may attach and detach meanwhile.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn attached(&self, role: Role) -> usize {
        self.object.attached(role)
    }

    /// The limits that the object was made with.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.object.limits()
    }
}

impl<K: Kind<S>, S: Scope> Clone for Handle<K, S> {
    fn clone(&self) -> Self {
        Self {
            object: self.object.clone(),
        }
    }
}

impl<K: Kind<S>, S: Scope> fmt::Debug for Handle<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("kind", &K::NAME)
            .field("limits", &self.object.limits())
            .finish_non_exhaustive()
    }
}
