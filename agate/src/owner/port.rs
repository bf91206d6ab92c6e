//! Ports: the attached right to send to one owner, and to help it.

#![allow(
    unsafe_code,
    reason = "tells completions what to help with, whose type they forget"
)]

use std::fmt;

use crate::attach::Place;
use crate::completion::{Completion, CompletionPool, Helper, Resolver, pair};
use crate::error::{AttachError, Closed, SendError};
use crate::owner::inbox::Inbox;
use crate::owner::seat::Seat;
use crate::queue::intake::Refused;
use crate::queue::tx::Tx;
use crate::scope::{Carries, Local, Scope};

/// The right to send to one owner, with a lane of its own. A send costs nanoseconds, and never waits for the owner.
///
/// Made by [`Handle::attach`](crate::Handle::attach) or [`Owner::attach`](crate::Owner::attach); dropping it
/// detaches, and what was sent is still handled. It can be moved between threads, and used by one at a time.
///
/// Messages of one port are handled in the order sent. Between ports there is no order, also between two that one
/// thread attached one after the other.
///
/// # When the owner is driven by its users
///
/// Then the handler runs on the users' own threads ([`Driver::Users`](crate::Driver::Users)). A [`send`](Self::send)
/// only enqueues, so that many messages can be sent at the price of a message;
/// [`send_and_help`](Self::send_and_help), [`help`](Self::help), the `ask` family, every wait for an answer (also at a
/// [`CompletionPort`](crate::CompletionPort), or for several) and dropping the port then *help*: they drain a bounded number of messages, of all users, into the handler. If
/// another thread is at it, nobody waits: that thread is told to look once more, and either does so or leaves a mark,
/// and whoever sends, asks or waits next sees the mark and helps. A port that is dropped by a panic does not help, and
/// leaves the mark.
///
/// A handler that sends to its own owner is not called again from inside: the message waits until it has returned, and
/// a wait for its answer inside of the handler is refused with [`WouldStall`](crate::WaitError::WouldStall). So is one
/// for an answer of its own owner that somebody else will give, to whom the handler has passed the resolver: poll that
/// one, or await it. A wait for several, and one at a [`CompletionPort`](crate::CompletionPort), is refused only if all
/// that it waits for comes from owners that this thread is inside of.
///
/// # Examples
///
/// ```
/// use agate::{Handler, Local, Resolver, Scope};
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
    /// Whether the owner is driven by its users.
    helps: bool,
}

