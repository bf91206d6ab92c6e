//! The inbox of an owner.

#![allow(
    unsafe_code,
    reason = "a count of the object passes as a pointer, and the obligation of taking it back is passed on"
)]

use std::fmt;

use crate::attach::{Place, Role};
use crate::completion::{Help, Helped, Passes};
use crate::error::AttachError;
use crate::handle::Handle;
use crate::inspect::Inspection;
use crate::kind::{Kind, in_role};
use crate::object::Kept;
use crate::owner::Pending;
use crate::owner::port::Port;
use crate::owner::seat::{Left, Seat};
use crate::owner::stats::Tally;
use crate::park::WaitMode;
use crate::queue::Capacity;
use crate::queue::intake::Intake;
use crate::queue::tx::HasIntake;
use crate::scope::{Local, Scope};
use crate::sync::Line;
use crate::sync::atomic::Ordering;
use crate::words::Word;

/// The inbox of an owner: an unbounded queue that whoever drives the owner drains. Used through a
/// [`Handle`](crate::Handle), which [`Owner::handle`](crate::Owner::handle) gives.
///
/// # Examples
///
/// ```
/// use agate::{Handle, Handler, Inbox, Local, Scope};
/// # struct Sum(u64);
/// # impl Handler for Sum {
/// #     type Message = u64;
/// #     fn handle(&mut self, n: u64) {
/// #         self.0 += n;
/// #     }
/// # }
///
/// let sum = Local.owner("sum", Sum(0))?;
/// let inbox: Handle<Inbox<u64>> = sum.handle();
/// let jobs: Vec<_> = (0..4)
///     .map(|n| {
///         let inbox = inbox.clone();
///         std::thread::spawn(move || inbox.attach().unwrap().send(n).unwrap())
///     })
///     .collect();
/// for job in jobs {
///     job.join().unwrap();
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Inbox<M: 'static, S: Scope = Local> {
    pub(crate) intake: Intake<M, S>,
    discard: S::Bool,
    /// Where the handler is, if the owner has no thread of its own.
    pub(crate) seat: Option<Seat<M, S>>,
    /// Written by the driver after each batch, so not beside what senders read.
    pub(crate) tally: Line<Tally<S>>,
}

impl<M: 'static, S: Scope> Inbox<M, S> {
    pub(crate) fn new(mode: WaitMode, seat: Option<Seat<M, S>>) -> Self {
        Self {
            intake: Intake::new(Capacity::Unbounded, mode),
            discard: S::Bool::new(false),
            seat,
            tally: Line(Tally::new()),
        }
    }

    /// Accepts nothing new, and has the owner end when it has handled or discarded what was accepted.
    pub(crate) fn request_end(&self, pending: Pending) {
        if pending == Pending::Discard {
            self.discard.store(true, Ordering::Release);
        }
        self.intake.close();
        if let Some(seat) = &self.seat {
            seat.mark();
        }
    }

    pub(crate) fn is_discarding(&self) -> bool {
        self.discard.load(Ordering::Acquire)
    }
}

impl<M: 'static, S: Scope> Kind<S> for Inbox<M, S> {
    const NAME: &'static str = "inbox";
    const ROLE: Role = Role::Sender;
    type User = Port<M, S>;

    #[inline(always)]
    fn attach(place: Place<Self, S>) -> Result<Port<M, S>, AttachError> {
        Port::new(in_role(place)?)
    }

    /// Accepts nothing new; the owner handles what was accepted, and ends. One that has no thread ends when somebody
    /// drives it next.
    fn close(&self) {
        self.request_end(Pending::Drain);
    }

    fn is_closed(&self, _: Role) -> bool {
        self.intake.is_closed()
    }
}

impl<M: 'static, S: Scope> Passes<S> for Kept<Inbox<M, S>, S> {
    type Object = Inbox<M, S>;

    fn pass(self) -> *const () {
        self.into_raw()
    }

    unsafe fn take_back(pointer: *const ()) -> Self {
        // SAFETY: as the caller promises.
        unsafe { Self::from_raw(pointer) }
    }

    fn object(&self) -> &Inbox<M, S> {
        self.kind()
    }
}

