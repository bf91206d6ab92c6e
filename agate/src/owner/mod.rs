//! The owner: one thread that alone uses a resource, and an inbox.

mod inbox;
mod run;
mod shutdown;

use std::fmt;
use std::thread::{Builder, JoinHandle, ThreadId};
use std::time::{Duration, Instant};

pub use inbox::{Inbox, Port};
pub use shutdown::{Pending, ShutdownError, ShutdownReport};

use crate::attach::Role;
use crate::caught;
use crate::completion::{Completion, completion, is_wait_forbidden};
use crate::error::{AttachError, CreateError};
use crate::handle::{Handle, Limits};
use crate::owner::run::Exit;
use crate::park::WaitMode;

/// What an owner does with its messages: state that one thread alone uses, and need be neither `Send` nor `Sync`.
///
/// If a method panics, the owner closes: outstanding completions resolve as
/// [`OwnerPanicked`](crate::CompletionError::OwnerPanicked), later sends give their message back, and
/// [`Owner::shutdown`] returns the payload.
///
/// # Examples
///
/// ```
/// use agate::{Handler, Local, Pending};
/// use std::{cell::RefCell, rc::Rc, time::Duration};
///
/// struct Printer {
///     lines: Rc<RefCell<Vec<String>>>, // not `Send`: made on the owner's thread and never leaves it
/// }
/// impl Handler for Printer {
///     type Message = String;
///     fn handle(&mut self, line: String) {
///         self.lines.borrow_mut().push(line);
///     }
///     fn batch_end(&mut self) {
///         self.lines.borrow_mut().clear(); // here one would write them out, all at once
///     }
/// }
///
/// let printer = Local.owner_with(agate::OwnerOptions::named("printer"), || Printer { lines: Rc::default() })?;
/// printer.attach()?.send("hello".into())?;
/// let report = printer.shutdown(Pending::Drain, Duration::from_secs(10))?;
/// assert_eq!(report.handled, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Handler: 'static {
    /// What users send to this owner.
    type Message: 'static;

    /// Handles one message.
    fn handle(&mut self, message: Self::Message);

    /// Called after each drained batch, before the owner may sleep: the place for work that is cheaper done once for many
    /// messages, such as a flush.
    fn batch_end(&mut self) {}

    /// Asked before the owner sleeps: until when, at the longest. When that time has come and no message with it,
    /// [`wake`](Self::wake) is called. By default it sleeps until a message comes.
    ///
    /// A time in the past has it called at once, and again as long as the time stays there: [`wake`](Self::wake) is to move
    /// it. It is not asked while messages keep coming; a handler that must be in time then too looks at the clock in
    /// [`batch_end`](Self::batch_end).
    fn wake_at(&self) -> Option<Instant> {
        None
    }

    /// The time of [`wake_at`](Self::wake_at) has come.
    fn wake(&mut self) {}
}

/// How an owner is made; see [`Local::owner_with`](crate::Local::owner_with).
///
/// # Examples
///
/// ```
/// use agate::{Limits, OwnerOptions, WaitMode};
/// use std::time::Duration;
///
/// let options = OwnerOptions::named("log file")
///     .limits(Limits::senders(64))
///     .wait_mode(WaitMode::Poll(Duration::from_micros(50)))
///     .on_start(|| println!("here one would set the thread's priority"))
///     .drop_deadline(Duration::from_millis(100));
/// # drop(options);
/// ```
pub struct OwnerOptions {
    name: String,
    limits: Limits,
    wait: WaitMode,
    hook: Option<Box<dyn FnOnce() + Send>>,
    drop_deadline: Duration,
}

impl OwnerOptions {
    /// An owner whose thread has this name (cut at a NUL, if there is one); no limit on senders; woken by sends; dropped
    /// without shutdown it is given one second to end.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        let mut name: String = name.into();
        if let Some(nul) = name.find('\0') {
            name.truncate(nul);
        }
        Self {
            name,
            limits: Limits::none(),
            wait: WaitMode::Wake,
            hook: None,
            drop_deadline: Duration::from_secs(1),
        }
    }

    /// Sets how many ports may be attached at once: the limit on senders.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how the owner waits when nothing is there.
    #[must_use]
    pub fn wait_mode(mut self, wait: WaitMode) -> Self {
        self.wait = wait;
        self
    }

    /// Runs `hook` first on the owner's thread: the place to set affinity or priority.
    #[must_use]
    pub fn on_start(mut self, hook: impl FnOnce() + Send + 'static) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// Sets how long dropping the [`Owner`] without shutdown waits for its thread, before it leaves that alone.
    #[must_use]
    pub fn drop_deadline(mut self, deadline: Duration) -> Self {
        self.drop_deadline = deadline;
        self
    }
}

impl fmt::Debug for OwnerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnerOptions")
            .field("name", &self.name)
            .field("limits", &self.limits)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// One thread that alone uses a resource, with an inbox for everybody else.
