//! The owner: one logical thread that alone uses a resource, and an inbox.

mod drive;
mod handler;
mod home;
mod inbox;
mod limit;
mod options;
mod port;
mod run;
mod seat;
mod shutdown;
mod stats;
pub(crate) mod token;

use std::fmt;
use std::time::{Duration, Instant};

pub use handler::Handler;
pub(crate) use home::{Drives, Moves};
pub use inbox::Inbox;
pub use options::{Driver, OwnerOptions};
pub use port::Port;
pub use shutdown::{Pending, ShutdownError, ShutdownReport};
pub use stats::{OwnerStats, Pumped};

use crate::attach::Role;
use crate::caught;
use crate::completion::{Completion, completion, is_wait_forbidden};
use crate::error::{AttachError, CreateError};
use crate::handle::Handle;
use crate::owner::drive::Exit;
use crate::owner::limit::Budget;
use crate::owner::run::{Job, run_given, run_making};
use crate::owner::seat::{Driving, Left, RETRY, Seat};
use crate::scope::{Carries, Local, Scope};
use crate::sync::has_ended;
use crate::sync::owner_thread::{self, JoinHandle, ThreadId};

/// One logical thread that alone uses a resource, with an inbox for everybody else.
///
/// Made by [`Scope::owner`](crate::Scope::owner). There is one `Owner` value for each owner; others get a
/// [`Handle`] to its inbox and attach.
///
/// It is driven by a thread of its own, on which alone its handler is made, called and dropped; or it has none, and its
/// users or its host drive it, one at a time: see [`Driver`].
///
/// End it with [`shutdown`](Self::shutdown). Dropping it without discards what is in the inbox, and waits for whoever
/// drives it no longer than [`OwnerOptions::drop_deadline`]; if that is still busy then, the owner ends later.
///
/// # Examples
///
/// A handler that panics takes nobody with it:
///
/// ```
/// use agate::{Handler, Local, Pending, Scope, SendError, WaitError};
/// use std::time::Duration;
///
/// const LONG: Duration = Duration::from_secs(10);
///
/// struct Divider;
/// impl Handler for Divider {
///     type Message = (u32, agate::Resolver<u32>);
///     fn handle(&mut self, (by, asker): Self::Message) {
///         asker.resolve(100 / by);
///     }
/// }
///
/// let divider = Local.owner("divider", Divider)?;
/// let port = divider.attach()?;
/// assert_eq!(port.ask(|asker| (5, asker))?.wait_timeout(LONG), Ok(20));
/// let answer = port.ask(|asker| (0, asker))?.wait_timeout(LONG);
/// assert_eq!(answer, Err(WaitError::Failed(agate::CompletionError::OwnerPanicked)));
/// let error = divider.shutdown(Pending::Drain, LONG).unwrap_err();
/// assert_eq!(error.panic_message(), Some("attempt to divide by zero"));
/// assert!(port.is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// See also [`Port`] and [`Handler`].
pub struct Owner<H: Handler, S: Scope = Local> {
    handle: Handle<Inbox<H::Message, S>, S>,
    exit: Completion<Exit>,
    /// The owner's own thread, if it has one.
    thread: Option<JoinHandle<()>>,
    /// Whether it was ended by this value.
    ended: bool,
    drop_deadline: Duration,
}

impl<H: Handler, S: Scope> Owner<H, S> {
    /// With the driver that the options say, and a handler that may be moved to it.
    pub(crate) fn from_handler(options: OwnerOptions, handler: H) -> Result<Self, CreateError>
    where
        S: Carries<H> + Carries<H::Message>,
    {
        match options.driver.unwrap_or(S::DRIVER) {
            Driver::Thread => Self::on_thread(options, handler, run_given::<H, S>),
            driver => Ok(Self::seated(options, driver, || S::erase(handler))),
        }
    }

    /// With the driver that the options say, and a handler that is made where it is called.
    pub(crate) fn from_maker<F>(options: OwnerOptions, make: F) -> Result<Self, CreateError>
    where
        F: FnOnce() -> H,
        S: Carries<F> + Carries<H::Message>,
    {
        match options.driver.unwrap_or(S::DRIVER) {
            Driver::Thread => Self::on_thread(options, make, run_making::<H, F, S>),
            driver => {
                let mut options = options;
                let hook = options.hook.take();
                let make = || {
                    hook.into_iter().for_each(|hook| hook());
                    make()
                };
                let handler = S::make_here(make).ok_or(CreateError::HandlerMoves)?;
                Ok(Self::seated(options, driver, || handler))
            }
        }
    }

    fn on_thread<T>(options: OwnerOptions, value: T, run: fn(T, Job)) -> Result<Self, CreateError>
    where
        S: Carries<T> + Carries<H::Message>,
    {
        let handle = Handle::new(options.limits.receivers(1), Inbox::new(options.wait, None));
        let place = handle
            .place(Role::Receiver)
            .expect("a new inbox has room for its one receiver");
        let (resolver, exit) = completion();
        let job = Job {
            place: S::pack(place)?,
            hook: options.hook,
            exit: resolver,
        };
        let thread = S::spawn(options.name, value, job, run)?;
        Ok(Self {
            handle,
            exit,
            thread: Some(thread),
            ended: false,
            drop_deadline: options.drop_deadline,
        })
    }

