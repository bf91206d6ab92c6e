//! Attachments: places in an object, counted against its limits, given back on drop.

use std::fmt;
use std::ops::Deref;

use crate::error::AttachError;
use crate::kind::Kind;
use crate::object::{Held, Kept};
use crate::scope::{Local, Scope};

/// As what a user attaches to an object; each role has a limit of its own.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local, Role, Scope};
///
/// let queue = Local.queue::<u8>(Limits::senders(4), Capacity::Unbounded)?;
/// let _sender = queue.attach_sender()?;
/// assert_eq!((queue.attached(Role::Sender), queue.attached(Role::Receiver)), (1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Sends messages.
    Sender,
    /// Receives messages.
    Receiver,
    /// Uses an object that knows one role only.
    User,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sender => "sender",
            Self::Receiver => "receiver",
            Self::User => "user",
        })
    }
}

/// A place in an object, held by one attachment: counts against the limits until it is dropped.
///
/// It dereferences to the object. Kinds of your own keep it inside their attachments; see [`Kind`].
///
/// # Examples
///
/// See [`Kind`].
pub struct Place<K: Kind<S>, S: Scope = Local> {
    held: Held<K, S>,
}

impl<K: Kind<S>, S: Scope> Place<K, S> {
    #[inline(always)]
    pub(crate) fn new(held: Held<K, S>) -> Self {
        Self { held }
    }

    /// Keeps the object without a place in it.
    pub(crate) fn keep(&self) -> Kept<K, S> {
        self.held.keep()
    }

    /// The limit of a role.
    pub(crate) fn limit(&self, role: Role) -> usize {
        self.held.limit(role)
    }

    /// The role in which this place was taken.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn role(&self) -> Role {
        self.held.role()
    }

    /// How many users of a role are attached now.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn attached(&self, role: Role) -> usize {
        self.held.attached(role)
    }

    /// Takes one more place in the same object and role.
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
    pub fn another(&self) -> Result<Self, AttachError> {
        self.held.another().map(Self::new)
    }
}

impl<K: Kind<S>, S: Scope> Deref for Place<K, S> {
    type Target = K;

    #[inline(always)]
    fn deref(&self) -> &K {
        self.held.kind()
    }
}

impl<K: Kind<S>, S: Scope> fmt::Debug for Place<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("kind", &K::NAME)
            .field("role", &self.role())
            .finish()
    }
}