impl<M: 'static, S: Scope> Port<M, S> {
    #[inline]
    pub(crate) fn new(place: Place<Inbox<M, S>, S>) -> Result<Self, AttachError> {
        let helps = place.seat.as_ref().is_some_and(Seat::is_driven_by_users);
        Ok(Self {
            tx: Tx::attach(place)?,
            helps,
        })
    }

    /// Sends a message. `Ok` means handed over: an owner that ends meanwhile may discard it.
    ///
    /// An owner that is driven by its users handles it when one of them helps next; see [above](Self).
    ///
    /// # Errors
    ///
    /// [`SendError::Closed`] with the message, when the owner is shut down or has panicked.
    ///
    /// # Progress
    ///
    /// Wait-free, except that it wakes the owner if that sleeps (a system call that does not wait), that the lane
    /// may allocate a segment, and that it [helps](Self::help) where it finds the mark.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Handler, Local, Pending, Scope};
    /// use std::time::Duration;
    ///
    /// struct Log(Vec<String>);
    /// impl Handler for Log {
    ///     type Message = String;
    ///     fn handle(&mut self, line: String) {
    ///         self.0.push(line);
    ///     }
    /// }
    ///
    /// let log = Local.owner("log", Log(Vec::new()))?;
    /// let port = log.attach()?;
    /// port.send("begun".into())?;
    /// log.shutdown(Pending::Drain, Duration::from_secs(10))?;
    /// let refused = port.send("too late".into()).unwrap_err();
    /// assert_eq!(refused.into_message(), "too late");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn send(&self, message: M) -> Result<(), SendError<M>> {
        self.enqueue(message)?;
        if self.helps {
            self.help_if_marked();
        }
        Ok(())
    }

    /// Sends all of these, published together: the owner is woken once, and sees all of them at once. Returns how many.
    ///
    /// There is always room, also if the iterator itself sends through this port; what it sends comes before what it
    /// gives next. If the iterator panics, what it gave before is sent. An owner that ends meanwhile may discard them.
    ///
    /// # Errors
    ///
    /// [`Closed`], when the owner is shut down or has panicked; nothing was taken from the iterator.
    ///
    /// # Progress
    ///
    /// As [`send`](Self::send), in as many steps as there are messages; it helps once.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Handler, Local, Pending, Scope};
    /// use std::time::Duration;
    ///
    /// struct Sum(u64);
    /// impl Handler for Sum {
    ///     type Message = u64;
    ///     fn handle(&mut self, n: u64) {
    ///         self.0 += n;
    ///     }
    /// }
    ///
    /// let sum = Local.owner("sum", Sum(0))?;
    /// let port = sum.attach()?;
    /// assert_eq!(port.send_batch(&mut (0..1000)), Ok(1000));
    /// assert_eq!(sum.shutdown(Pending::Drain, Duration::from_secs(10))?.handled, 1000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send_batch(&self, messages: &mut impl Iterator<Item = M>) -> Result<usize, Closed> {
        let sent = self.tx.send_batch(messages)?;
        if self.helps {
            self.help_if_marked();
        }
        Ok(sent)
    }

    /// Sends a message and helps: the last one before a thread turns to something else.
    ///
    /// The same as [`send`](Self::send) for an owner that is not driven by its users.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Progress
    ///
    /// As [`send`](Self::send), and [`help`](Self::help).
    pub fn send_and_help(&self, message: M) -> Result<(), SendError<M>> {
        self.enqueue(message)?;
        self.help();
        Ok(())
    }

    /// Drains a bounded number of waiting messages, of all users, into the handler, on this thread; returns how many.
    ///
    /// 0 if nothing is waiting, or another thread is at it (that is told to look once more), or the owner is not driven
    /// by its users.
    ///
    /// # Progress
    ///
    /// Lock-free, and whatever the handler does, for [`OwnerOptions::help_at_most`](crate::OwnerOptions::help_at_most)
    /// messages; when the owner is closed, for all that are left. A panic of the handler is caught: it ends the owner.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Driver, Handler, Local, OwnerOptions, Scope};
    ///
    /// struct Sum(u64);
    /// impl Handler for Sum {
    ///     type Message = u64;
    ///     fn handle(&mut self, n: u64) {
    ///         self.0 += n;
    ///     }
    /// }
    ///
    /// let options = OwnerOptions::named("sum").driven_by(Driver::Users);
    /// let sum = Local.owner_from(options, Sum(0))?;
    /// let port = sum.attach()?;
    /// (1..=10).try_for_each(|n| port.send(n))?;
    /// assert_eq!(port.help(), 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn help(&self) -> usize {
        match self.seat() {
            Some(seat) => {
                usize::try_from(seat.help(self.tx.object()).handled).unwrap_or(usize::MAX)
            }
            None => 0,
        }
    }

    /// Helps, then detaches: what dropping the port does, said aloud.
    ///
    /// # Progress
    ///
    /// As [`help`](Self::help).
    pub fn finish(self) {
        drop(self);
    }

    fn enqueue(&self, message: M) -> Result<(), SendError<M>> {
        self.tx.send(message).map_err(|refused| match refused {
            Refused::Full(message) | Refused::Closed(message) => SendError::Closed(message),
        })
    }

    /// The seat, if users drive.
    fn seat(&self) -> Option<&Seat<M, S>> {
        let seat = self.tx.object().seat.as_ref();
        seat.filter(|_| self.helps)
    }

    fn help_if_marked(&self) {
        if let Some(seat) = self.seat() {
            // A thread that unwinds does no work for others.
            if seat.is_abandoned() && !std::thread::panicking() {
                seat.help(self.tx.object());
            }
        }
    }

    /// Sends a message that carries a resolver, helps, and returns where the answer will be.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Progress
    ///
    /// As [`send_and_help`](Self::send_and_help); allocates the answer's slot. With [`ask_with`](Self::ask_with) nothing is allocated.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Handler, Local, Resolver, Scope};
    /// use std::time::Duration;
    ///
    /// struct Squares;
    /// impl Handler for Squares {
    ///     type Message = (u64, Resolver<u64>);
    ///     fn handle(&mut self, (n, asker): Self::Message) {
    ///         asker.resolve(n * n);
    ///     }
    /// }
    ///
    /// let squares = Local.owner("squares", Squares)?;
    /// let port = squares.attach()?;
    /// let mut answer = port.ask(|asker| (7, asker))?;
    /// assert_eq!(answer.wait_timeout(Duration::from_secs(10)), Ok(49));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ask<T: 'static>(
        &self,
        message: impl FnOnce(Resolver<T, S>) -> M,
    ) -> Result<Completion<T, S>, SendError<M>>
    where
        S: Carries<T>,
    {
        let (resolver, completion) = pair();
        self.send_and_help(message(resolver))?;
        Ok(completion.with_helper(self.helper()))
    }

    /// As [`ask`](Self::ask), with the answer's slot from a pool.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    ///
    /// # Progress
    ///
    /// As [`send_and_help`](Self::send_and_help); lock-free, without allocation once the pool is warm.
    pub fn ask_with<T: 'static>(
        &self,
        pool: &CompletionPool<T, S>,
        message: impl FnOnce(Resolver<T, S>) -> M,
    ) -> Result<Completion<T, S>, SendError<M>>
    where
        S: Carries<T>,
    {
        let (resolver, completion) = pool.pair();
        self.send_and_help(message(resolver))?;
        Ok(completion.with_helper(self.helper()))
    }

    /// What a wait for an answer helps with: nothing, unless users drive.
    fn helper(&self) -> Option<Helper<S>> {
        self.helps.then(|| {
            // SAFETY: it is an inbox of this scope. In `Local` it is `Send` and `Sync`: inboxes are made by owners alone,
            // whose scope carries the messages, and what `Local` carries is `Send`.
            unsafe { Helper::new(self.tx.place().keep()) }
        })
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
    #[track_caller]
    pub fn try_clone(&self) -> Result<Self, AttachError> {
        Ok(Self {
            tx: self.tx.try_clone()?,
            helps: self.helps,
        })
    }

    /// Whether the owner accepts nothing any more. May become true at any time, and never false again.
    ///
    /// # Progress
    ///
    /// Wait-free.
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

impl<M: 'static, S: Scope> Drop for Port<M, S> {
    fn drop(&mut self) {
        if let Some(seat) = self.seat() {
            if std::thread::panicking() {
                seat.mark();
            } else {
                seat.help(self.tx.object());
            }
        }
    }
}