impl<M: 'static, S: Scope> Help<S> for Inbox<M, S> {
    fn help(&self) -> Helped {
        let Some(seat) = &self.seat else {
            return Helped::Idle(None);
        };
        match seat.help(self).left {
            Left::Idle(wake_at) => Helped::Idle(wake_at),
            Left::Marked => Helped::More,
            Left::Busy if seat.is_held_here() => Helped::Inside,
            Left::Busy => Helped::Busy,
            Left::Ended => Helped::Idle(None),
        }
    }

    fn bell(&self) -> Option<&S::Bell> {
        self.seat.as_ref().map(Seat::bell)
    }
}

impl<M: 'static, S: Scope> HasIntake<S> for Inbox<M, S> {
    type Message = M;

    #[inline(always)]
    fn intake(&self) -> &Intake<M, S> {
        &self.intake
    }
}

impl<M: 'static, S: Scope> Handle<Inbox<M, S>, S> {
    /// Whether somebody drives the owner just now: a hint for who can choose between several owners. One that has a
    /// thread of its own is always driven.
    ///
    /// By the time the caller acts on it things may have changed, and nothing is lost then: what is sent to an owner that
    /// somebody drives is handled by that somebody, or by whoever helps next.
    ///
    /// # Progress
    ///
    /// Wait-free: one load.
    ///
    /// # Examples
    ///
    /// Of several owners of the same kind, the first that nobody is busy with:
    ///
    /// ```
    /// use agate::{Driver, Handler, Local, OwnerOptions, Scope};
    /// # struct Sum(u64);
    /// # impl Handler for Sum {
    /// #     type Message = u64;
    /// #     fn handle(&mut self, n: u64) {
    /// #         self.0 += n;
    /// #     }
    /// # }
    ///
    /// let make = |_| Local.owner_from(OwnerOptions::named("shard").driven_by(Driver::Users), Sum(0));
    /// let owners = (0..4).map(make).collect::<Result<Vec<_>, _>>()?;
    /// let inboxes: Vec<_> = owners.iter().map(|owner| owner.handle()).collect();
    /// let free = inboxes.iter().find(|inbox| !inbox.is_driven());
    /// let inbox = free.unwrap_or(&inboxes[0]);
    /// inbox.attach()?.send_and_help(7)?; // handled here and now, unless somebody was faster
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn is_driven(&self) -> bool {
        self.object().seat.as_ref().is_none_or(Seat::is_held)
    }

    /// What the inbox looks like now: who is attached, what waits, what was counted.
    ///
    /// # Progress
    ///
    /// Allocates; looks at every lane.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Handler, Local, Pending, Scope};
    /// use std::time::Duration;
    /// # struct Sum(u64);
    /// # impl Handler for Sum {
    /// #     type Message = u64;
    /// #     fn handle(&mut self, n: u64) {
    /// #         self.0 += n;
    /// #     }
    /// # }
    ///
    /// let sum = Local.owner("sum", Sum(0))?;
    /// let inbox = sum.handle();
    /// sum.attach()?.send(7)?;
    /// sum.shutdown(Pending::Drain, Duration::from_secs(10))?;
    /// let seen = inbox.inspect();
    /// assert_eq!((seen.sent, seen.received, seen.waiting, seen.closed), (1, 1, 0, true));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn inspect(&self) -> Inspection {
        let mut seen = Inspection::new(Inbox::<M, S>::NAME, self.limits());
        self.object().intake.inspect(&mut seen);
        seen.senders = self.attached(Role::Sender);
        seen.receivers = self.attached(Role::Receiver);
        seen
    }
}

impl<M: 'static, S: Scope> fmt::Debug for Inbox<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("closed", &self.intake.is_closed())
            .finish_non_exhaustive()
    }
}
