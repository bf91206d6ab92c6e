//! Attachments: places in an object, counted against its limits, given back on drop.

use std::fmt;
use std::ops::Deref;

use crate::error::AttachError;
use crate::handle::{Limits, Object};
use crate::kind::Kind;
use crate::scope::{Local, Scope};
use crate::sync::atomic::{AtomicUsize, Ordering};

/// As what a user attaches to an object; each role has a limit of its own.
///
/// # Examples
///
/// ```
/// use agate::{Capacity, Limits, Local, Role};
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
pub struct Place<K: Kind<S>, S: Scope = Local> {
    object: S::Ref<Object<K>>,
    role: Role,
}

impl<K: Kind<S>, S: Scope> Place<K, S> {
    pub(crate) fn take(object: &S::Ref<Object<K>>, role: Role) -> Result<Self, AttachError> {
        object.places.enter(role, &object.limits)?;
        Ok(Self {
            object: object.clone(),
            role,
        })
    }

    /// The role in which this place was taken.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// How many users of a role are attached now.
    #[must_use]
    pub fn attached(&self, role: Role) -> usize {
        self.object.places.attached(role)
    }

    /// Takes one more place in the same object and role.
    ///
    /// # Errors
    ///
    /// [`AttachError::LimitReached`] when the role's limit is reached.
    ///
    /// # Progress
    ///
    /// Lock-free.
    pub fn another(&self) -> Result<Self, AttachError> {
        Self::take(&self.object, self.role)
    }
}

impl<K: Kind<S>, S: Scope> Deref for Place<K, S> {
    type Target = K;

    fn deref(&self) -> &K {
        &self.object.kind
    }
}

impl<K: Kind<S>, S: Scope> Drop for Place<K, S> {
    fn drop(&mut self) {
        let left = self.object.places.leave(self.role);
        self.object.kind.detached(self.role, left);
    }
}

impl<K: Kind<S>, S: Scope> fmt::Debug for Place<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Place")
            .field("kind", &K::NAME)
            .field("role", &self.role)
            .finish()
    }
}

/// How many users of each role are attached now.
#[derive(Debug)]
pub(crate) struct Places {
    senders: AtomicUsize,
    receivers: AtomicUsize,
    users: AtomicUsize,
}

impl Places {
    pub(crate) fn new() -> Self {
        Self {
            senders: AtomicUsize::new(0),
            receivers: AtomicUsize::new(0),
            users: AtomicUsize::new(0),
        }
    }

    pub(crate) fn attached(&self, role: Role) -> usize {
        self.count(role).load(Ordering::Acquire)
    }

    fn enter(&self, role: Role, limits: &Limits) -> Result<(), AttachError> {
        let limit = limits.of(role);
        let count = self.count(role);
        if limit == usize::MAX {
            count.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let mut seen = count.load(Ordering::Relaxed);
        while seen < limit {
            // Acquire pairs with the Release of `leave`: whatever the leaver did is visible to who takes its place.
            match count.compare_exchange_weak(seen, seen + 1, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return Ok(()),
                Err(now) => seen = now,
            }
        }
        Err(AttachError::LimitReached { role, limit })
    }

    fn leave(&self, role: Role) -> usize {
        self.count(role).fetch_sub(1, Ordering::AcqRel) - 1
    }

    fn count(&self, role: Role) -> &AtomicUsize {
        match role {
            Role::Sender => &self.senders,
            Role::Receiver => &self.receivers,
            Role::User => &self.users,
        }
    }
}