    fn seated(
        options: OwnerOptions,
        driver: Driver,
        handler: impl FnOnce() -> S::Erased<H::Message>,
    ) -> Self {
        if let Some(hook) = options.hook {
            hook();
        }
        let (resolver, exit) = completion();
        let by_users = driver == Driver::Users;
        let seat = Seat::new(handler(), resolver, options.help_at_most, by_users);
        let inbox = Inbox::new(options.wait, Some(seat));
        Self {
            handle: Handle::new(options.limits.receivers(1), inbox),
            exit,
            thread: None,
            ended: false,
            drop_deadline: options.drop_deadline,
        }
    }

    /// A handle to the inbox, to be cloned and passed about.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn handle(&self) -> Handle<Inbox<H::Message, S>, S> {
        self.handle.clone()
    }

    /// Attaches a port: the same as `handle().attach()`.
    ///
    /// # Errors
    ///
    /// As [`Handle::attach`].
    ///
    /// # Progress
    ///
    /// Lock-free, and without allocation once as many ports have been attached at a time as are now.
    #[track_caller]
    pub fn attach(&self) -> Result<Port<H::Message, S>, AttachError> {
        self.handle.attach()
    }

    /// Whether the owner accepts messages: it has not panicked, and its inbox was not closed.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.handle.object().intake.is_closed()
    }

    /// The id of the owner's own thread, if it has one.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn thread_id(&self) -> Option<ThreadId> {
        self.thread.as_ref().map(|thread| thread.thread().id())
    }

    /// Drives an owner that has no thread of its own: handles at most `max` messages, and begins none when `time` has
    /// passed. Never parks.
    ///
    /// What a loop of the host's own calls each time round, for an owner that is driven by it ([`Driver::Host`]) or by its
    /// users. The clock is looked at before each message, more rarely (before every 16th) as long as messages take no more
    /// than a small part of the time that is left. For an owner with a thread of its own it does nothing.
    ///
    /// # Progress
    ///
    /// Lock-free, and whatever the handler does. A panic of the handler is caught: it ends the owner, and
    /// [`shutdown`](Self::shutdown) gives what it carried.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Driver, Handler, Local, OwnerOptions, Scope};
    /// use std::time::Duration;
    ///
    /// #[derive(Default)]
    /// struct Log(Vec<String>);
    /// impl Handler for Log {
    ///     type Message = String;
    ///     fn handle(&mut self, line: String) {
    ///         self.0.push(line);
    ///     }
    /// }
    ///
    /// let options = OwnerOptions::named("log").driven_by(Driver::Host);
    /// let log = Local.owner_from(options, Log::default())?;
    /// let port = log.attach()?;
    /// for n in 0..3 {
    ///     port.send(format!("line {n}"))?;
    /// }
    /// let pumped = log.pump(2, Duration::from_millis(1));
    /// assert_eq!((pumped.handled, pumped.more), (2, true));
    /// let pumped = log.pump(2, Duration::from_millis(1));
    /// assert_eq!((pumped.handled, pumped.more), (1, false));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pump(&self, max: usize, time: Duration) -> Pumped {
        let inbox = self.handle.object();
        let Some(seat) = &inbox.seat else {
            return Pumped::default();
        };
        let drove = seat.drive(inbox, Budget::within(max, time), Driving::Host);
        let (more, wake_at) = match drove.left {
            Left::Idle(wake_at) => (false, wake_at),
            Left::Marked | Left::Busy => (true, None),
            Left::Ended => (false, None),
        };
        Pumped {
            handled: usize::try_from(drove.handled).unwrap_or(usize::MAX),
            more,
            wake_at,
        }
    }

    /// What the owner has done so far.
    ///
    /// # Progress
    ///
    /// Wait-free.
    #[must_use]
    pub fn stats(&self) -> OwnerStats {
        self.handle.object().tally.read()
    }

    /// Closes the inbox, has the rest handled or discarded, and waits until the owner has ended.
    ///
    /// An owner that has no thread is driven to its end by this call, or by whoever drives it just now.
    ///
    /// The report counts what was handled and discarded, and resolvers in discarded messages resolve their completions
    /// as [`Abandoned`](crate::CompletionError::Abandoned). A message that is sent at the very moment of the end may be
    /// dropped by its sender's thread instead; it resolves alike, and is not counted.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::Panicked`] with the payload, when the handler has panicked, now or before.
    /// [`ShutdownError::TimedOut`] when the owner has not ended at the deadline; [`ShutdownError::OwnThread`] inside of its
    /// handler, and [`ShutdownError::WouldStall`] when this thread must not wait. In these three cases whoever drives it
    /// brings it to its end. If the deadline came while this call itself was draining an owner that has no thread, that
    /// is who helps next; if nobody does, the rest is dropped with the last handle and port.
    ///
    /// # Progress
    ///
    /// May park.
    ///
    /// # Examples
    ///
    /// ```
    /// use agate::{Handler, Local, Pending, Scope};
    /// use std::time::Duration;
    ///
    /// struct Sink;
    /// impl Handler for Sink {
    ///     type Message = u32;
    ///     fn handle(&mut self, _: u32) {}
    /// }
    ///
    /// let sink = Local.owner("sink", Sink)?;
    /// sink.attach()?.send_batch(&mut (0..100))?;
    /// let report = sink.shutdown(Pending::Drain, Duration::from_secs(10))?;
    /// assert_eq!((report.handled, report.discarded), (100, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown(
        mut self,
        pending: Pending,
        deadline: Duration,
    ) -> Result<ShutdownReport, ShutdownError> {
        self.end(pending, deadline)
    }

    /// As [`shutdown`](Self::shutdown), waiting until this time.
    ///
    /// # Errors
    ///
    /// As [`shutdown`](Self::shutdown).
    ///
    /// # Progress
    ///
    /// May park.
    ///
    /// # Examples
    ///
    /// Several owners, within ten seconds together:
    ///
    /// ```
    /// use agate::{Handler, Local, Pending, Scope};
    /// use std::time::{Duration, Instant};
    ///
    /// struct Sink;
    /// impl Handler for Sink {
    ///     type Message = u32;
    ///     fn handle(&mut self, _: u32) {}
    /// }
    ///
    /// let owners = [Local.owner("one", Sink)?, Local.owner("two", Sink)?];
    /// let deadline = Instant::now() + Duration::from_secs(10);
    /// for owner in owners {
    ///     owner.shutdown_until(Pending::Drain, deadline)?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown_until(
        mut self,
        pending: Pending,
        deadline: Instant,
    ) -> Result<ShutdownReport, ShutdownError> {
        self.end(pending, deadline.saturating_duration_since(Instant::now()))
    }

    fn end(
        &mut self,
        pending: Pending,
        deadline: Duration,
    ) -> Result<ShutdownReport, ShutdownError> {
        let started = Instant::now();
        self.ended = true;
        let inbox = self.handle.object();
        inbox.request_end(pending);
        let exit = if let Some(seat) = &inbox.seat {
            drive_to_end(inbox, seat, &mut self.exit, started, deadline)?
        } else {
            if self.thread_id() == Some(owner_thread::current().id()) {
                return Err(ShutdownError::OwnThread);
            }
            if is_wait_forbidden() && !self.exit.is_done() {
                return Err(ShutdownError::WouldStall);
            }
            let waited = self.exit.wait_timeout(deadline);
            waited.map_err(|_| ShutdownError::TimedOut { deadline })?
        };
        if let Some(thread) = self.thread.take() {
            join(thread, started, deadline);
        }
        let report = ShutdownReport::new(exit.counts, started.elapsed());
        match exit.panic.take() {
            None => Ok(report),
            Some(payload) => Err(ShutdownError::Panicked { payload, report }),
        }
    }
}

