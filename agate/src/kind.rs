//! Kinds of objects: what attach gives, and what closing means. Agate's own kinds and the user's use one trait.

use crate::attach::{Place, Role};
use crate::error::AttachError;
use crate::scope::{Local, Scope};

/// A kind of object that handles can name: agate's queues and inboxes, or one of your own.
///
/// The value is the object's shared state; [`Scope::install`](crate::Scope::install) gives a handle to it.
/// A user of it holds a [`Place`], which counts against the limits and keeps the object alive.
///
/// # Examples
///
/// A counter of one's own that at most two users may hold at once:
///
/// ```
/// use agate::{AttachError, Kind, Limits, Local, Place, Role, Scope};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// struct Counter(AtomicU64);
/// struct User(Place<Counter>);
///
/// impl Kind for Counter {
///     const NAME: &'static str = "counter";
///     type User = User;
///     fn attach(place: Place<Self>) -> Result<User, AttachError> {
///         Ok(User(place))
///     }
/// }
///
/// let counter = Local.install(Limits::none().users(2), Counter(AtomicU64::new(0)));
/// let (a, b) = (counter.attach()?, counter.attach()?);
/// a.0.0.fetch_add(1, Ordering::Relaxed);
/// b.0.0.fetch_add(1, Ordering::Relaxed);
/// let full = counter.attach();
/// assert!(matches!(full, Err(AttachError::LimitReached { role: Role::User, limit: 2, .. })));
/// drop(a);
/// assert!(counter.attach().is_ok());
/// # Ok::<(), AttachError>(())
/// ```
pub trait Kind<S: Scope = Local>: Sized + 'static {
    /// What this kind is called in messages for people.
    const NAME: &'static str;

    /// The role in which [`Handle::attach`](crate::Handle::attach) attaches.
    const ROLE: Role = Role::User;

    /// What [`Handle::attach`](crate::Handle::attach) gives: it holds the place and uses the object through it.
    type User;

    /// Makes an attachment out of a place that has been granted.
    ///
    /// # Errors
    ///
    /// [`AttachError`] when the object refuses, for example because it is closed; the place is given back. The place may
    /// be of any role, where [`Handle::place`](crate::Handle::place) gave it: a kind that serves one role alone refuses the
    /// others with [`AttachError::WrongRole`], as agate's own do.
    ///
    /// # Progress
    ///
    /// Yours: it is part of every attach.
    fn attach(place: Place<Self, S>) -> Result<Self::User, AttachError>;

    /// Closes the object's intake. May be called more than once and from any thread.
    ///
    /// # Progress
    ///
    /// Yours: [`Handle::close`](crate::Handle::close) calls it and adds nothing.
    fn close(&self) {}

    /// Whether nobody new can attach in this role any more, whatever places there are. Asked when there is none, so that
    /// who comes too late is told [`Closed`](AttachError::Closed) instead of
    /// [`LimitReached`](AttachError::LimitReached), after which it would try again.
    ///
    /// # Progress
    ///
    /// Yours: it is part of an attach that is refused.
    fn is_closed(&self, role: Role) -> bool {
        let _ = role;
        false
    }

    /// The last attachment of a role is gone, so its places are vacant (others may attach meanwhile). Called after the
    /// place was given back.
    ///
    /// # Progress
    ///
    /// Yours: it runs on the thread that detaches or drops the handle.
    fn vacated(&self, role: Role) {
        let _ = role;
    }

    /// The last handle is gone: from now on nobody new can attach.
    ///
    /// # Progress
    ///
    /// Yours: it runs on the thread that detaches or drops the handle.
    fn unnamed(&self) {}

    /// The object is told something. Agate's own kinds listen to this alone, which nobody else can call.
    #[doc(hidden)]
    fn told(&self, notice: Notice) {
        match notice {
            Notice::Vacated(role) => self.vacated(role),
            Notice::Unnamed => self.unnamed(),
        }
    }
}

/// Passes a place on if it is of the role that the kind attaches in.
#[inline(always)]
pub(crate) fn in_role<K: Kind<S>, S: Scope>(
    place: Place<K, S>,
) -> Result<Place<K, S>, AttachError> {
    if place.role() == K::ROLE {
        return Ok(place);
    }
    Err(AttachError::WrongRole {
        wanted: K::ROLE,
        given: place.role(),
    })
}

/// What an object is told about its users. It has no name outside, so nobody can tell an object what is not so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The last attachment of a role is gone.
    Vacated(Role),
    /// The last handle is gone.
    Unnamed,
}
