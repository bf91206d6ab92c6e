//! The inbox of an owner, and ports: attached lanes into it.

use std::fmt;

use crate::attach::{Place, Role};
use crate::completion::{Completion, CompletionPool, Resolver, completion};
use crate::error::{AttachError, SendError};
use crate::kind::Kind;
use crate::owner::Pending;
use crate::park::WaitMode;
use crate::queue::Capacity;
use crate::queue::intake::{Intake, Refused};
use crate::queue::tx::{HasIntake, Tx};
use crate::scope::{Local, Scope};
use crate::sync::atomic::Ordering;
use crate::words::Word;

/// The inbox of an owner: an unbounded queue that the owner's thread drains. Used through a
/// [`Handle`](crate::Handle), which [`Owner::handle`](crate::Owner::handle) gives.
///
/// # Examples
///
/// ```
/// use agate::{Handle, Handler, Inbox, Local};
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
}

impl<M: 'static, S: Scope> Inbox<M, S> {
    pub(crate) fn new(mode: WaitMode) -> Self {
        Self {
            intake: Intake::new(Capacity::Unbounded, mode),
            discard: S::Bool::new(false),
        }
    }

    /// Accepts nothing new, and has the owner end when it has handled or discarded what was accepted.
    pub(crate) fn request_end(&self, pending: Pending) {
        if pending == Pending::Discard {
            self.discard.store(true, Ordering::Release);
        }
        self.intake.close();
    }

    pub(crate) fn is_discarding(&self) -> bool {
        self.discard.load(Ordering::Acquire)
    }
}

impl<M: 'static, S: Scope> Kind<S> for Inbox<M, S> {
    const NAME: &'static str = "inbox";
    const ROLE: Role = Role::Sender;
    type User = Port<M, S>;

    fn attach(place: Place<Self, S>) -> Result<Port<M, S>, AttachError> {
        Ok(Port {
            tx: Tx::attach(place)?,
        })
    }

    /// Accepts nothing new; the owner handles what was accepted, and ends.
    fn close(&self) {
        self.request_end(Pending::Drain);
    }
}

impl<M: 'static, S: Scope> HasIntake<S> for Inbox<M, S> {
    type Message = M;

    #[inline(always)]
    fn intake(&self) -> &Intake<M, S> {
        &self.intake
    }
}

impl<M: 'static, S: Scope> fmt::Debug for Inbox<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbox")
            .field("closed", &self.intake.is_closed())
            .finish_non_exhaustive()
    }
}

/// The right to send to one owner, with a lane of its own. A send costs nanoseconds, and never waits for the owner.
///
/// Made by [`Handle::attach`](crate::Handle::attach) or [`Owner::attach`](crate::Owner::attach); dropping it
/// detaches, and what was sent is still handled. It can be moved between threads, and used by one at a time.
///
/// Messages of one port are handled in the order sent. Between ports there is no order, also between two that one
/// thread attached one after the other.
///
/// # Examples
///
/// ```
/// use agate::{Handler, Local, Resolver};
/// use std::time::Duration;
///
/// struct Counter(u64);
/// enum Count {
///     Add(u64),
///     Total(Resolver<u64>),
/// }
/// impl Handler for Counter {
///     type Message = Count;
///     fn handle(&mut self, message: Count) {
///         match message {
///             Count::Add(n) => self.0 += n,
///             Count::Total(asker) => asker.resolve(self.0),
///         }
///     }
/// }
///
/// let counter = Local.owner("counter", Counter(0))?;
/// let port = counter.attach()?;
/// port.send(Count::Add(2))?;
/// port.send(Count::Add(3))?;
/// let mut total = port.ask(Count::Total)?;
/// assert_eq!(total.wait_timeout(Duration::from_secs(10)), Ok(5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Port<M: 'static, S: Scope = Local> {
    tx: Tx<Inbox<M, S>, S>,
}

impl<M: 'static, S: Scope> Port<M, S> {
    /// Sends a message. `Ok` means handed over: an owner that ends meanwhile may discard it.
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] with the message, when the owner is shut down or has panicked.
    ///
    /// # Progress
    ///
    /// Wait-free, except that it wakes the owner if that sleeps (a system call that does not wait), and that the lane
    /// may allocate a segment.
    #[inline]
    pub fn send(&self, message: M) -> Result<(), SendError<M>> {
        self.tx.send(message).map_err(|refused| match refused {
            Refused::Full(message) | Refused::Closed(message) => SendError::Closed(message),
        })
    }

    /// Sends a message that carries a resolver, and returns where the answer will be.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Progress
    ///
    /// As [`send`](Self::send); allocates the answer's slot. With [`ask_with`](Self::ask_with) nothing is allocated.
    pub fn ask<T: Send + 'static>(
        &self,
        message: impl FnOnce(Resolver<T>) -> M,
    ) -> Result<Completion<T>, SendError<M>> {
        let (resolver, completion) = completion();
        self.send(message(resolver)).map(|()| completion)
    }

    /// As [`ask`](Self::ask), with the answer's slot from a pool.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Progress
    ///
    /// As [`send`](Self::send); lock-free, without allocation once the pool is warm.
    pub fn ask_with<T: Send + 'static>(
        &self,
        pool: &CompletionPool<T>,
        message: impl FnOnce(Resolver<T>) -> M,
    ) -> Result<Completion<T>, SendError<M>> {
        let (resolver, completion) = pool.pair();
        self.send(message(resolver)).map(|()| completion)
    }

    /// Attaches another port to the same owner.
    ///
    /// # Errors
    ///
    /// As [`Handle::attach`](crate::Handle::attach).
    ///
    /// # Progress
    ///
    /// Lock-free; does not allocate when a lane is free.
    pub fn try_clone(&self) -> Result<Self, AttachError> {
        Ok(Self {
            tx: self.tx.try_clone()?,
        })
    }

    /// Whether the owner accepts nothing any more. May become true at any time, and never false again.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.tx.object().intake.is_closed()
    }
}

impl<M: 'static, S: Scope> fmt::Debug for Port<M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Port")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