/// Drives an owner whose inbox is closed until it has ended, or waits for whoever drives it.
fn drive_to_end<M: 'static, S: Scope>(
    inbox: &Inbox<M, S>,
    seat: &Seat<M, S>,
    exit: &mut Completion<Exit>,
    started: Instant,
    deadline: Duration,
) -> Result<Exit, ShutdownError> {
    if seat.is_held_here() {
        return Err(ShutdownError::OwnThread);
    }
    loop {
        let left = deadline.saturating_sub(started.elapsed());
        let limit = Budget::within(usize::MAX, left);
        let left = match seat.drive(inbox, limit, Driving::Host).left {
            Left::Busy | Left::Ended if is_wait_forbidden() && !exit.is_done() => {
                return Err(ShutdownError::WouldStall);
            }
            // Whoever drives looks once more before it leaves, but a host may leave all the same; or it has brought the
            // owner to its end, and is about to say so.
            Left::Busy | Left::Ended => deadline.saturating_sub(started.elapsed()).min(RETRY),
            _ => Duration::ZERO,
        };
        if let Ok(exit) = exit.wait_timeout(left) {
            return Ok(exit);
        }
        if started.elapsed() >= deadline {
            return Err(ShutdownError::TimedOut { deadline });
        }
    }
}

/// Joins a thread that has said its last word, if it ends in time; else leaves it alone.
fn join(thread: JoinHandle<()>, started: Instant, deadline: Duration) {
    while !has_ended(&thread) {
        if started.elapsed() > deadline {
            return;
        }
        owner_thread::yield_now();
    }
    // `run` catches every panic of the user's, so there is no payload to lose here.
    drop(thread.join());
}

impl<H: Handler, S: Scope> Drop for Owner<H, S> {
    fn drop(&mut self) {
        if !self.ended {
            // Nobody is there to read the report; `shutdown` is for those who want it.
            if let Err(ShutdownError::Panicked { payload, .. }) =
                self.end(Pending::Discard, self.drop_deadline)
            {
                caught::discard(payload);
            }
        }
    }
}

impl<H: Handler, S: Scope> fmt::Debug for Owner<H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner")
            .field("alive", &self.is_alive())
            .finish_non_exhaustive()
    }
}