///
/// Made by [`Local::owner`](crate::Local::owner). There is one `Owner` value for each owner; others get a
/// [`Handle`] to its inbox and attach. The handler is made, called and dropped on the owner's thread only.
///
/// End it with [`shutdown`](Self::shutdown). Dropping it without discards what is in the inbox, and waits for the
/// thread no longer than [`OwnerOptions::drop_deadline`]; if the thread is still busy then, it ends by itself later.
///
/// # Examples
///
/// A handler that panics takes nobody with it:
///
/// ```
/// use agate::{Handler, Local, Pending, SendError, WaitError};
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
pub struct Owner<H: Handler> {
    handle: Handle<Inbox<H::Message>>,
    exit: Completion<Exit>,
    /// `None` after shutdown.
    thread: Option<JoinHandle<()>>,
    drop_deadline: Duration,
}

impl<H: Handler> Owner<H> {
    pub(crate) fn spawn<F>(options: OwnerOptions, make: F) -> Result<Self, CreateError>
    where
        H::Message: Send,
        F: FnOnce() -> H + Send + 'static,
    {
        let OwnerOptions {
            name,
            limits,
            wait,
            hook,
            drop_deadline,
        } = options;
        let handle = Handle::new(limits.receivers(1), Inbox::new(wait));
        let place = handle
            .place(Role::Receiver)
            .expect("a new inbox has room for its one receiver");
        let (resolver, exit) = completion();
        let start = move || {
            let make = move || {
                if let Some(hook) = hook {
                    hook();
                }
                make()
            };
            run::run(place, make, resolver);
        };
        let thread = Builder::new()
            .name(name)
            .spawn(start)
            .map_err(CreateError::Thread)?;
        Ok(Self {
            handle,
            exit,
            thread: Some(thread),
            drop_deadline,
        })
    }

    /// A handle to the inbox, to be cloned and passed about.
    #[must_use]
    pub fn handle(&self) -> Handle<Inbox<H::Message>> {
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
    pub fn attach(&self) -> Result<Port<H::Message>, AttachError> {
        self.handle.attach()
    }

    /// Whether the owner accepts messages: it has not panicked, and its inbox was not closed.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        !self.handle.object().intake.is_closed()
    }

    /// The id of the owner's thread.
    #[must_use]
    pub fn thread_id(&self) -> Option<ThreadId> {
        self.thread.as_ref().map(|thread| thread.thread().id())
    }

    /// Closes the inbox, has the rest handled or discarded, and waits until the thread has ended.
    ///
    /// The report counts what was handled and discarded, and resolvers in discarded messages resolve their completions
    /// as [`Abandoned`](crate::CompletionError::Abandoned). A message that is sent at the very moment of the end may be
    /// dropped by its sender's thread instead; it resolves alike, and is not counted.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::Panicked`] with the payload, when the handler has panicked, now or before.
    /// [`ShutdownError::TimedOut`] when the thread is not done at the deadline; [`ShutdownError::OwnThread`] and
    /// [`ShutdownError::WouldStall`] when this thread cannot wait for it. In these three cases the owner ends by itself
    /// as soon as it can.
    ///
    /// # Progress
    ///
    /// May park.
    pub fn shutdown(
        mut self,
        pending: Pending,
        deadline: Duration,
    ) -> Result<ShutdownReport, ShutdownError> {
        self.end(pending, deadline)
    }

    fn end(
        &mut self,
        pending: Pending,
        deadline: Duration,
    ) -> Result<ShutdownReport, ShutdownError> {
        let started = Instant::now();
        self.handle.object().request_end(pending);
        let Some(thread) = self.thread.take() else {
            return Err(ShutdownError::TimedOut { deadline });
        };
        if thread.thread().id() == std::thread::current().id() {
            return Err(ShutdownError::OwnThread);
        }
        if is_wait_forbidden() && !self.exit.is_done() {
            return Err(ShutdownError::WouldStall);
        }
        let Ok(exit) = self.exit.wait_timeout(deadline) else {
            return Err(ShutdownError::TimedOut { deadline });
        };
        join(thread, started, deadline);
        let report = ShutdownReport::new(exit.counts, started.elapsed());
        match exit.panic {
            None => Ok(report),
            Some(payload) => Err(ShutdownError::Panicked { payload, report }),
        }
    }
}

/// Joins a thread that has said its last word, if it ends in time; else leaves it alone.
fn join(thread: JoinHandle<()>, started: Instant, deadline: Duration) {
    while !thread.is_finished() {
        if started.elapsed() > deadline {
            return;
        }
        std::thread::yield_now();
    }
    // `run` catches every panic of the user's, so there is no payload to lose here.
    drop(thread.join());
}

impl<H: Handler> Drop for Owner<H> {
    fn drop(&mut self) {
        if self.thread.is_some() {
            // Nobody is there to read the report; `shutdown` is for those who want it.
            if let Err(ShutdownError::Panicked { payload, .. }) =
                self.end(Pending::Discard, self.drop_deadline)
            {
                caught::discard(payload);
            }
        }
    }
}

impl<H: Handler> fmt::Debug for Owner<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owner")
            .field("alive", &self.is_alive())
            .finish_non_exhaustive()
    }
}
